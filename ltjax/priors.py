"""Arithmetic of class counts that every room shares: float64 on the host, NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ltjax.registry import ConfigError
from ltjax.types import ClassStats


def effective_number(counts: np.ndarray | Sequence[float], beta: float) -> np.ndarray:
    r"""Effective number of examples per class.

    .. math:: E_n = (1 - \beta^n) / (1 - \beta)

    Args:
      counts: n, examples per class.
      beta: 0 gives ones, towards 1 it tends to n.
    Reference: Cui et al. 2019, arXiv:1901.05555, section 3.

    >>> effective_number([1, 2, 3], 0.5).tolist()
    [1.0, 1.5, 1.75]
    """
    n = np.asarray(counts, np.float64)
    if not 0 <= beta <= 1:
        raise ConfigError(f"beta={beta} is out of range: the effective number of examples accepts 0 to 1.")
    if beta in (0, 1):
        return np.ones_like(n) if beta == 0 else n.copy()
    return -np.expm1(n * np.log(beta)) / (1 - beta)


def margins(counts: np.ndarray | Sequence[float], max_margin: float = 0.5) -> np.ndarray:
    r"""Margin per class, largest for the rarest.

    .. math:: \Delta_j = m \, (n_{\min} / n_j)^{1/4}

    Args:
      counts: n, examples per class.
      max_margin: m, the margin of the rarest class.
    Reference: Cao et al. 2019, arXiv:1906.07413, section 3.
    """
    n = np.asarray(counts, np.float64)
    return max_margin * (n.min() / n) ** 0.25


def mean_one(weights: np.ndarray) -> np.ndarray:
    """Rescales class weights to mean 1 over the classes, that is to sum C (never over a batch)."""
    return weights * (weights.size / weights.sum())


def groups(stats: ClassStats, thresholds: tuple[float, float] = (100, 20)) -> dict[str, np.ndarray]:
    """Shot groups by training count: many above the first threshold, few below the second, medium between.

    >>> {name: ids.tolist() for name, ids in groups(ClassStats([500, 100, 20, 19])).items()}
    {'many': [0], 'medium': [1, 2], 'few': [3]}
    """
    many, few = thresholds
    if many < few:
        raise ConfigError(f"thresholds={thresholds} must fall: the first bounds 'many', the second 'few'.")
    n = stats.counts
    return {
        "many": np.flatnonzero(n > many),
        "medium": np.flatnonzero((n <= many) & (n >= few)),
        "few": np.flatnonzero(n < few),
    }


def per_class(name: str, values: Sequence[float], stats: ClassStats, default: np.ndarray, *,
              zero: bool = False) -> np.ndarray:
    """A user's option with one positive number per class (or 0, if allowed); an empty one gives the default."""
    given = np.asarray(values, np.float64)
    if given.size == 0:
        return default
    if given.shape != (stats.classes,):
        raise ConfigError(f"{name} has {given.size} entries, but the data has {stats.classes} classes: "
                          "give one number per class, or none for the default.")
    if not (np.isfinite(given).all() and (given > 0).all() | (zero and (given >= 0).all())):
        raise ConfigError(f"{name}={given.tolist()[:10]} must hold finite numbers "
                          f"{'that are not negative' if zero else 'above 0'}.")
    return given
