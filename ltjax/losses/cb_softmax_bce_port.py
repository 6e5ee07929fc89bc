"""The class-balanced "softmax" of a widely copied port: binary cross-entropies on softmax probabilities."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import in_column, is_label, log_sum_exp, of_label, wide
from ltjax.priors import effective_number, mean_one
from ltjax.registry import register


@register("loss", "cb_softmax_bce_port", cite="arXiv:2203.14197", test_logits="neither", extra_columns=True,
          bounds={"beta": (0.0, 1.0)})
def cb_softmax_bce_port(logits, labels, *, stats, beta=0.9999):
    r"""Reproduces the second stage of Weight Balancing; it is not the class-balanced loss.

    .. math:: -\frac{w_y}{k} \Big(\log p_y + \sum_{j \ne y} \log(1 - p_j)\Big), \quad p = \mathrm{softmax}(z)

    Args:
      logits: z [*b, k]; labels: y [*b]; stats: n, class counts.
      beta: of the effective number; its weights have mean 1 over the classes.
    Each logarithm is clamped at -100, without gradient there. The port's gradient also fades below
    p = 1e-12, which this one does not.
    Reference: Alshammari et al. 2022, arXiv:2203.14197, and its code.
    """
    z = wide(logits)
    k = z.shape[-1]
    top = is_label(z.argmax(-1), k)
    best = in_column(z, top)
    gap = log_sum_exp(z, top) - best
    log_p = jnp.where(top, 0, z - jnp.expand_dims(best, -1)) - jnp.expand_dims(jax.nn.softplus(gap), -1)
    small_p = jnp.where(top, 0, jnp.exp(log_p))
    log_not_p = jnp.where(top, -jnp.expand_dims(jax.nn.softplus(-gap), -1), jnp.log1p(-small_p))
    terms = jnp.where(is_label(labels, k), log_p, log_not_p)
    weight = of_label(mean_one(1 / effective_number(stats.counts, beta)), labels, z.dtype)
    return -weight * jnp.where(terms > -100, terms, -100).mean(-1)
