"""Inverse class counts."""

from ltjax.priors import mean_one
from ltjax.registry import register


@register("weights", "inverse", normalised="mean_one")
def inverse(*, stats):
    r"""Weights a class by 1/n.

    .. math:: w_j \propto 1 / n_j

    Rescaled to mean 1 over the classes, whatever the batch holds.
    Args:
      stats: n, class counts of the training split.
    """
    return mean_one(1 / stats.counts)
