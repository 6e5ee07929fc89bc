"""Calibration: does the confidence match the share of hits, over all, by class and by shot group."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltjax.metrics.groups import FEW, group_of_class, mean
from ltjax.metrics.proper import brier_rows, log_softmax, nll_rows


def bin_sums(confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """Count, hits and summed confidence of each equal-width bin (lo, hi] of [0, 1]; float64 [bins, 3].

    A confidence of exactly 0 belongs to the first bin. Sums of parts of the data add up.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    columns = (np.ones_like(confidence), right, confidence)
    return np.stack([np.bincount(place, c, minlength=bins) for c in columns], axis=1)


def mass_sums(confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """The same sums for bins that hold equally many examples; the first n mod bins hold one more."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, bins)
    return np.array([[len(p), right[p].sum(), confidence[p].sum()] for p in parts], np.float64)


def gaps(sums: np.ndarray) -> tuple[float | None, float | None]:
    """Expected and maximal calibration error of a table of bins: sum n_b/n |acc_b - conf_b|, max |...|."""
    count = sums[:, 0]
    if not count.sum():
        return None, None
    gap = np.abs(sums[:, 1] - sums[:, 2])
    return float(gap.sum() / count.sum()), float((gap / np.maximum(count, 1)).max())


def bin_table(sums: np.ndarray) -> dict[str, Any]:
    """ECE with the bins behind it, as results record it; empty bins hold 0, as in the authors' tables."""
    count = np.maximum(sums[:, 0], 1)
    return {"value": gaps(sums)[0], "bins": len(sums), "binning": "equal_width",
            "count": sums[:, 0].astype(int).tolist(), "confidence": (sums[:, 2] / count).tolist(),
            "accuracy": (sums[:, 1] / count).tolist()}


def calibration(logits, labels, *, counts, num_bins: int = 15, many: float = 100,
                few: float = 20) -> dict[str, Any]:
    """Calibration errors, their bins and the proper scores, all in float64.

    The class-wise error compares column p_k with [y = k] over all examples and averages over all classes,
    those without test examples too. Group values look at the examples whose true class is in the group; the
    signed overconfidence, mean confidence less accuracy, shows what cancels in the plain error.

    Args:
      logits: float [n, c]; labels: int [n].
      counts: training examples per class, for the groups.
      num_bins: M.
    Reference: MiSLAS (Zhong et al. 2021), `utils/metric.py: calibration`, for ECE, MCE and the bins.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels)
    p = np.exp(log_softmax(z))
    confidence, right = p.max(1), (p.argmax(1) == y).astype(np.float64)
    sums = bin_sums(confidence, right, num_bins)
    ece, mce = gaps(sums)
    table = bin_table(sums)
    hits = [(y == k).astype(np.float64) for k in range(p.shape[1])]
    classwise = [gaps(bin_sums(p[:, k], hit, num_bins))[0] for k, hit in enumerate(hits)]
    classwise_mass = [gaps(mass_sums(p[:, k], hit, num_bins))[0] for k, hit in enumerate(hits)]
    group = group_of_class(counts, many=many, few=few)[y]
    members = [group == g for g in range(FEW + 1)]
    nll = nll_rows(z, y)
    class_nll = [nll[y == k].mean() if (y == k).any() else np.nan for k in range(p.shape[1])]
    return {
        "ece": ece, "mce": mce, "bin_counts": table["count"],
        "bin_accuracy": table["accuracy"], "bin_confidence": table["confidence"],
        "ece_mass": gaps(mass_sums(confidence, right, num_bins))[0],
        "classwise_ece": mean(np.array(classwise, np.float64)), "classwise_ece_per_class": classwise,
        "classwise_ece_mass": mean(np.array(classwise_mass, np.float64)),
        "group_ece": [gaps(bin_sums(confidence[m], right[m], num_bins))[0] for m in members],
        "group_overconfidence": [mean(confidence[m] - right[m]) for m in members],
        "overconfidence": mean(confidence - right),
        "brier": mean(brier_rows(z, y)), "nll": mean(nll), "balanced_nll": mean(np.array(class_nll)),
    }
