"""Accuracy under another class prior, from the class sums: no sub-sampling, hence no sampling noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltjax.metrics.groups import NAMES, group_of_class, mean, per_class_accuracy
from ltjax.registry import ConfigError


def shift_name(shift: int) -> str:
    """`forward_50` for 50, `backward_50` for -50, `uniform` for 1 and -1."""
    return "uniform" if abs(shift) == 1 else f"{'forward' if shift > 0 else 'backward'}_{abs(shift):g}"


def shift_prior(counts, shift: int) -> np.ndarray:
    r"""Test prior of the test-agnostic protocol, float64 [C].

    .. math:: \pi_r \propto |s|^{-r/(C-1)}

    Args:
      counts: training examples per class; r is a class's rank by them, 0 for the largest (the first on ties).
      shift: s, the ratio of largest to smallest: positive runs with the training set (forward), negative
        against it (backward), 1 is uniform.
    Reference: SADE (Zhang et al. 2022), which rounds to whole test examples; LADE (Hong et al. 2021).
    """
    if abs(shift) < 1:
        raise ConfigError(f"config.eval.shifts has {shift!r}; a shift is an imbalance ratio of at least 1, "
                          "negative for the reverse of the training set, such as (50, 1, -50).")
    counts = np.asarray(counts)
    rank = np.empty(counts.size)
    rank[np.argsort(-counts, kind="stable")] = np.arange(counts.size)
    if shift < 0:
        rank = counts.size - 1 - rank
    weight = float(abs(shift)) ** (-rank / max(1, counts.size - 1))
    return weight / weight.sum()


def under_prior(seen: np.ndarray, sums: np.ndarray, prior: np.ndarray) -> float | None:
    """sum_k prior_k * sums_k / seen_k over the classes with test examples, their prior rescaled to 1."""
    known = seen > 0
    share = prior[known].sum()
    return float((prior[known] / share * sums[known] / seen[known]).sum()) if share > 0 else None


def effective_sample_size(seen: np.ndarray, prior: np.ndarray) -> float | None:
    """How many equally weighted examples the estimate rests on: (sum w)^2 / sum w^2 over the examples."""
    known = seen > 0
    share = prior[known].sum()
    return float(share**2 / (prior[known] ** 2 / seen[known]).sum()) if share > 0 else None


def prior_weighted_accuracy(predictions, labels, *, counts, target_prior, many: float = 100,
                            few: float = 20) -> dict[str, Any]:
    r"""Accuracy as it would be under another test prior.

    .. math:: \sum_k \pi_k \mathrm{acc}_k = \sum_i w_{y_i} [\hat y_i = y_i] / \sum_i w_{y_i},
              w_k = \pi_k / \hat\pi_k

    Args:
      predictions, labels: int [n]; counts: training examples per class, for the groups.
      target_prior: pi, rescaled to sum 1.
    Reference: LADE (Hong et al. 2021), `weighted_mic_acc_cal`.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    prior = np.asarray(target_prior, np.float64)
    prior = prior / prior.sum()
    seen = np.bincount(labels, minlength=prior.size)
    missing = np.flatnonzero((seen == 0) & (prior > 0))
    if missing.size:
        raise ValueError(f"{missing.size} classes with positive target prior have no test example (first: "
                         f"{missing[:5].tolist()}); set their prior to 0 or add test examples.")
    hits = np.bincount(labels[predictions == labels], minlength=prior.size)
    accuracy, group = per_class_accuracy(seen, hits), group_of_class(counts, many=many, few=few)
    total = under_prior(seen, hits, prior)
    return {
        "class_weight": [float(t * seen.sum() / s) if s else None for t, s in zip(prior, seen)],
        "accuracy": total, "per_class_combination": total,
        **{NAMES[g]: mean(accuracy[group == g]) for g in range(3)},
        "effective_sample_size": effective_sample_size(seen, prior),
    }
