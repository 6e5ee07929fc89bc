"""Logarithm of the count ratio."""

import numpy as np

from ltjax.registry import register


@register("weights", "log_inverse", normalised="smallest_one")
def log_inverse(*, stats):
    r"""Weights the largest class by 1 and rarer ones by the log of the ratio more.

    .. math:: w_j = 1 - \log(n_j / n_{\max})

    Not rescaled: the smallest weight is 1.
    Args:
      stats: n, class counts of the training split.
    """
    return 1 - np.log(stats.counts / stats.counts.max())
