"""What a sampler is given and what it gives: index plans that are pure in (seed, stream, step)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from ltjax.registry import ConfigError
from ltjax.samplers.streams import permutations, uniforms

MAIN, OTHER, PERMUTATION, STREAMS = 0, 1, 2, 4


@dataclass(frozen=True, eq=False)
class Draw:
    """What the trainer hands to a sampler.

    Args:
      labels: class of every training row, int [n]; or instances per class and row, int [n, classes].
      classes: number of classes C.
      batch: rows of the global batch.
      seed: the run's seed.
      stream: MAIN, OTHER (a second sampler beside the first) or PERMUTATION, plus STREAMS times the number
        of the stage: independent numbers each.
      steps: steps of the stage.
      steps_per_epoch: floor(n / batch), whichever the sampler.
    """

    labels: np.ndarray
    classes: int
    batch: int
    seed: int = 0
    stream: int = MAIN
    steps: int = 1
    steps_per_epoch: int = 1

    def __post_init__(self):
        labels = np.asarray(self.labels)
        if labels.ndim not in (1, 2) or labels.shape[0] < 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError("a sampler needs whole-number labels [rows] or [rows, classes] and at least one "
                             f"row, got {labels.dtype} {labels.shape}.")
        if labels.ndim == 1 and (labels.min() < 0 or labels.max() >= self.classes):
            raise ValueError(f"labels run from {labels.min()} to {labels.max()}, which is outside "
                             f"0..{self.classes - 1}.")
        if self.batch < 1:
            raise ValueError(f"batch={self.batch} must be at least 1.")
        object.__setattr__(self, "labels", labels)

    @property
    def rows(self) -> int:
        return len(self.labels)

    @cached_property
    def single(self) -> np.ndarray:
        """One class per row, or an error for rows with several."""
        if self.labels.ndim == 2:
            raise ConfigError("this sampler needs one class per row; for rows with several labels use "
                              "'shuffle', 'repeat_factor' or 'instance_aware_repeat_factor'.")
        return self.labels

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows per class, int64 [C]; of rows with several labels: rows that contain the class."""
        if self.labels.ndim == 2:
            return np.count_nonzero(self.labels, axis=0)
        return np.bincount(self.labels, minlength=self.classes)

    @cached_property
    def by_class(self) -> np.ndarray:
        """Rows sorted by class, int32 [n]."""
        return np.argsort(self.single, kind="stable").astype(np.int32)

    @cached_property
    def start(self) -> np.ndarray:
        """Where each class begins in `by_class`, int64 [C]."""
        return np.cumsum(self.counts) - self.counts

    @property
    def epochs(self) -> int:
        return max(1, -(-self.steps // max(1, self.steps_per_epoch)))

    def step_of(self, moment: int | float) -> int:
        """A whole number is a step already, a share of the stage becomes one."""
        return round(moment * self.steps) if isinstance(moment, float) else int(moment)


class Sampler(Protocol):
    """Rows of the training split, step by step."""

    def plan(self, first: int, count: int) -> np.ndarray:
        """Rows of the steps first .. first+count-1, int32 [count, batch], however the steps are cut."""
        ...

    def probabilities(self, step: int = 0) -> np.ndarray:
        """Class of one draw at this step: float64 [C], sums to 1."""
        ...


def share(weights: np.ndarray) -> np.ndarray:
    """Weights divided by their sum, float64."""
    weights = np.asarray(weights, np.float64)
    return weights / weights.sum()


class ByClass:
    """Independent draws: first the class, with given probabilities, then one of its rows, all alike.

    Args:
      draw: see `Draw`.
      weights: (counts of the classes that have rows, epoch) -> their weights, not normalised.
      changes: whether the weights depend on the epoch.
    """

    def __init__(self, draw: Draw, weights: Callable[[np.ndarray, int], np.ndarray], changes: bool = False):
        self.draw, self._weights, self._changes = draw, weights, changes
        self._classes = np.flatnonzero(draw.counts)
        self._counts = draw.counts[self._classes].astype(np.float64)
        self._start = draw.start[self._classes]
        self._rows = draw.by_class
        self._cdf = lru_cache(maxsize=4)(self._make_cdf)

    def _present(self, epoch: int) -> np.ndarray:
        return share(self._weights(self._counts, epoch))

    def _make_cdf(self, epoch: int) -> np.ndarray:
        cdf = np.cumsum(self._present(epoch))
        return cdf / cdf[-1]

    def _epoch(self, step: int) -> int:
        return min(step // max(1, self.draw.steps_per_epoch), self.draw.epochs - 1) if self._changes else 0

    def probabilities(self, step: int = 0) -> np.ndarray:
        full = np.zeros(self.draw.classes)
        full[self._classes] = self._present(self._epoch(step))
        return full

    def plan(self, first: int, count: int) -> np.ndarray:
        d = self.draw
        u = uniforms(d.seed, d.stream, first, count, 2 * d.batch)
        of_class, of_row = u[:, : d.batch], u[:, d.batch:]
        epochs = np.array([self._epoch(s) for s in range(first, first + count)]) if self._changes else None
        if epochs is None or count == 0 or epochs[0] == epochs[-1]:
            cdf = self._cdf(0 if epochs is None or count == 0 else int(epochs[0]))
            c = np.searchsorted(cdf, of_class, side="right")
        else:
            c = np.concatenate([np.searchsorted(self._cdf(int(e)), of_class[epochs == e], side="right")
                                for e in np.unique(epochs)])
        return self._rows[self._start[c] + (of_row * self._counts[c]).astype(np.int64)]


class Shuffled:
    """A list of rows, shuffled again and again: element p of the stream is in permutation p // len(list)."""

    def __init__(self, draw: Draw, rows: np.ndarray | None = None):
        self.draw = draw
        self._rows = np.arange(draw.rows, dtype=np.int32) if rows is None else np.asarray(rows, np.int32)
        self._order = lru_cache(maxsize=2)(self._make_order)

    def _make_order(self, number: int) -> np.ndarray:
        order = permutations(self.draw.seed, self.draw.stream, np.array([number]), len(self._rows))[0]
        return self._rows[order]

    def probabilities(self, step: int = 0) -> np.ndarray:
        d = self.draw
        if d.labels.ndim == 2:
            return share(np.count_nonzero(d.labels[self._rows], axis=0))
        return share(np.bincount(d.labels[self._rows], minlength=d.classes))

    def plan(self, first: int, count: int) -> np.ndarray:
        n, batch = len(self._rows), self.draw.batch
        at, end = first * batch, (first + count) * batch
        parts = [np.empty(0, np.int32)]
        while at < end:
            number, offset = divmod(at, n)
            part = self._order(number)[offset: offset + end - at]
            parts.append(part)
            at += len(part)
        return np.concatenate(parts).reshape(count, batch)
