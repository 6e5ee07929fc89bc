"""Z-loss of the spherical family."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import in_column, is_label, wide
from ltjax.registry import register


@register("loss", "z_loss", cite="arXiv:1604.08859", test_logits="neither", extra_columns=True,
          bounds={"slope": (1e-6, 1e6), "offset": (-1e6, 1e6), "epsilon": (0.0, 1.0)}, probe={"epsilon": 0.1})
def z_loss(logits, labels, *, stats, slope=1.0, offset=0.0, epsilon=1e-12):
    r"""Classifies by the label's z-score among the logits: shift and scale of a row do not matter.

    .. math:: \mathrm{softplus}(a (b - \bar z_y)) / a, \quad \bar z = (z - \mu) / (\sigma + \epsilon)

    Args:
      logits: z [*b, k], no probabilities come of them: use argmax; labels: y [*b].
      stats: class counts, not used.
      slope: a; offset: b; epsilon: added to the population deviation sigma.
    A constant row has z-scores 0 and gradient 0. The authors' example sums over the batch.
    Reference: de Brebisson and Vincent 2016, arXiv:1604.08859.
    """
    z = wide(logits)
    z = z - jax.lax.stop_gradient(z.max(-1, keepdims=True))
    centred = z - z.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    varies = (jax.lax.stop_gradient(z.min(-1, keepdims=True)) < 0) & (variance > 0)
    deviation = jnp.sqrt(jnp.where(varies, variance, 1))
    score = jnp.where(varies, centred / (deviation + epsilon), 0)
    own = in_column(score, is_label(labels, z.shape[-1]))
    return jax.nn.softplus(slope * (offset - own)) / slope
