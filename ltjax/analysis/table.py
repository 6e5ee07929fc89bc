"""The comparison table: one row per method, spread over seeds, paired differences, visible notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ltjax.analysis import render
from ltjax.analysis.groups import Group, group_runs, mismatches, same_test_set
from ltjax.analysis.published import Published, matching
from ltjax.analysis.runs import Run, Runs, mapping, number
from ltjax.analysis.stats import LEVEL, Paired, Summary, paired_difference, summary

if TYPE_CHECKING:
    import rich.table

SHOTS = ("many", "medium", "few")


@dataclass(frozen=True)
class Column:
    """A number of the table: where it stands in the metrics and how it is printed."""

    name: str
    path: tuple[str, ...]
    title: str
    scale: float = 100.0
    digits: int = 1
    higher_is_better: bool = True

    def read(self, run: Run) -> float | None:
        value: Any = run.metrics
        for key in self.path:
            value = mapping(value).get(key)
        return number(value)


COLUMNS = {column.name: column for column in (
    Column("all", ("accuracy",), "all"),
    Column("many", ("many", "accuracy"), "many"),
    Column("medium", ("medium", "accuracy"), "medium"),
    Column("few", ("few", "accuracy"), "few"),
    Column("balanced", ("balanced_accuracy",), "balanced"),
    Column("nll", ("nll",), "NLL", 1.0, 3, False),
    Column("ece", ("ece", "value"), "ECE", 100.0, 1, False),
)}


@dataclass(frozen=True)
class MethodRow:
    """One method: numbers by column and seed, their summaries, differences to the baseline, note numbers."""

    label: str
    identity: str
    seeds: tuple[int, ...]
    values: Mapping[str, Mapping[int, float]]
    scores: Mapping[str, Summary]
    differences: Mapping[str, Paired | None]
    marks: tuple[int, ...]
    published: Mapping[str, tuple[Published, ...]]


@dataclass(frozen=True)
class Table:
    """A finished comparison; `notes[i]` is what mark `i + 1` on a row means, or concerns the whole table."""

    rows: tuple[MethodRow, ...]
    columns: tuple[Column, ...]
    titles: Mapping[str, str]
    baseline: str | None
    sort: str
    notes: tuple[str, ...]
    legend: tuple[str, ...]
    level: float

    def rich(self, width: int | None = None) -> rich.table.Table:
        """For the terminal: the columns that fit the width; a line below names the ones that do not."""
        return render.terminal(self, width)

    def markdown(self) -> str:
        return render.markdown(self)

    def csv(self) -> str:
        """Plain numbers (fractions, not percent), one row per method, spread and bounds in own columns."""
        return render.comma_separated(self)

    def json(self) -> str:
        """Everything, the values of the single seeds included."""
        return render.as_json(self)


def comparison(runs: Iterable[Run], *, baseline: str = "erm",
               published: Iterable[Published] | None = None, sort: str = "all",
               level: float = LEVEL) -> Table:
    """Puts finished runs in one table: averaged over seeds only where the configuration is equal.

    Args:
      runs: finished runs; what `find_runs` left out is told in the notes.
      baseline: label of the row to compare with; without such a row there are no differences.
      published: figures from papers to show beside ours, see `read_published`.
      sort: `all`, `few` or another column; the best first, after the baseline.
      level: confidence of the intervals.
    """
    if sort not in COLUMNS:
        raise ValueError(f"sort={sort!r} is not a column of the table. Known: {', '.join(COLUMNS)}.")
    runs = runs if isinstance(runs, Runs) else Runs(runs)
    groups = group_runs(runs)
    if not groups:
        raise ValueError("There is no finished run to compare. Train at least one with `ltjax train`.")
    base = _baseline(groups, baseline)
    notes = list(runs.notes)
    if base is None:
        notes.append(f"No run is labelled {baseline!r}: differences to a baseline are not shown.")
    reference = base or groups[0]
    figures = None if published is None else list(published)
    rows = [_row(group, reference, base, figures, notes, level) for group in groups]
    if figures is not None and not any(row.published for row in rows):
        notes.append("No published figure fits the method, data set and imbalance of these runs.")
    if all(row.scores[sort].mean is None for row in rows):
        sort = "all"
    rows.sort(key=lambda row: _order(row, base, COLUMNS[sort]))
    legend = _legend(reference, base, sort, level)
    if any(row.published for row in rows):
        legend.append("Published figures are in percent and of their papers' own settings, which the sources "
                      "name; they are no part of the comparison.")
    return Table(tuple(rows), tuple(COLUMNS.values()), _titles(reference), base.label if base else None, sort,
                 tuple(notes), tuple(legend), level)


def _row(group: Group, reference: Group, base: Group | None, figures: list[Published] | None,
         notes: list[str], level: float) -> MethodRow:
    """The row of one group; what a reader must know is appended to `notes` and marked."""
    values = {name: _values(group, column) for name, column in COLUMNS.items()}
    told = list(group.notes)
    unlike = [] if group is reference else mismatches(group, reference)
    if unlike:
        told.append(f"{group.label} is not on equal terms with {reference.label}: {', '.join(unlike)}.")
    comparable = same_test_set(group, reference)
    differences: dict[str, Paired | None] = dict.fromkeys(COLUMNS)
    if base is not None and group is not base and comparable:
        common = [seed for seed in base.seeds if seed in group.seeds]
        if not common:
            told.append(f"{group.label} and {base.label} have no seed in common: no paired difference.")
        elif len(common) < len(group.seeds):
            told.append(f"{group.label}: the difference is paired over the seeds in common only: "
                        f"{', '.join(map(str, common))}.")
        differences = {name: _paired(_values(base, column), values[name], level)
                       for name, column in COLUMNS.items()}
    elif group is not reference and not comparable:
        told.append(f"{group.label} has another test set than {reference.label}: no difference is given.")
    partial = [name for name in COLUMNS if 0 < len(values[name]) < len(group.seeds)]
    if partial:
        told.append(f"{group.label}: {', '.join(partial)} could not be measured for every seed.")
    told += _conditions(group)
    marks = []
    for note in told:
        if note not in notes:
            notes.append(note)
        marks.append(notes.index(note) + 1)
    return MethodRow(group.label, group.identity, group.seeds, values,
                     {name: summary(list(v.values()), level) for name, v in values.items()}, differences,
                     tuple(marks), matching(figures, group) if figures else {})


def _conditions(group: Group) -> list[str]:
    """How the numbers of a group came about: post-hoc rules, known test prior, prolonged runs."""
    told = []
    rules = [rule for rule in group.first.test.get("posthoc") or () if isinstance(rule, Mapping)]
    if rules:
        names = ", ".join(str(rule.get("name")) for rule in rules)
        told.append(f"{group.label}: numbers after the post-hoc rule {names}.")
    if any(rule.get(name) is not None for rule in rules for name in ("target_log_prior", "target_prior")):
        told.append(f"{group.label} knows the class prior of the test set.")
    if group.first.setting("eval", "force"):
        told.append(f"{group.label}: a check against adjusting for the class prior twice was overridden.")
    if any(mapping(run.config).get("extended_from") or mapping(run.env).get("extended_from")
           for run in group.runs):
        told.append(f"{group.label} goes on from an earlier run with a shorter budget.")
    return told


def _values(group: Group, column: Column) -> dict[int, float]:
    read = {run.seed: column.read(run) for run in group.runs}
    return {seed: value for seed, value in read.items() if value is not None}


def _paired(base: Mapping[int, float], method: Mapping[int, float], level: float) -> Paired | None:
    common = [seed for seed in base if seed in method]
    if not common:
        return None
    return paired_difference([base[s] for s in common], [method[s] for s in common], level)


def _baseline(groups: list[Group], name: str) -> Group | None:
    """The group with that label; of several the one with most seeds."""
    fitting = [g for g in groups if name in (g.label, g.first.label)]
    return max(fitting, key=lambda group: len(group.runs), default=None)


def _order(row: MethodRow, base: Group | None, column: Column) -> tuple:
    mean = row.scores[column.name].mean
    sign = -1.0 if column.higher_is_better else 1.0
    return (base is None or row.identity != base.identity, mean is None, sign * (mean or 0.0), row.label)


def _titles(reference: Group) -> dict[str, str]:
    """Headings; the shot groups carry their number of classes."""
    titles = {name: column.title for name, column in COLUMNS.items()}
    for name in SHOTS:
        k = number(mapping(reference.first.metrics.get(name)).get("classes"))
        if k is not None:
            titles[name] = f"{name} ({k:g} {'class' if k == 1 else 'classes'})"
    return titles


def _legend(reference: Group, base: Group | None, sort: str, level: float) -> list[str]:
    """How to read the numbers, in sentences."""
    run = reference.first
    many, few = run.thresholds
    lines = ["Accuracies and ECE in percent; mean ± sample standard deviation over seeds, '-' where one seed "
             "gives no spread, '–' where there is nothing to measure."]
    if base is not None:
        lines.append(f"Δ is the difference to {base.label}, paired by seed, with the {level * 100:g} % "
                     "t-interval of its mean in brackets; an interval that contains zero is no proof of "
                     "equality, and the intervals are not corrected for the number of rows.")
    lines.append(f"many: more than {many:g} training examples, few: fewer than {few:g}, medium: between.")
    ece = mapping(run.metrics.get("ece"))
    n = number(run.metrics.get("n"))
    if ece.get("bins") and n:
        lines.append(f"ECE over {ece['bins']} bins ({str(ece.get('binning', '')).replace('_', ' ')}) and "
                     f"{n:,.0f} test examples.")
    best = run.setting("eval", "select") == "best_val"
    chosen = "epoch chosen on validation data" if best else "last epoch"
    lines.append(f"Numbers of the {chosen} of {run.setting('optim', 'epochs') or 'an unknown number'}. "
                 f"Sorted by {sort}.")
    return lines
