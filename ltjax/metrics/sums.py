"""Per-class sums of an evaluation: whatever part of the test set they come from, they add up exactly."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ltjax.metrics.calibration import bin_sums
from ltjax.metrics.proper import brier_rows, log_softmax, nll_rows


@dataclass(frozen=True)
class ClassSums:
    """Sums over test examples, by true class where nothing else is said; `a + b` joins two parts.

    Attributes:
      seen, correct, predicted: examples, hits, and examples predicted into the class; int64 [C].
      nll, brier: summed scores; float64 [C].
      bins: count, hits and summed confidence of each confidence bin; float64 [M, 3].
      confusion: examples of true class (row) and predicted class (column), int64 [C, C]; [0, 0] if not kept.
    """

    seen: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray
    nll: np.ndarray
    brier: np.ndarray
    bins: np.ndarray
    confusion: np.ndarray

    def __add__(self, other: ClassSums) -> ClassSums:
        return ClassSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def class_sums(logits: np.ndarray, labels: np.ndarray, *, classes: int, bins: int = 15,
               confusion: bool = True) -> ClassSums:
    """Sums of one part of a test set; logits beyond the first `classes` columns are ignored.

    Args:
      logits: float [n, k], k >= classes; labels: int [n].
      bins: M of the calibration table; confusion: whether to keep the confusion matrix.
    """
    z, y = np.asarray(logits, np.float64)[:, :classes], np.asarray(labels)
    predicted = z.argmax(1)
    hit = predicted == y
    confidence = np.exp(log_softmax(z).max(1))
    count = lambda v, w=None: np.bincount(v, w, minlength=classes)
    cells = np.bincount(y * classes + predicted, minlength=classes**2) if confusion else np.empty(0, np.int64)
    return ClassSums(
        seen=count(y), correct=count(y[hit]), predicted=count(predicted),
        nll=count(y, nll_rows(z, y)), brier=count(y, brier_rows(z, y)),
        bins=bin_sums(confidence, hit.astype(np.float64), bins),
        confusion=cells.reshape((classes, classes) if confusion else (0, 0)))
