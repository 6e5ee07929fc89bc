"""The contrastive core: masked, weighted log-softmax over pairs, and unit rows."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def unit(x: jax.Array, axis: int = -1, floor: float = 1e-12) -> jax.Array:
    """x / max(|x|, floor); a zero vector stays zero and passes no gradient."""
    square = (x * x).sum(axis, keepdims=True)
    positive = square > 0
    norm = jnp.sqrt(jnp.where(positive, square, 1))
    return jnp.where(positive, x / jnp.maximum(norm, floor), 0)


def dots(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products of the rows of a [m, d] and b [n, d], never in reduced precision."""
    return jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)


def contrast(scores: jax.Array, positive: jax.Array, denominator: jax.Array, *,
             total: jax.Array | None = None) -> jax.Array:
    r"""Contrastive loss of every anchor.

    .. math:: -\frac{1}{t} \sum_j p_j \Big(s_j - \log\sum_k d_k e^{s_k}\Big), \quad t = \sum_j p_j

    Supervised and self-supervised contrast, queues, class centres and balanced denominators differ only in
    the columns and in these two weights.

    Args:
      scores: s [a, n], anchors against columns, divided by the temperature.
      positive: p [a, n]; a positive column need not stand in the denominator.
      denominator: d [a, n]; 0 removes a column, one over its class's count balances.
      total: t [a] instead of the sum of p.
    Returns:
      [a]; 0 for an anchor without positives.
    """
    positive, denominator = positive.astype(scores.dtype), denominator.astype(scores.dtype)
    present = denominator > 0
    shown = jnp.where(present, scores, jnp.finfo(scores.dtype).min)
    top = jax.lax.stop_gradient(shown.max(-1, keepdims=True))
    mass = (denominator * jnp.exp(shown - top)).sum(-1, keepdims=True)
    log_mass = jnp.where(mass > 0, top + jnp.log(jnp.where(mass > 0, mass, 1)), 0)
    pulled = jnp.where(positive > 0, positive * (scores - log_mass), 0).sum(-1)
    weight = positive.sum(-1) if total is None else total
    return jnp.where(weight > 0, -pulled / jnp.where(weight > 0, weight, 1), 0)
