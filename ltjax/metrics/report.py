"""The metrics of one run: everything that a results table needs, from logits and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ltjax.metrics.auc import one_vs_rest
from ltjax.metrics.calibration import bin_table
from ltjax.metrics.groups import NAMES, group_of_class, macro_f1, mean, per_class_accuracy
from ltjax.metrics.proper import log_softmax
from ltjax.metrics.shifts import effective_sample_size, shift_name, shift_prior, under_prior
from ltjax.metrics.sums import ClassSums, class_sums
from ltjax.types import ClassStats

ROWS = 4096
"""Rows whose probabilities are held in float64 at a time."""

MOST_CONFUSION = 1000
"""Up to so many classes the confusion matrix is kept."""


def evaluate(logits, labels, *, stats: ClassStats, groups: Sequence[float] = (100, 20), bins: int = 15,
             shifts: Sequence[int] = ()) -> dict[str, Any]:
    """All metrics of a test set as plain numbers and lists; None where there is nothing to measure.

    Classes without test examples are left out of every mean over classes. Computed in float64 whatever the
    dtype of the logits; ties go to the first class. `auc` is the plain mean over classes of one class against
    the rest. A shift weighs the classes by another test prior (`shift_prior`).

    Args:
      logits: float [n, k]; columns beyond the classes of `stats` are ignored.
      labels: int [n].
      stats: training counts; they alone decide the groups.
      groups: thresholds: many has more training examples than the first, few less than the second.
      bins: equal-width bins of the calibration error.
      shifts: imbalance ratios of shifted test priors, such as (50, 1, -50).
    """
    logits, labels = _checked(logits, labels, stats)
    confusion = stats.classes <= MOST_CONFUSION
    parts = [class_sums(logits[i: i + ROWS], labels[i: i + ROWS], classes=stats.classes, bins=bins,
                        confusion=confusion) for i in range(0, max(len(labels), 1), ROWS)]
    total = sum(parts[1:], parts[0])
    report = summarise(total, stats=stats, groups=groups, shifts=shifts)
    report["auc"] = mean(one_vs_rest(_log_probabilities(logits), labels)) if len(labels) else None
    return report


def summarise(sums: ClassSums, *, stats: ClassStats, groups: Sequence[float] = (100, 20),
              shifts: Sequence[int] = ()) -> dict[str, Any]:
    """The metrics of `evaluate` that follow from class sums: all but `auc`."""
    n = int(sums.seen.sum())
    accuracy = per_class_accuracy(sums.seen, sums.correct)
    group = group_of_class(stats.counts, many=groups[0], few=groups[1])
    priors = {shift_name(s): shift_prior(stats.counts, s) for s in shifts}
    return {
        "n": n,
        "accuracy": _ratio(sums.correct.sum(), n),
        "balanced_accuracy": mean(accuracy),
        **{NAMES[g]: {"classes": int((group == g).sum()), "accuracy": mean(accuracy[group == g])}
           for g in range(3)},
        "groups": {"convention": "decoupling", "many": float(groups[0]), "few": float(groups[1])},
        "absent_classes": int((sums.seen == 0).sum()),
        "per_class": {"seen": sums.seen.tolist(), "correct": sums.correct.tolist()},
        "macro_f1": macro_f1(sums.seen, sums.correct, sums.predicted),
        "nll": _ratio(sums.nll.sum(), n),
        "brier": _ratio(sums.brier.sum(), n),
        "ece": bin_table(sums.bins),
        "confusion": sums.confusion.tolist() if sums.confusion.size else None,
        "shifts": {name: {"accuracy": under_prior(sums.seen, sums.correct, prior),
                          "nll": _finite(under_prior(sums.seen, sums.nll, prior)),
                          "effective_sample_size": effective_sample_size(sums.seen, prior)}
                   for name, prior in priors.items()},
    }


def _checked(logits, labels, stats: ClassStats) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.shape[1] < stats.classes:
        raise ValueError(f"evaluate needs logits [n, classes or more] and labels [n], got {logits.shape} and "
                         f"{labels.shape} for {stats.classes} classes.")
    if labels.size and (labels.min() < 0 or labels.max() >= stats.classes):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, which is outside "
                         f"0..{stats.classes - 1}; leave padding rows out.")
    logits = logits[:, : stats.classes]
    bad = ~np.isfinite(logits.max(1))  # one NaN or +inf in the row, or -inf everywhere
    if bad.any():
        raise ValueError(f"{int(bad.sum())} of {len(logits)} rows have a logit that is not finite; the model "
                         "has diverged.")
    return logits, labels


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    out = np.empty(logits.shape)
    for i in range(0, len(logits), ROWS):
        out[i: i + ROWS] = log_softmax(logits[i: i + ROWS].astype(np.float64))
    return out


def _ratio(total, n: int) -> float | None:
    return _finite(total / n) if n else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
