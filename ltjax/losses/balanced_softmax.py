"""Balanced softmax."""

import numpy as np

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.registry import register


@register("loss", "balanced_softmax", cite="arXiv:2007.10740", test_logits="balanced", extra_columns=True,
          reduces_to_ce=True)
def balanced_softmax(logits, labels, *, stats):
    r"""Adds each class's log count in training, so that the plain logits are balanced at test time.

    .. math:: \mathrm{CE}(z + \log n, y)

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: n, class counts; a column beyond the classes counts as a class with one example.
    Reference: Ren et al. 2020, arXiv:2007.10740, section 3.1.
    """
    z = wide(logits)
    return cross_entropy(z + columns(stats.log_prior, z, fill=-np.log(stats.counts.sum())), labels)
