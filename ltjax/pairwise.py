"""The pair core: divergences between distributions and cosines between vectors, row by row."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def divergence(p: jax.Array, log_q: jax.Array) -> jax.Array:
    r"""Kullback-Leibler divergence of given rows.

    .. math:: \sum_j p_j \log p_j - p_j \log q_j

    Args:
      p: [*b, k], need not sum to 1; entries of 0 contribute 0, whatever log q is.
      log_q: [*b, k].
    Returns:
      [*b].
    """
    some = p > 0
    return jnp.where(some, p * (jnp.log(jnp.where(some, p, 1)) - jnp.where(some, log_q, 0)), 0).sum(-1)


def kl(logits_p: jax.Array, logits_q: jax.Array, temperature=1.0) -> jax.Array:
    """KL(softmax(z_p / T) || softmax(z_q / T)) [*b], T a scalar or broadcasting; T^2 is the caller's."""
    log_p = jax.nn.log_softmax(logits_p / temperature)
    return (jnp.exp(log_p) * (log_p - jax.nn.log_softmax(logits_q / temperature))).sum(-1)


def cosine(a: jax.Array, b: jax.Array, *, floor: float = 0.0, add: float = 0.0) -> jax.Array:
    """a.b / (max(|a|, floor) max(|b|, floor) + add) over the last axis; 0 if a vector is zero."""
    square_a, square_b = (a * a).sum(-1), (b * b).sum(-1)
    some = (square_a > 0) & (square_b > 0)
    norm_a, norm_b = jnp.sqrt(jnp.where(some, square_a, 1)), jnp.sqrt(jnp.where(some, square_b, 1))
    below = jnp.maximum(norm_a, floor) * jnp.maximum(norm_b, floor) + add
    return jnp.where(some, (a * b).sum(-1) / below, 0)
