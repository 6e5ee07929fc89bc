"""Batch normalisation whose statistics do not depend on how many devices share the batch."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from ltjax.layers.precision import wide
from ltjax.layers.varying import replicated

Moments = tuple[Array, Array, Array]


class BatchNorm(nn.Module):
    r"""Normalises by the mean and variance of equal parts (groups) of the global batch.

    .. math:: y = \gamma (x - \mu_g) / \sqrt{\sigma_g^2 + \epsilon} + \beta

    Device i of n holds block i of the global batch. `groups=1` takes the statistics of all of it on any
    number of devices; `groups=k` takes those of its k consecutive parts, as k devices of a paper without
    synchronisation did. The running statistics move towards the mean of the groups' (mean, biased variance),
    so they are the same on every device. Rows with mask 0 count nowhere, a group without rows does not move
    the running statistics. PyTorch stores the unbiased variance; this stores the biased one.

    Attributes:
      groups: parts of the global batch; a multiple or a divisor of the device count.
      axis: mesh axis of `jax.shard_map` that the batch is shared over; None if every device has all its rows.
      momentum: share of the old running statistics that stays (PyTorch's momentum is 1 minus this).
      epsilon: added to the variance.
      dtype: of the output; None for that of the input.

    Reference: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """

    groups: int = 1
    axis: str | None = "data"
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        """Normalises `x` [b, ..., c] over all axes but the last; `mask` [b] is 1 for rows that count."""
        kind, width = wide(x.dtype), x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (width,), kind).astype(kind)
        bias = self.param("bias", nn.initializers.zeros, (width,), kind).astype(kind)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (width,), kind)
        running_var = self.variable("batch_stats", "var", jnp.ones, (width,), kind)

        value = x.astype(kind)
        if train:
            devices = _axis_size(self.axis)
            blocks = _local_groups(self.groups, devices, len(x))
            value = value.reshape(blocks, -1, width)
            count, mean, square = _moments(value, _weights(mask, x, blocks, kind), running_mean.value.astype(kind))
            if self.groups < devices:
                count, mean, square = _join(count, mean, square, self.axis, devices // self.groups)
            var = square / jnp.maximum(count, 1)
            if not self.is_initializing():
                old = (running_mean.value, running_var.value)
                new = _over_groups(count, mean, var, old, self.axis)
                running_mean.value, running_var.value = (
                    self.momentum * before + (1 - self.momentum) * after for before, after in zip(old, new))
        else:
            value = value.reshape(1, -1, width)
            mean, var = (v.value.astype(kind).reshape(1, width) for v in (running_mean, running_var))

        factor = scale[None] * lax.rsqrt(var + self.epsilon)
        value = (value - mean[:, None]) * factor[:, None] + bias[None, None]
        return value.reshape(x.shape).astype(self.dtype or x.dtype)


def unbiased_variance(variance, updates: int, values: int, momentum: float = 0.9):
    r"""A running variance as PyTorch stores it, from ours: for weights that go to or come from its modules.

    .. math:: u_T = m^T + (v_T - m^T) \, n / (n - 1)

    Both start at 1 and average batch variances; PyTorch multiplies each by n / (n - 1) before it averages. Networks
    that were trained there expect its form in evaluation mode.

    Args:
      variance: v, the biased running variance after `updates` (T) moves.
      values: n, the values that each batch variance is taken over (rows times positions), the same at each move.
      momentum: m, the share of the old variance that stays.
    """
    start = momentum ** updates
    return start + (variance - start) * (values / (values - 1))


def _axis_size(axis: str | None) -> int:
    if axis is None:
        return 1
    try:
        return lax.axis_size(axis)
    except NameError as error:
        raise ValueError(
            f"BatchNorm(axis={axis!r}) with train=True runs inside jax.shard_map over a mesh axis of that "
            "name (on one device too); set axis=None to train without one."
        ) from error


def _local_groups(groups: int, devices: int, rows: int) -> int:
    """How many groups (or parts of one) the rows of this device make."""
    if groups < 1 or (groups % devices and devices % groups):
        raise ValueError(f"BatchNorm: norm_groups={groups} must be a multiple or a divisor of the {devices} "
                         "devices that share the batch.")
    blocks = max(groups // devices, 1)
    if rows % blocks:
        raise ValueError(f"BatchNorm: norm_groups={groups} does not divide the global batch of "
                         f"{rows * devices} rows ({rows} on each of {devices} devices).")
    return blocks


def _weights(mask: Array | None, x: Array, blocks: int, kind) -> Array:
    """Weight of every value, [blocks, n, 1]."""
    if mask is None:
        mask = jnp.ones(len(x), kind)
    elif mask.shape != x.shape[:1]:
        raise ValueError(f"BatchNorm: mask has shape {mask.shape}, the input {x.shape} needs {x.shape[:1]}.")
    places = (len(x), math.prod(x.shape[1:-1]))
    return jnp.broadcast_to(mask.astype(kind)[:, None], places).reshape(blocks, -1, 1)


def _moments(value: Array, weight: Array, near: Array) -> Moments:
    """Count [k, 1], mean [k, c] and sum of squared deviations [k, c] of `value` [k, n, c].

    Both sums are taken in one pass over the data, of deviations from `near` [c]: any constant gives the same
    moments, and one close to the mean (the running one) loses no digits.
    """
    count, near = weight.sum(1), lax.stop_gradient(near).reshape(1, -1)
    off = value - near[None]
    first, second = (weight * off).sum(1), (weight * jnp.square(off)).sum(1)
    mean_off = first / jnp.maximum(count, 1)
    return count, near + mean_off, jnp.maximum(second - first * mean_off, 0)


def _join(count: Array, mean: Array, square: Array, axis: str | None, size: int) -> Moments:
    """Moments of my group of `size` neighbouring devices from each device's own (one collective)."""
    everyone = lax.all_gather(jnp.concatenate([count, mean, square], 1), axis, tiled=True)
    group = lax.axis_index(axis) // size
    mine = lax.dynamic_slice_in_dim(everyone, group * size, size)
    n, means, squares = jnp.split(mine, [1, 1 + mean.shape[1]], 1)
    total = n.sum(0, keepdims=True)
    centre = (n * means).sum(0, keepdims=True) / jnp.maximum(total, 1)
    return total, centre, (squares + n * jnp.square(means - centre)).sum(0, keepdims=True)


def _over_groups(count: Array, mean: Array, var: Array, old: tuple[Array, Array], axis: str | None):
    """Mean over the groups that have rows of (mean, variance), the same on all devices; `old` if none has."""
    full = (count > 0).astype(mean.dtype)
    sums = lax.stop_gradient(((full * mean).sum(0), (full * var).sum(0), full.sum()))
    total_mean, total_var, number = map(replicated, sums) if axis is None else lax.psum(sums, axis)
    return [jnp.where(number > 0, (total / jnp.maximum(number, 1)).astype(before.dtype), before)
            for total, before in zip((total_mean, total_var), old)]
