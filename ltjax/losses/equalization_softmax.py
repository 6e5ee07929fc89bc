"""Equalization loss, softmax form."""

import jax

from ltjax.losses.stable import columns, cross_entropy, draw, wide
from ltjax.registry import register


@register("loss", "equalization_softmax", cite="arXiv:2003.05176", test_logits="neither", extra_columns=True,
          draws=("mask",), bounds={"gamma": (0.0, 1.0), "threshold": (0.0, 1.0)},
          probe={"threshold": 0.2, "gamma": {"threshold": 0.2, "gamma": 0.3}})
def equalization_softmax(logits, labels, *, stats, key, mask=None, gamma=0.9, threshold=0.005):
    r"""Spares rare classes, at random, from being pushed down by examples of others.

    .. math:: \log\textstyle\sum_k w_k e^{z_k} - z_y, \quad w_k = 1 - \beta_k [\pi_k < \lambda] [k \ne y]

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: class counts, the prior pi is n / N; columns beyond the classes always push.
      key: for beta ~ Bernoulli(gamma) per entry; one key, or one per row.
      mask: beta [*b, k] itself, instead of a draw.
      gamma: how often a rare class is spared; threshold: lambda, below it a class is rare.
    The authors publish the sigmoid form only; this follows the paper and a re-implementation.
    Reference: Tan et al. 2020, arXiv:2003.05176.
    """
    z = wide(logits)
    if mask is None:
        mask = draw(lambda k, s: jax.random.bernoulli(k, gamma, s), key, z.shape, "equalization_softmax")
    rare = columns(stats.prior < threshold, z, fill=0.0)
    return cross_entropy(z, labels, keep=mask * rare == 0)
