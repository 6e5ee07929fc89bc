"""Sums of a chunk -> rows of metrics.jsonl that end at fixed steps, whichever way the chunks were cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.rundir import RunFolder


def log_rows(exp: Experiment) -> list[np.ndarray]:
    """For each stage the log row of each of its steps: every `run.log_every` steps, or every epoch for 0."""
    every = exp.config["run"]["log_every"]
    return [np.arange(s.steps) // every if every else s.epoch_of_step for s in exp.stages]


class Logbook:
    """The log of every seed of a run: in memory and in its folder."""

    def __init__(self, exp: Experiment, folders: dict[int, RunFolder]):
        self.folders = folders
        self.history: dict[int, list[dict[str, Any]]] = {s: [] for s in folders}
        self.rows = log_rows(exp)

    def capacity(self, stage: ReadyStage, steps: int) -> int:
        """The most log rows that `steps` consecutive steps of a stage can touch."""
        rows = self.rows[stage.index]
        ends = rows[np.minimum(np.arange(len(rows)) + steps, len(rows)) - 1]
        return int((ends - rows).max()) + 1

    def is_open(self, stage: ReadyStage, at: int) -> bool:
        """Whether a row holds both the last step before `at` and the next one."""
        rows = self.rows[stage.index]
        return 0 < at < len(rows) and bool(rows[at] == rows[at - 1])

    def add(self, seed: int, row: dict[str, Any]) -> None:
        self.history[seed].append(row)
        self.folders[seed].append("metrics.jsonl", [row])

    def rewind(self, seed: int, step: int) -> None:
        """Forgets rows later than `step`."""
        self.history[seed] = self.folders[seed].truncate(step)

    def write(self, stage: ReadyStage, at: int, count: int, sums: dict[int, dict[str, np.ndarray]],
              stopped: dict[int, int]):
        """Writes the rows that a chunk completed.

        Args:
          sums: seed -> metric -> sums per row of the chunk.
          stopped: seed -> step of the stage at which the guard stopped it; its log ends with that step.

        Returns:
          The place of the last row and whether it is still open, and a row to show.
        """
        rows, last = self.rows[stage.index], at + count - 1
        closed = last + 1 == len(rows) or rows[last + 1] != rows[last]
        shown: dict[str, Any] = {}
        for seed, mine in sums.items():
            final = min(last, stopped.get(seed, last))
            for r in range(int(rows[at]), int(rows[final]) + 1 if final >= at else 0):
                end = min(int(np.searchsorted(rows, r, side="right")), final + 1)
                row = train_row(stage, end, {n: float(v[r - rows[at]]) for n, v in mine.items()})
                if r < rows[final] or closed or seed in stopped:
                    self.add(seed, row)
                shown = shown if seed != next(iter(sums)) else row
        return int(rows[last] - rows[at]), not closed, shown


def train_row(stage: ReadyStage, end: int, sums: dict[str, float]) -> dict[str, Any]:
    """One row of the log from its sums; means are over the steps that the guard let pass."""
    good, seen, correct, bad = (sums.pop(name) for name in ("good", "seen", "correct", "bad"))
    row = {"kind": "train", "step": stage.offset + end, "epoch": epoch_at(stage, end), "stage": stage.name,
           "lr": float(stage.rates[end - 1]), "accuracy": correct / seen if seen else None,
           **{name: value / good if good else None for name, value in sums.items()}}
    return {**row, "skipped": int(bad)} if bad else row


def val_row(stage: ReadyStage, step: int, epoch: int, measured: dict[str, Any]) -> dict[str, Any]:
    """One row of the log from the metrics of a validation."""
    return {"kind": "val", "step": step, "epoch": epoch, "stage": stage.name,
            **{name: measured[name] for name in ("accuracy", "balanced_accuracy", "nll")},
            **{group: measured[group]["accuracy"] for group in ("many", "medium", "few")}}


def epoch_at(stage: ReadyStage, step: int) -> float:
    """Epochs of the run that are done after `step` steps of a stage."""
    ends = np.cumsum((0, *stage.epoch_steps))
    done = int(np.searchsorted(ends, step, side="right")) - 1
    rest = step - int(ends[done])
    return round(stage.first_epoch + done + (rest / stage.epoch_steps[done] if rest else 0), 6)
