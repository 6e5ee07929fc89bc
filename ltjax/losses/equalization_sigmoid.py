"""Equalization loss, sigmoid form."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import columns, is_label, wide
from ltjax.priors import per_class
from ltjax.registry import register


@register("loss", "equalization_sigmoid", cite="arXiv:2003.05176", test_logits="neither", extra_columns=True,
          bounds={"threshold": (0.0, 1.0)},
          probe={"threshold": 0.2, "frequency": lambda stats: tuple(stats.prior[::-1] * 1e-3)})
def equalization_sigmoid(logits, labels, *, stats, threshold=0.00177, frequency=()):
    r"""Sum of sigmoid cross-entropies in which rare classes are not pushed down by examples of others.

    .. math:: \sum_j w_j \mathrm{BCE}(z_j, t_j), \quad w_j = 1 - E\,[f_j < \lambda]\,(1 - t_j)

    Args:
      logits: z [*b, k].
      labels: y [*b]; a label of C or more is background: E = 0, every column is pushed down.
      stats: class counts, f is n / N unless given; columns beyond the classes always count.
      threshold: lambda, below it a class is rare (LVIS v0.5; 0.0011 for v1).
      frequency: f per class, such as the share of images that contain it.
    The mean is over the batch, not over the columns.
    Reference: Tan et al. 2020, arXiv:2003.05176.
    """
    z = wide(logits)
    share = per_class("equalization_sigmoid.frequency", frequency, stats, stats.prior, zero=True)
    rare = columns(share < threshold, z, fill=0.0) > 0
    true = is_label(labels, z.shape[-1])
    foreground = jnp.expand_dims(labels < stats.classes, -1)
    spared = foreground & rare & ~true
    return jnp.where(spared, 0, jax.nn.softplus(jnp.where(true, -z, z))).sum(-1)
