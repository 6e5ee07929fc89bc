"""Counts relative to the rarest class."""

from ltjax.registry import register


@register("weights", "csce", normalised="largest_one", bounds={"gamma": (0.0, 1e2)})
def csce(*, stats, gamma=1.0):
    r"""Weights the rarest class by 1 and the others by less (cost-sensitive cross-entropy).

    .. math:: w_j = (n_{\min} / n_j)^\gamma

    Not rescaled: the largest weight is 1.
    Args:
      stats: n, class counts of the training split.
      gamma: exponent; 0.5 is the smooth variant.
    """
    return (stats.counts.min() / stats.counts) ** gamma
