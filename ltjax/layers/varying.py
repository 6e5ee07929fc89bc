"""Which mesh axes a value depends on inside `jax.shard_map`, for the places where JAX cannot know itself."""

from __future__ import annotations

import jax
from jax import Array, lax


def varying_axes(x: Array) -> frozenset[str]:
    """Mesh axes along which devices may hold different values of `x`; empty outside `jax.shard_map`."""
    kind = jax.typeof(x)  # some releases call it manual_axis_type.varying, others vma
    return getattr(getattr(kind, "manual_axis_type", kind), "varying", getattr(kind, "vma", frozenset()))


def equally_varying(*arrays: Array) -> list[Array]:
    """Marks all arrays as varying over the same mesh axes.

    JAX does so for its own operations; a custom reverse rule would be refused the device-dependent gradient
    of a kernel that is the same on all devices.
    """
    axes = [varying_axes(a) for a in arrays]
    union = frozenset().union(*axes)
    return [lax.pcast(a, tuple(union - own), to="varying") if union - own else a
            for a, own in zip(arrays, axes)]


def replicated(x: Array) -> Array:
    """Marks as the same on all devices a value that is, though computed from ones marked as varying."""
    axes = varying_axes(x)
    return lax.pmax(x, tuple(axes)) if axes else x
