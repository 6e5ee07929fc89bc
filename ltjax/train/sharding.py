"""Data parallelism: one mesh axis, `jit(shard_map(...))`, and the only door of a part to other devices' rows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.layers.varying import varying_axes
from ltjax.registry import ConfigError

AXIS = "data"


def make_mesh(devices: int = 0) -> jax.sharding.Mesh:
    """A mesh over the first `devices` devices (0: all of them), with the axis `data`."""
    have = jax.devices()
    if devices > len(have):
        raise ConfigError(f"config.run.devices={devices}: this machine has {len(have)} {have[0].platform} device(s).")
    return jax.make_mesh((devices or len(have),), (AXIS,), axis_types=(AxisType.Auto,),
                         devices=have[: devices or len(have)])


def replicated(mesh) -> NamedSharding:
    return NamedSharding(mesh, P())


def check_batch(name: str, batch: int, devices: int) -> None:
    """One sentence if a global batch cannot be cut into equal parts."""
    if batch % devices:
        fit = [b for b in range(batch, 0, -1) if b % devices == 0][:1] or [devices]
        raise ConfigError(f"{name}={batch} cannot be divided by {devices} devices; use {fit[0]}, another "
                          f"multiple of {devices}, or run.devices=k with k dividing {batch}.")


class Across:
    """Other devices' rows, inside `shard_map` over the axis `data`; global order is device order."""

    def gather(self, x):
        """All devices' rows, with gradient."""
        return lax.all_gather(x, AXIS, tiled=True)

    def same(self, x):
        """All devices' rows without gradient, replicated: what a state may be updated from."""
        x = lax.stop_gradient(x)
        n = lax.axis_size(AXIS)
        if jnp.issubdtype(x.dtype, jnp.bool_):
            return self.same(x.astype(jnp.int32)).astype(bool)
        whole = jnp.zeros((n * x.shape[0], *x.shape[1:]), x.dtype)
        start = lax.axis_index(AXIS) * x.shape[0]
        return lax.psum(lax.dynamic_update_slice_in_dim(varying(whole), varying(x), start, 0), AXIS)

    def total(self, x):
        """The sum over devices, replicated, with gradient."""
        return lax.psum(x, AXIS)

    def first(self, b):
        """The first global row of mine, where every device has `b` rows."""
        return lax.axis_index(AXIS) * b


def varying(tree):
    """Marks replicated values as this device's own: their gradients then stay local until they are summed.

    Without it the gradient with respect to a replicated value arrives already summed, silently.
    """
    def mark(x):
        return x if AXIS in varying_axes(x) else lax.pcast(x, AXIS, to="varying")

    return jax.tree.map(mark, tree)


def mean_over_devices(x):
    """The mean over devices of a batch-level value, so that it counts once."""
    return lax.pmean(varying(x), AXIS)
