"""Finished run folders as values: reading and finding them, with clear words for what cannot be read."""

from __future__ import annotations

import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Row = Mapping[str, Any]


class RunError(ValueError):
    """A folder that cannot be read as a run, told in one sentence with what to do."""


@dataclass(frozen=True)
class Run:
    """One run folder: what was configured, what was trained on, what came out. Data only."""

    path: Path
    config: Mapping[str, Any]
    split: Mapping[str, Any]
    test: Mapping[str, Any]
    train: tuple[Row, ...]
    val: tuple[Row, ...]
    events: tuple[Row, ...]
    env: Mapping[str, Any]
    seed: int
    identity: str
    label: str
    done: bool

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Test metrics, after the post-hoc rules if there are any; empty for an unfinished run."""
        return mapping(self.test.get("metrics"))

    @property
    def counts(self) -> np.ndarray:
        """Training examples per class."""
        return np.asarray(self.split.get("counts", []), dtype=np.float64)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, their numbers where the folder has none."""
        names = self.split.get("class_names")
        if not isinstance(names, list) or len(names) != len(self.counts):
            return [str(k) for k in range(len(self.counts))]
        return [printable(name) for name in names]

    @property
    def thresholds(self) -> tuple[float, float]:
        """More training examples than the first is `many`, fewer than the second is `few`."""
        given = mapping(self.config.get("eval")).get("groups")
        if isinstance(given, list | tuple) and len(given) == 2 and all(number(v) is not None for v in given):
            return float(given[0]), float(given[1])
        return 100.0, 20.0

    @property
    def seconds(self) -> float | None:
        """Time of the run as its `done` event tells it."""
        found = [number(e.get("seconds")) for e in self.events if e.get("event") == "done"]
        return found[-1] if found else None

    def setting(self, section: str, *names: str) -> Any:
        """The first of `names` that a section of the config has and that is not None."""
        values = mapping(self.config.get(section))
        return next((values[name] for name in names if values.get(name) is not None), None)

    def outputs(self) -> dict[str, np.ndarray]:
        """Stored logits, labels and rows (`test_logits`, `test_label`, `test_rows`, `val_*`)."""
        file = self.path / "outputs.npz"
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: the run did not store its outputs. Train it "
                                    "again with outputs switched on.")
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise RunError(f"{file} is damaged or holds more than plain arrays ({error}).") from error


class Runs(list[Run]):
    """Finished runs in the order of their paths, with the folders that were left out and why.

    `told` holds sentences of whoever made the runs, to stand first among the notes.
    """

    unfinished: list[Path]
    unreadable: list[tuple[Path, str]]
    told: list[str]

    def __init__(self, runs: Iterable[Run] = (), unfinished: Iterable[Path] = (),
                 unreadable: Iterable[tuple[Path, str]] = (), told: Iterable[str] = ()):
        given = list(runs)
        super().__init__(run for run in given if run.done)
        self.unfinished = [*unfinished, *(run.path for run in given if not run.done)]
        self.unreadable = list(unreadable)
        self.told = list(told)

    @property
    def notes(self) -> list[str]:
        """What was left out, in sentences for the table."""
        notes = [*self.told]
        if self.unfinished:
            notes.append(f"{_count(len(self.unfinished), 'unfinished run')} left out (no DONE): "
                         f"{_some(self.unfinished)}.")
        if self.unreadable:
            notes.append(f"{_count(len(self.unreadable), 'damaged run')} left out: "
                         + " ".join(sentence for _, sentence in self.unreadable[:3]))
        return notes


def load_run(path: str | os.PathLike, *, unfinished: bool = False) -> Run:
    """Reads one run folder.

    Args:
      path: the folder `.../seed<k>`.
      unfinished: also accept a folder without DONE (its `test` is then empty where test.json is missing).
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder. Give a run folder (runs/DATA/METHOD/HASH/seed0).")
    if not (folder / "config.json").is_file():
        raise RunError(f"{folder} is not a run folder: it has no config.json. `ltjax train` makes such.")
    done = (folder / "DONE").exists()
    if not done and not unfinished:
        raise RunError(f"{folder} is not finished (no DONE). Resume it with `ltjax train` and the same "
                       "config, or leave it out.")
    config = _read_json(folder / "config.json")
    split = _read_json(folder / "split.json", missing_ok=not done)
    test = _read_json(folder / "test.json", missing_ok=not done)
    _check(folder, config, split, test, done)
    history = list(_read_lines(folder / "metrics.jsonl"))
    return Run(
        path=folder, config=config, split=split, test=test,
        train=tuple(row for row in history if row.get("kind") == "train"),
        val=tuple(row for row in history if row.get("kind") == "val"),
        events=tuple(_read_lines(folder / "events.jsonl")),
        env=_read_json(folder / "env.json", missing_ok=True),
        seed=int(config["seed"]), identity=printable(config["identity"]),
        label=printable(config.get("label") or mapping(config.get("method")).get("name", "run")), done=done,
    )


def find_runs(where: str | os.PathLike | Iterable[str | os.PathLike]) -> Runs:
    """Every finished run below the given folders; `notes` tells which ones were left out and why.

    A folder that is named itself and cannot be read raises instead.
    """
    roots = [where] if isinstance(where, str | os.PathLike) else list(where)
    found: dict[Path, Run] = {}
    unfinished: list[Path] = []
    unreadable: list[tuple[Path, str]] = []
    for root in map(Path, roots):
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder of your runs, such as runs/.")
        for folder in _run_folders(root):
            key = folder.resolve()
            if key in found:
                continue
            if folder == root:
                found[key] = load_run(folder)
            elif not (folder / "DONE").exists():
                unfinished.append(folder)
            else:
                try:
                    found[key] = load_run(folder)
                except (ValueError, OSError) as error:
                    unreadable.append((folder, str(error)))
    return Runs(sorted(found.values(), key=lambda run: str(run.path)), sorted(set(unfinished)), unreadable)


def number(value: Any) -> float | None:
    """A finite number as float, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a dict, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def printable(value: Any) -> str:
    """Text without control characters, so that a name cannot steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def _run_folders(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        below.sort()
        if "config.json" in files:
            below.clear()
            yield Path(folder)


def _read_json(file: Path, missing_ok: bool = False) -> Mapping[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if missing_ok:
            return {}
        raise RunError(f"{file} is missing although the run says it is done; train it again.") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file} is no complete JSON ({error}): it was cut off or edited; train the run "
                       "again or leave it out.") from error
    if not isinstance(value, dict):
        raise RunError(f"{file} must hold a JSON object, found {type(value).__name__}.")
    return value


def _read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON-lines file; a last line that a killed process left half written is dropped."""
    if not file.is_file():
        return
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    for i, line in enumerate(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if i == len(lines) - 1:
                return
            raise RunError(f"{file}, line {i + 1}, is no JSON ({error}); only a cut off last line is "
                           "tolerated.") from error
        if not isinstance(row, dict):
            raise RunError(f"{file}, line {i + 1}, must be a JSON object, found {type(row).__name__}.")
        yield row


def _check(folder: Path, config: Mapping, split: Mapping, test: Mapping, done: bool) -> None:
    for name in ("seed", "identity"):
        if name not in config:
            raise RunError(f"{folder / 'config.json'} has no {name!r}: it is not the config of a run.")
    if isinstance(config["seed"], bool) or not isinstance(config["seed"], int):
        raise RunError(f"{folder / 'config.json'}: seed={config['seed']!r} must be a whole number.")
    counts = split.get("counts")
    ok = isinstance(counts, list) and counts and all((number(c) or -1) > 0 or c == 0 for c in counts)
    if done and not ok:
        raise RunError(f"{folder / 'split.json'} has no list 'counts' with the training examples per class.")
    if done and not isinstance(test.get("metrics"), dict):
        raise RunError(f"{folder / 'test.json'} has no 'metrics'.")


def _count(n: int, what: str) -> str:
    return f"1 {what} was" if n == 1 else f"{n} {what}s were"


def _some(paths: list[Path], limit: int = 3) -> str:
    shown = ", ".join(map(str, paths[:limit]))
    return shown + (f" and {len(paths) - limit} more" if len(paths) > limit else "")
