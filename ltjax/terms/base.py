"""What a term is, and what terms share: rows that count, pairs of local rows with all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ltjax.types import Batch, Context


class Term(NamedTuple):
    """A part of an objective, a pair of pure functions like an Optax transformation.

    Attributes:
      init: `(key, spec) -> state`; the spec names `features` (their width), `classes`, `rows` of the training
        split, the global `batch`, the `dtype` and the width of the `projection` or None.
      apply: `(state, outputs, batch, ctx) -> (value, state, metrics)` on this device's rows. The value is [b]
        (one per example), `Sum(num, den)` of local sums, or [] (the batch's value, equal on all devices). The
        state is equal on all devices: it moves through `ctx.across.same` and `ctx.across.total` only.
      refresh: `(state, passes, ctx) -> state`, host code at each epoch's start, or None.
    """

    init: Callable[[Any, dict], Any]
    apply: Callable[[Any, dict, Batch, Context], tuple[Any, Any, dict]]
    refresh: Callable[[Any, Any, Context], Any] | None = None


def no_state(key, spec: dict) -> dict:
    """The `init` of a term without memory."""
    return {}


def mask_of(batch: Batch, dtype) -> jax.Array:
    """1 for every row that is an example, 0 for padding."""
    if "mask" in batch:
        return batch["mask"].astype(dtype)
    return jnp.ones(batch["label"].shape, dtype)


def weight_of(batch: Batch, dtype) -> jax.Array:
    """The mask times the rows' weight, where the batch has one."""
    mask = mask_of(batch, dtype)
    return mask * batch["weight"].astype(dtype) if "weight" in batch else mask


def row_keys(ctx: Context, b: int) -> jax.Array | None:
    """One key per row of mine, by its global row: the same draws on any number of devices."""
    if ctx.key is None:
        return None
    return jax.vmap(jax.random.fold_in, (None, 0))(ctx.key, ctx.across.first(b) + jnp.arange(b))


class Pairs(NamedTuple):
    """My rows [b] against all rows [n] of the global batch."""

    same: jax.Array
    """[b, n]: both have one label."""
    other: jax.Array
    """[b, n]: the column is an example, and not the row itself."""


def pairs(batch: Batch, ctx: Context, dtype) -> Pairs:
    """Which of all rows share the label of mine, and which are examples other than myself."""
    label = batch["label"]
    b = label.shape[0]
    everyone = ctx.across.same(label)
    present = ctx.across.same(mask_of(batch, dtype)) > 0
    mine = ctx.across.first(b) + jnp.arange(b)
    myself = mine[:, None] == jnp.arange(everyone.shape[0])[None, :]
    return Pairs(label[:, None] == everyone[None, :], present[None, :] & ~myself)
