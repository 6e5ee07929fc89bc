"""Values that travel between the parts: class statistics, context, batch-level sums (NumPy only)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

Batch = dict[str, Any]
"""A dict of arrays with fixed names: `x`, `label`, `mask`, `index`; where the setting has them `target`,
`labels`, `label_mask`, `domain`, `group`, `weight`, `label2`, `ratio`, `views`, `other`."""

Outputs = dict[str, Any]
"""What a network returns: `features`, `logits`, and where the head has them `expert_logits` [e,b,c],
`projection`, `prototypes`, `classifier` ([c,d] or [e,c,d]) and `classifier_bias`."""


class ClassStats:
    """Class counts of the training split: immutable, hashable, usable as a static argument of `jax.jit`.

    Whatever follows from counts is computed here and in `ltjax.priors` on the host in float64.

    >>> ClassStats([90, 9, 1]).prior.tolist()
    [0.9, 0.09, 0.01]
    """

    def __init__(self, counts, prior_smoothing: float = 0.0):
        array = np.asarray(counts)
        if array.ndim != 1 or array.size < 1:
            raise ValueError(f"class counts must be a list with one count per class, got shape {array.shape}.")
        values = array.astype(np.float64)
        if not np.all(np.isfinite(values)) or (values < 0).any():
            raise ValueError(f"class counts must be finite and not negative, got {array.tolist()[:10]}.")
        if prior_smoothing < 0:
            raise ValueError(f"prior_smoothing={prior_smoothing} must not be negative.")
        empty = np.flatnonzero(values == 0)
        if empty.size and prior_smoothing == 0:
            raise ValueError(
                f"{empty.size} of {values.size} classes have no training example (first: {empty[:5].tolist()}). "
                "Drop them from the task, or set data.prior_smoothing > 0."
            )
        self._key = (tuple((values + prior_smoothing).tolist()), float(prior_smoothing))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other) -> bool:
        return isinstance(other, ClassStats) and self._key == other._key

    def __repr__(self) -> str:
        return f"ClassStats({self.classes} classes, {self.counts.max():g} to {self.counts.min():g})"

    @cached_property
    def counts(self) -> np.ndarray:
        """Examples per class, float64, the smoothing included."""
        return self._frozen(np.array(self._key[0]))

    @property
    def classes(self) -> int:
        return len(self._key[0])

    @cached_property
    def prior(self) -> np.ndarray:
        return self._frozen(self.counts / self.counts.sum())

    @cached_property
    def log_prior(self) -> np.ndarray:
        return self._frozen(np.log(self.counts) - np.log(self.counts.sum()))

    @staticmethod
    def _frozen(array: np.ndarray) -> np.ndarray:
        array.flags.writeable = False
        return array


class Sum(NamedTuple):
    """Local sums over units that a term names itself (anchors, pairs, bags): mask and weights are the term's."""

    num: Any
    den: Any


class Alone:
    """The `across` of a single device: what a part sees when it is used outside the trainer."""

    def gather(self, x):
        return x

    def same(self, x):
        return x

    def total(self, x):
        return x

    def first(self, b):
        return 0


@dataclass(frozen=True)
class Context:
    """What the step tells a part: static class counts, traced time, the part's own key, the other devices.

    `step` and `epoch` count inside the stage; `progress` is the share of the stage that is done, in [0, 1).
    `across` is the only door to other devices' rows: `gather(x)` with gradient, `same(x)` without gradient
    and replicated, `total(x)`, `first(b)` the first global row of mine.
    """

    stats: ClassStats
    step: Any = 0
    epoch: Any = 0
    progress: Any = 0.0
    key: Any = None
    across: Any = field(default_factory=Alone)
    extra: Mapping[str, Any] = field(default_factory=dict)
