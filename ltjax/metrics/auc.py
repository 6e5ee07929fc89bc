"""Multi-class area under the ROC curve, by ranks."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata


def auc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """P(positive scores higher) + P(tie)/2 of each column, NaN without positives or without negatives.

    Args:
      scores: float [n, k]; positive: bool [n, k].
    """
    ranks = rankdata(scores, axis=0)
    n1 = positive.sum(0).astype(np.float64)
    n0 = len(scores) - n1
    above = (ranks * positive).sum(0) - n1 * (n1 + 1) / 2
    return np.where((n1 > 0) & (n0 > 0), above / np.maximum(n1 * n0, 1), np.nan)


def one_vs_rest(scores: np.ndarray, labels: np.ndarray, columns: int = 256) -> np.ndarray:
    """AUC of every class's column against all other examples, float64 [c]; NaN for absent classes."""
    classes = scores.shape[1]
    parts = [np.arange(start, min(start + columns, classes)) for start in range(0, classes, columns)]
    return np.concatenate([auc(scores[:, k], labels[:, None] == k[None, :]) for k in parts])


def roc_auc(probs, labels) -> dict[str, Any]:
    """The five multi-class forms; classes absent from the labels are None and left out of every mean.

    `ovr_macro` is the plain mean over classes against the rest, `ovr_weighted` weighs a class by its share
    of examples. `ovo_macro` (Hand and Till) is the mean over pairs of classes, on the examples of the two
    alone and in both directions: it does not depend on the class shares of the test set. `ovo_weighted`
    weighs a pair by its share of examples. `micro` takes all entries of the matrix as one problem.

    Args:
      probs: class scores, float [n, c]; rows need not sum to 1.
      labels: int [n].
    Reference: Hand and Till 2001; `roc_auc_score` of scikit-learn, which refuses absent classes.
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels)
    per_class = one_vs_rest(p, y)
    seen = np.bincount(y, minlength=p.shape[1]).astype(np.float64)
    known = ~np.isnan(per_class)
    pairs = []
    for i, j in combinations(np.flatnonzero(seen), 2):
        rows = (y == i) | (y == j)
        both = auc(p[rows][:, [i, j]], y[rows][:, None] == np.array([[i, j]]))
        pairs.append((both.mean(), rows.sum()))
    values, weights = np.array(pairs).T if pairs else (np.empty(0), np.empty(0))
    present = np.flatnonzero(seen)
    micro = auc(p[:, present].reshape(-1, 1), (y[:, None] == present[None, :]).reshape(-1, 1))[0]
    return {
        "per_class": [None if np.isnan(v) else float(v) for v in per_class],
        "ovr_macro": _average(per_class[known], np.ones(known.sum())),
        "ovr_weighted": _average(per_class[known], seen[known]),
        "ovo_macro": _average(values, np.ones(len(values))),
        "ovo_weighted": _average(values, weights),
        "micro": None if np.isnan(micro) else float(micro),
    }


def _average(values: np.ndarray, weights: np.ndarray) -> float | None:
    return float((values * weights).sum() / weights.sum()) if len(values) else None
