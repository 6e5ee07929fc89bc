"""Learning-rate factors over a stage, computed on the host in float64, one per epoch or step."""

from __future__ import annotations

import numpy as np

from ltjax.registry import ConfigError, register

_BOUNDS = {"warmup": (0.0, 1.0), "start": (0.0, 1.0), "ahead": (0, 1)}
_CHOICES = {"per": ("epoch", "step"), "ramp": ("linear", "peak")}


@register("schedule", "steps", bounds=_BOUNDS, choices=_CHOICES)
def steps(total, *, at=(0.8, 0.9), factors=(0.01, 0.0001), warmup=0.0, start=0.0, ramp="linear", ahead=0,
          per="epoch"):
    """Factors of the base rate from given shares of the stage on, after an optional warm-up.

    Args:
      at, factors: from `at[i]` (a share of the stage) on the rate is `factors[i]` times the base rate.
      warmup: share of the stage that warms up.
      start, ramp: `linear` is start + (1 - start) * n / W in the n-th of W units (start 1/3 for BBN and LADE);
        `peak` has `start` in the first unit and reaches 1 in the W-th (BALMS).
      ahead: 1 for loops that step their scheduler before the epoch.
      per: `epoch` or `step`: the unit that is counted.
    """
    if len(at) != len(factors):
        raise ConfigError(f"schedule steps: at={at} and factors={factors} must have equal length.")
    unit = np.arange(total) + ahead
    factor = np.ones(total)
    for share, value in sorted(zip(at, factors)):
        factor = np.where(unit >= round(share * total), value, factor)
    return _warm(factor, total, warmup, start, ramp)


@register("schedule", "cosine", cite="arXiv:1608.03983", bounds=_BOUNDS, choices=_CHOICES)
def cosine(total, *, warmup=0.0, start=0.0, ramp="linear", ahead=0, per="epoch", after_warmup=True):
    r"""Half a cosine from the base rate towards 0.

    .. math:: (1 + \cos(\pi t / T)) / 2

    Args:
      warmup, start, ramp, ahead, per: as in `steps`.
      after_warmup: t and T count from the end of the warm-up (otherwise over the whole stage).
    """
    begin = round(warmup * total) if after_warmup else 0
    t = np.maximum(np.arange(total) + ahead - begin, 0) / max(total - begin, 1)
    return _warm((1 + np.cos(np.pi * t)) / 2, total, warmup, start, ramp)


@register("schedule", "constant")
def constant(total, *, per="epoch"):
    """The base rate throughout."""
    return np.ones(total)


def _warm(factor, total, warmup, start, ramp):
    w, n = round(warmup * total), np.arange(total) + 1
    if ramp == "peak":
        return np.where(n < w, start + (1 - start) * (n - 1) / max(w - 1, 1), factor)
    return np.where(n < w + (start == 0), start + (1 - start) * n / max(w, 1), factor)


def rates(part, options, lr, epochs_of_step):
    """The learning rate of each step, float64, from the 0-based epoch of each step."""
    epochs_of_step = np.asarray(epochs_of_step)
    if options.get("per") == "step":
        return lr * part.fn(len(epochs_of_step), **options)
    return (lr * part.fn(int(epochs_of_step[-1]) + 1, **options))[epochs_of_step]
