"""Inverse square root of class counts."""

from ltjax.priors import mean_one
from ltjax.registry import register


@register("weights", "sqrt_inverse", normalised="mean_one")
def sqrt_inverse(*, stats):
    r"""Weights a class by one over the square root of n.

    .. math:: w_j \propto n_j^{-1/2}

    Rescaled to mean 1 over the classes, whatever the batch holds.
    Args:
      stats: n, class counts of the training split.
    """
    return mean_one(stats.counts**-0.5)
