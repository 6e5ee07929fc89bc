"""The objective of a stage: entries on the network's outputs -> one global ratio, new term states, metrics."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ltjax.registry import ConfigError
from ltjax.train.experiment import ReadyEntry
from ltjax.types import Context, Sum


def total_loss(entries, outputs, batch, states, context, draws, total, mean):
    """Sum over entries of weight * total(num) / total(den).

    Args:
      context: part name -> Context with the part's own key.
      total, mean: the sum and the mean over devices.

    Returns:
      The loss, the new states (one per entry), and each entry's value before its weight.
    """
    loss, new_states, values = 0.0, [], {}
    for entry, state in zip(entries, states):
        ctx = context(entry.name)
        active = (ctx.step >= entry.after) & (ctx.step < entry.until)
        seen = jax.tree.map(lambda o, on=active: jnp.where(on, o, lax.stop_gradient(o)),  # else 0 * inf outside
                            select_views(outputs, batch, entry.views))
        value, state, extra = _value(entry, seen, batch, state, ctx, draws.get(entry.part.name, {}), total, mean)
        value = jnp.where(active, value, 0)
        loss = loss + entry.weight * value
        new_states.append(state)
        values[entry.name] = value
        values |= {f"{entry.name}/{k}": mean(v) for k, v in extra.items()}
    return loss, tuple(new_states), values


def select_views(outputs, batch, views):
    """The outputs of the views that an entry names; a single one loses its axis."""
    if views is None or "views" not in batch:
        return outputs
    pick = views[0] if len(views) == 1 else jnp.asarray(views)
    return {k: (v if k in PER_NETWORK else v[:, pick] if k.startswith("expert_") else v[pick])
            for k, v in outputs.items()}


PER_NETWORK = ("classifier", "classifier_bias", "prototypes", "ema", "teacher")
"""Outputs that have no row axis."""


def _value(entry: ReadyEntry, outputs, batch, state, ctx: Context, draws, total, mean):
    """One entry's value over the global batch, its new state and its metrics."""
    mask = batch["mask"]
    mixed = "ratio" in batch
    if not mixed:
        value, state, extra = _call(entry, outputs, batch, state, ctx, draws, 0)
        return _reduce(entry, [(value, batch["label"], 1.0)], batch, mask, ctx, total, mean), state, extra
    ratio = batch["ratio"]
    first, state, extra = _call(entry, outputs, batch, state, ctx, draws, 0)
    if isinstance(first, Sum) or jnp.ndim(first) == 0:
        return _reduce(entry, [(first, batch["label"], 1.0)], batch, mask, ctx, total, mean), state, extra
    second_ctx = _folded(ctx, 1)
    second, state, _ = _call(entry, outputs, {**batch, "label": batch["label2"]}, state, second_ctx, draws, 1)
    pairs = [(first, batch["label"], ratio), (second, batch["label2"], 1 - ratio)]
    return _reduce(entry, pairs, batch, mask, ctx, total, mean), state, extra


def _folded(ctx: Context, number: int) -> Context:
    return Context(ctx.stats, ctx.step, ctx.epoch, ctx.progress, jax.random.fold_in(ctx.key, number), ctx.across,
                   ctx.extra)


def _call(entry: ReadyEntry, outputs, batch, state, ctx: Context, draws, call: int):
    own_weight = entry.part.meta.get("own_weight")
    if not entry.is_loss:
        batch = {**batch, "weight": _weights(entry, batch, batch["label"], ctx)} if own_weight else batch
        return state_apply(entry, state, outputs, batch, ctx)
    logits = outputs.get("expert_logits", outputs["logits"])
    target = batch[entry.part.meta.get("reads", "label")]
    tail = logits.shape[-1:] if entry.part.meta.get("reads") == "labels" else ()
    target = jnp.broadcast_to(target, (*logits.shape[:-1], *tail))
    supplied: dict[str, Any] = {"stats": ctx.stats}
    if "key" in entry.part.supplied:
        supplied["key"] = _row_keys(ctx, logits.shape[:-1])
    if own_weight:
        supplied["weight"] = jnp.broadcast_to(_weights(entry, batch, batch["label"], ctx), logits.shape[:-1])
    supplied = {k: v for k, v in supplied.items() if k in entry.part.supplied}
    options = {**entry.options, **{name: array[call] for name, array in draws.items()}}
    value = entry.part.fn(logits, target, **options, **supplied)
    if value.shape != logits.shape[:-1]:
        raise ConfigError(f"loss {entry.part.name!r} returned shape {value.shape}; one value per example, "
                          f"{logits.shape[:-1]}, is the contract (no mean inside).")
    if "expert_logits" in outputs:
        value = value.sum(0)
    return (value.mean(0) if value.ndim == 2 else value), state, {}


def _row_keys(ctx: Context, shape: tuple[int, ...]):
    """One key per value of a loss that draws, by its global row: the same numbers on any number of devices."""
    *lead, b = shape
    rows = ctx.across.first(b) + jnp.arange(b)
    places = jnp.arange(math.prod(lead))
    keys = jax.vmap(lambda i: jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(ctx.key, i), rows))(places)
    return keys.reshape(shape)


def state_apply(entry: ReadyEntry, state, outputs, batch, ctx: Context):
    """A term's own call; a value that is neither [b], Sum nor scalar is refused."""
    term = entry.part.fn(**entry.options)
    value, state, metrics = term.apply(state, outputs, batch, ctx)
    rows = batch["mask"].shape
    if not isinstance(value, Sum):
        while jnp.ndim(value) > 1 and value.shape[-1:] == rows:
            value = value.sum(0) if "expert_logits" in outputs and jnp.ndim(value) == 3 else value.mean(0)
        if jnp.ndim(value) != 0 and value.shape != rows:
            raise ConfigError(f"term {entry.part.name!r} returned shape {jnp.shape(value)}; one value per example "
                              f"{rows}, Sum(num, den) or a scalar is the contract.")
    return value, state, metrics


def _weights(entry: ReadyEntry, batch, label, ctx: Context):
    """Each row's weight: the class's (from `weights.after` on) times the batch's own."""
    weight = batch.get("weight", jnp.ones_like(batch["mask"]))
    if entry.table is not None:
        table = jnp.asarray(entry.table, weight.dtype)
        chosen = table[jnp.minimum(label, len(entry.table) - 1)]
        on = ctx.step >= entry.weights_after
        weight = weight * (jnp.where(on, chosen, 1) if entry.weights_after else chosen)
    return weight


def _reduce(entry: ReadyEntry, pairs, batch, mask, ctx: Context, total, mean):
    """total(num) / total(den) by the entry's normaliser; `pairs` holds (values, labels, ratio) once or twice."""
    value = pairs[0][0]
    if isinstance(value, Sum):
        return _ratio(total(value.num), total(value.den))
    if jnp.ndim(value) == 0:
        return mean(value)
    own = entry.part.meta.get("own_weight")
    nums, dens, plain = [], [], []
    for values, label, ratio in pairs:
        weight = jnp.ones_like(mask) if own else _weights(entry, batch, label, ctx)
        weight = weight * mask
        nums.append((jnp.where(mask > 0, values, 0) * weight * ratio).sum())
        dens.append((weight * ratio).sum())
        plain.append(weight.sum())
    if entry.normaliser == "batch":
        return _ratio(total(sum(nums)), total(mask.sum()))
    if entry.pairs == "each":
        return sum(_ratio(total(n), total(d)) for n, d in zip(nums, plain))
    return _ratio(total(sum(nums)), total(sum(dens)))


def _ratio(num, den):
    return num / jnp.where(den > 0, den, 1)
