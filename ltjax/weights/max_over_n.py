"""Counts relative to the largest class."""

from ltjax.registry import register


@register("weights", "max_over_n", normalised="smallest_one")
def max_over_n(*, stats):
    r"""Weights the largest class by 1 and the others by their ratio to it.

    .. math:: w_j = n_{\max} / n_j

    Not rescaled: the smallest weight is 1.
    Args:
      stats: n, class counts of the training split.
    """
    return stats.counts.max() / stats.counts
