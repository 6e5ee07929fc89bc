"""Runs of one configuration together, and whether two configurations may stand in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ltjax.analysis.runs import Run, Runs, printable


@dataclass(frozen=True)
class Group:
    """Runs of one configuration that differ in the seed alone."""

    identity: str
    label: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)

    @property
    def first(self) -> Run:
        return self.runs[0]


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Runs of equal identity together, seeds ascending; a label that two identities share gets a suffix."""
    by_identity: dict[str, list[Run]] = {}
    for run in runs:
        by_identity.setdefault(run.identity, []).append(run)
    labels = [members[0].label for members in by_identity.values()]
    groups = []
    for identity, members in by_identity.items():
        label = members[0].label
        notes = []
        if labels.count(label) > 1:
            label = f"{label} [{identity[:6]}]"
        seeds: dict[int, Run] = {}
        for run in sorted(members, key=lambda run: (run.seed, str(run.path))):
            if run.seed in seeds:
                notes.append(f"{label}: seed {run.seed} stands in two folders; {seeds[run.seed].path} is "
                             f"used, {run.path} is left out.")
            else:
                seeds[run.seed] = run
        groups.append(Group(identity, label, tuple(seeds.values()), tuple(notes)))
    return groups


def by_data(runs: Iterable[Run]) -> dict[str, Runs]:
    """Runs apart by data set (name and class counts), under a title each: one table per data set.

    What `find_runs` left out is told with the first.
    """
    parts: dict[tuple, list[Run]] = {}
    for run in runs:
        parts.setdefault((run.setting("data", "name"), tuple(run.counts.tolist())), []).append(run)
    named: dict[str, Runs] = {}
    for members in parts.values():
        run = members[0]
        told = [f"{key} {run.setting('data', key)}" for key in ("profile", "imbalance") if run.setting("data", key)]
        title = ", ".join([printable(run.setting("data", "name") or "data"), *map(printable, told)])
        n = sum(known.split(" #")[0] == title for known in named)
        named[f"{title} #{n + 1}" if n else title] = Runs(members)
    if isinstance(runs, Runs) and named:
        first = next(iter(named.values()))
        first.unfinished, first.unreadable, first.told = runs.unfinished, runs.unreadable, runs.told
    return named


def mismatches(group: Group, reference: Group) -> list[str]:
    """What keeps a group from a fair comparison with the reference, in words; empty where all is equal.

    Training rows are compared seed by seed where both have the seed; then test counts and the settings that
    a fair table holds equal.
    """
    found = []
    theirs = {run.seed: run.split.get("train_sha256") for run in reference.runs}
    ours = {run.seed: run.split.get("train_sha256") for run in group.runs}
    common = ours.keys() & theirs.keys()
    if any(ours[seed] != theirs[seed] for seed in common) if common else \
            not set(ours.values()) & set(theirs.values()):
        found.append("other training rows")
    for words, value in _compared().items():
        mine, other = value(group.first), value(reference.first)
        if mine != other:
            shown = f" ({mine} against {other})" if isinstance(mine, int | float | str) else ""
            found.append(f"other {words}{shown}")
    return found


def same_test_set(group: Group, reference: Group) -> bool:
    """True where a difference of the two groups has a meaning at all: the same classes and test counts."""
    return group.first.split.get("test_counts") == reference.first.split.get("test_counts") \
        and len(group.first.counts) == len(reference.first.counts)


def _compared() -> dict[str, Callable[[Run], Any]]:
    return {
        "test counts": lambda run: run.split.get("test_counts"),
        "epochs": lambda run: run.setting("optim", "epochs"),
        "batch": lambda run: run.setting("optim", "batch"),
        "model": lambda run: run.config.get("model"),
        "augmentation": lambda run: run.setting("data", "augment"),
        "shot groups": lambda run: run.thresholds,
        "calibration bins": lambda run: run.setting("eval", "bins"),
        "choice of the epoch": lambda run: run.setting("eval", "select"),
    }
