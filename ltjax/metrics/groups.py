"""Shot groups by training counts, and the summaries of class accuracies that long-tail papers print."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltjax.registry import ConfigError, nearest

MANY, MEDIUM, FEW, ZERO = range(4)
NAMES = ("many", "medium", "few", "zero")
CONVENTIONS = ("decoupling", "oltr", "mdlt")


def group_of_class(counts, *, many: float = 100, few: float = 20,
                   convention: str = "decoupling") -> np.ndarray:
    """Group of each class by its training count: 0 many, 1 medium, 2 few, 3 zero; int64 [C].

    Args:
      counts: training examples per class.
      many, few: thresholds.
      convention: who owns the thresholds themselves. `decoupling`: many above, few below. `oltr`: many from
        the threshold on, few up to it. `mdlt`: many above, few up to it, classes without examples apart.
    Reference: classifier-balancing (Kang et al. 2020), OLTR (Liu et al. 2019), MDLT (Yang et al. 2022).
    """
    if convention not in CONVENTIONS:
        raise ConfigError(f"convention={convention!r} of shot groups is unknown. "
                          f"{nearest(convention, CONVENTIONS)}Known: {', '.join(CONVENTIONS)}.")
    if few > many:
        raise ConfigError(f"groups=({many:g}, {few:g}) must be (many, few) with many >= few, "
                          "such as (100, 20).")
    n = np.asarray(counts, np.float64)
    is_many = n >= many if convention == "oltr" else n > many
    is_few = n < few if convention == "decoupling" else n <= few
    group = np.where(is_many, MANY, np.where(is_few, FEW, MEDIUM))
    return np.where(n == 0, ZERO, group) if convention == "mdlt" else group


def mean(values: np.ndarray) -> float | None:
    """Mean of the entries that are not NaN, None where there is none."""
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def per_class_accuracy(seen: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Accuracy of each class, NaN for classes without test examples; float64 [C]."""
    return np.where(seen > 0, correct / np.maximum(seen, 1), np.nan)


def macro_f1(seen: np.ndarray, correct: np.ndarray, predicted: np.ndarray) -> float | None:
    """Mean F1 over the classes that occur in the test labels; one that is never predicted counts 0."""
    return mean(np.where(seen > 0, 2 * correct / np.maximum(seen + predicted, 1), np.nan))


def shot_metrics(predictions, labels, *, counts, convention: str = "decoupling", many: float = 100,
                 few: float = 20, floor: float = 0.0) -> dict[str, Any]:
    """Accuracy of each shot group and the other means of class accuracies.

    A group's value is the plain mean over its classes that occur in the test labels, None if there is none.

    Args:
      predictions, labels: classes, int [n].
      counts: training examples per class; they alone decide the groups.
      floor: class accuracies below it are raised to it in the harmonic and geometric means; at 0 one class
        without a hit makes both 0.
    Reference: `shot_acc` of OLTR and of classifier-balancing, `shot_accuracy` of MDLT.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    classes = len(counts)
    group = group_of_class(counts, many=many, few=few, convention=convention)
    hit = predictions == labels
    seen = np.bincount(labels, minlength=classes)
    correct = np.bincount(labels[hit], minlength=classes)
    accuracy = per_class_accuracy(seen, correct)
    present = accuracy[seen > 0]
    raised = np.maximum(present, floor)
    by_group = {name: mean(accuracy[group == g]) for g, name in enumerate(NAMES)}
    groups = 4 if convention == "mdlt" else 3
    confusion = np.zeros((groups, groups), np.int64)
    np.add.at(confusion, (group[labels], group[predictions]), 1)
    return {
        "group_of_class": group.tolist(),
        "per_class_accuracy": [None if np.isnan(a) else float(a) for a in accuracy],
        **by_group,
        "micro_accuracy": float(hit.mean()) if hit.size else None,
        "balanced_accuracy": mean(accuracy),
        "harmonic_mean": _harmonic(raised),
        "geometric_mean": _geometric(raised),
        "worst_class": float(present.min()) if present.size else None,
        "std_over_classes": float(present.std()) if present.size else None,
        "macro_f1": macro_f1(seen, correct, np.bincount(predictions, minlength=classes)),
        "group_confusion_counts": confusion.tolist(),
        "group_confusion": [[float(v) / row.sum() if row.sum() else None for v in row] for row in confusion],
    }


def _harmonic(values: np.ndarray) -> float | None:
    if not values.size:
        return None
    return float(values.size / (1 / values).sum()) if values.min() > 0 else 0.0


def _geometric(values: np.ndarray) -> float | None:
    if not values.size:
        return None
    return float(np.exp(np.log(values).mean())) if values.min() > 0 else 0.0
