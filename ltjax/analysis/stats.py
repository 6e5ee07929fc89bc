"""Means, spreads and t-intervals over seeds, and how they are printed: functions of arrays, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEVEL = 0.95
"""Default confidence of an interval."""

MISSING = "–"
"""What a table shows where there is no value; an unknown spread is '-'."""


@dataclass(frozen=True)
class Summary:
    """Mean over `n` seeds, sample standard deviation and interval of the mean (None where unknown)."""

    mean: float | None
    sd: float | None
    n: int
    low: float | None
    high: float | None
    level: float = LEVEL

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Paired:
    """Mean of `method - baseline` over `n` common seeds, spread, interval and how often it is positive."""

    mean: float | None
    sd: float | None
    n: int
    low: float | None
    high: float | None
    wins: int
    level: float = LEVEL

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def excludes_zero(self) -> bool:
        """True where the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def mean(values: Any) -> float | None:
    """Arithmetic mean, None without values."""
    x = _array(values)
    return float(x.mean()) if x.size else None


def standard_deviation(values: Any) -> float | None:
    """Sample standard deviation (divisor n-1), None for fewer than two values."""
    x = _array(values)
    return float(x.std(ddof=1)) if x.size > 1 else None


def t_interval(values: Any, level: float = LEVEL) -> tuple[float, float] | None:
    r"""Interval of the mean by Student's law, None for fewer than two values.

    .. math:: \bar x \pm t_{n-1}\!\left(\tfrac{1+\mathrm{level}}2\right) s / \sqrt n

    Args:
      values: one number per seed.
      level: confidence, strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} must lie strictly between 0 and 1, such as 0.95.")
    x = _array(values)
    if x.size < 2:
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(x.size - 1, (1 + level) / 2)) * float(x.std(ddof=1)) / math.sqrt(x.size)
    centre = float(x.mean())
    return centre - half, centre + half


def summary(values: Any, level: float = LEVEL) -> Summary:
    """Mean, spread and interval at once; the spread of a single seed is unknown, not zero."""
    x = _array(values)
    low, high = t_interval(x, level) or (None, None)
    return Summary(mean(x), standard_deviation(x), int(x.size), low, high, level)


def paired_difference(baseline: Any, method: Any, level: float = LEVEL) -> Paired:
    """Difference `method - baseline` seed by seed, with the t-interval of its mean.

    Args:
      baseline: one number per seed.
      method: the numbers of the same seeds in the same order.
      level: confidence of the interval.
    """
    a, b = _array(baseline), _array(method)
    if a.shape != b.shape:
        raise ValueError(f"A paired difference needs the same seeds twice, got {a.size} and {b.size} values.")
    d = summary(b - a, level)
    return Paired(d.mean, d.sd, d.n, d.low, d.high, int((b > a).sum()), level)


def format_mean(value: Summary, scale: float = 1.0, digits: int = 1) -> str:
    """`71.3 ± 0.6`: mean and sample standard deviation; `71.3 ± -` for one seed.

    >>> format_mean(summary([0.707, 0.719]), scale=100)
    '71.3 ± 0.8'
    >>> format_mean(summary([0.713]), scale=100)
    '71.3 ± -'
    """
    if value.mean is None:
        return MISSING
    spread = "-" if value.sd is None else f"{value.sd * scale:.{digits}f}"
    return f"{value.mean * scale:.{digits}f} ± {spread}"


def format_interval(low: float | None, high: float | None, scale: float = 1.0, digits: int = 1,
                    signed: bool = False) -> str:
    """`[70.1, 72.5]`, or `[-]` where the interval is unknown."""
    if low is None or high is None:
        return "[-]"
    sign = "+" if signed else ""
    return f"[{low * scale:{sign}.{digits}f}, {high * scale:{sign}.{digits}f}]"


def format_difference(value: Paired | None, scale: float = 1.0, digits: int = 1) -> str:
    """`+1.2 [+0.3, +2.1]`: mean paired difference and its interval.

    >>> format_difference(paired_difference([0.50, 0.52], [0.53, 0.54]), scale=100)
    '+2.5 [-3.9, +8.9]'
    """
    if value is None or value.mean is None:
        return MISSING
    bounds = format_interval(value.low, value.high, scale, digits, signed=True)
    return f"{value.mean * scale:+.{digits}f} {bounds}"


def _array(values: Any) -> np.ndarray:
    x = np.asarray(values if isinstance(values, np.ndarray | Sequence) else list(values), np.float64)
    if x.ndim != 1:
        raise ValueError(f"Statistics over seeds need one number per seed, got an array of shape {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError("Statistics over seeds need finite numbers; leave missing values out.")
    return x
