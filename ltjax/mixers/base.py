"""Mixers: a batch and its partner rows become one batch with two labels and a ratio per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ltjax.types import Batch, ClassStats, Context

Values = dict[str, Any]


class Mixer(NamedTuple):
    """What the step calls: `draw(key, batch, ctx) -> values`, then `mix(batch, values, stats, ctx) -> batch`.

    Both see local rows. `values` may be handed in instead of drawn. The mixed batch always has `label2`
    int [b] and `ratio` float [b], the weight of `label`; the partner rows are `batch["other"]`.
    """

    draw: Callable[[jax.Array, Batch, Context], Values]
    mix: Callable[[Batch, Values, ClassStats, Context], Batch]


class Mixed(NamedTuple):
    """What one kind of mixing computes: inputs, the partner's labels, the weight of the first label."""

    x: jax.Array
    label2: jax.Array
    ratio: jax.Array


def windowed(draw: Callable[[jax.Array, Batch, Context], Values],
             mix: Callable[[Batch, Values, ClassStats], Mixed],
             *, probability: float, after: int, until: int | None) -> Mixer:
    """A mixer that acts in the steps after <= step < until, there with the given probability per batch.

    The drawn values get `on`, one bool for the whole batch, equal on all devices. Where it is false the batch
    keeps its inputs, `label2` is `label` and `ratio` is 1. Values handed in without `on` always mix.
    """

    def draw_on(key: jax.Array, batch: Batch, ctx: Context) -> Values:
        coin, inner = jax.random.split(key)
        on = (jnp.asarray(ctx.step) >= after) & (jax.random.uniform(coin) < probability)
        if until is not None:
            on &= jnp.asarray(ctx.step) < until
        return {**draw(inner, batch, ctx), "on": on}

    def mix_on(batch: Batch, values: Values, stats: ClassStats, ctx: Context) -> Batch:
        mixed = mix(batch, values, stats)
        on = jnp.asarray(values.get("on", True))
        label = batch["label"]
        ratio = jnp.broadcast_to(jnp.asarray(mixed.ratio), label.shape)
        ratio = ratio.astype(jnp.promote_types(ratio.dtype, jnp.float32))
        return {**batch,
                "x": jnp.where(on, mixed.x, batch["x"]),
                "label2": jnp.where(on, mixed.label2.astype(label.dtype), label),
                "ratio": jnp.where(on, ratio, jnp.ones_like(ratio))}

    return Mixer(draw_on, mix_on)


def rows(v: jax.Array, x: jax.Array) -> jax.Array:
    """A number per batch or per row, in the dtype and with the rank of x [b, ...]."""
    v = jnp.asarray(v).astype(x.dtype)
    return v.reshape(v.shape + (1,) * (x.ndim - 1)) if v.ndim else jnp.broadcast_to(v, x.shape)


def blend(x: jax.Array, other: jax.Array, ratio: jax.Array) -> jax.Array:
    """ratio * x + (1 - ratio) * other, ratio one number or one per row."""
    share = rows(ratio, x)
    return share * x + (1 - share) * other


def row_keys(key: jax.Array, batch: Batch, ctx: Context) -> jax.Array:
    """One key per row, folded with the row's place in the global batch."""
    b = batch["label"].shape[0]
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(ctx.across.first(b) + jnp.arange(b))


def class_counts(stats: ClassStats, labels: jax.Array, dtype) -> jax.Array:
    """Training counts of the rows' classes."""
    return jnp.asarray(stats.counts, dtype)[labels]
