"""A term on one device and on eight: the same rows, values, gradients and states must come out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from ltjax.layers.varying import varying_axes
from ltjax.types import Alone, ClassStats, Context, Sum

COUNTS = np.asarray([60, 25, 9, 4, 2])
STATS = ClassStats(COUNTS)
C, ROWS, BATCH, WIDTH, PROJECTED, STEPS = COUNTS.size, 32, 16, 6, 4, 2
PADDED = 3
SHARED = ("classifier",)
"""Outputs without a row axis."""


class Across:
    """The other devices' rows inside `shard_map` over the axis `data`."""

    def gather(self, x):
        return lax.all_gather(x, "data", tiled=True)

    def same(self, x):
        x = lax.stop_gradient(x)
        b, n = x.shape[0], lax.axis_size("data")
        mine = lax.dynamic_update_slice_in_dim(
            varying(jnp.zeros((n * b, *x.shape[1:]), x.dtype)), varying(x), self.first(b), 0)
        return lax.psum(mine, "data")

    def total(self, x):
        return lax.psum(x, "data")

    def first(self, b):
        return lax.axis_index("data") * b


def varying(tree):
    def mark(x):
        return x if "data" in varying_axes(x) else lax.pcast(x, "data", to="varying")

    return jax.tree.map(mark, tree)


def spec(dtype="float32") -> dict:
    return {"features": WIDTH, "classes": C, "rows": ROWS, "batch": BATCH, "dtype": jnp.dtype(dtype),
            "projection": PROJECTED}


def batches(dtype, needs=(), size=1.0):
    """`STEPS` triples of step, outputs and batch; the last rows are padding."""
    draws = np.random.default_rng(5)
    for step in range(STEPS):
        rows = draws.permutation(ROWS)[:BATCH]
        batch = {"label": rows % C, "index": rows.copy(), "mask": np.ones(BATCH),
                 "weight": 0.5 + draws.random(BATCH)}
        batch["mask"][-PADDED:], batch["index"][-PADDED:] = 0, -1
        yield jnp.int32(step), _network(draws, needs, size, dtype), {
            name: jnp.asarray(a, dtype if a.dtype.kind == "f" else "int32") for name, a in batch.items()}


def _network(draws, needs, size, dtype) -> dict:
    lead = (2,) if "views" in needs else ()
    widths = {"logits": C, "features": WIDTH, "projection": PROJECTED}
    outputs = {name: jnp.asarray(size * draws.normal(size=(*lead, BATCH, d)), dtype)
               for name, d in widths.items()}
    if "classifier" in needs:
        outputs["classifier"] = jnp.asarray(draws.normal(size=(C, WIDTH)), dtype)
    for network in {"ema", "teacher"} & set(needs):
        outputs[network] = _network(draws, set(needs) - {"ema", "teacher"}, size, dtype)
    return outputs


def objective(value, batch, total, mean):
    """The scalar that a value stands for: a weighted mean of rows, a ratio of sums, or the value itself."""
    if isinstance(value, Sum):
        return total(value.num) / total(value.den)
    if jnp.ndim(value) == 0:
        return mean(value)
    mask = batch["mask"]
    while value.ndim > 1:
        value = value.mean(0)
    return total(jnp.where(mask > 0, value, 0).sum()) / total(mask.sum())


def step_on_one(term, stats=STATS):
    """`(state, number, outputs, batch) -> (loss, gradients, state)` without any mesh."""
    def step(state, number, outputs, batch):
        ctx = Context(stats, number, 0.0, 0.0, jax.random.key(7), Alone())

        def f(outputs):
            value, new, _ = term.apply(state, outputs, batch, ctx)
            return objective(value, batch, lambda x: x, lambda x: x), new

        (loss, new), grads = jax.value_and_grad(f, has_aux=True)(outputs)
        return loss, grads, new

    return step


def step_on_many(term, outputs, devices=8):
    """The same over a mesh: rows are sharded, the state is replicated, `check_vma` holds both to it."""
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,))

    def layout(path, leaf):
        if path[-1].key in SHARED:
            return P()
        return P(*[None] * (leaf.ndim - 2), "data")

    placed = jax.tree_util.tree_map_with_path(layout, outputs)

    def step(state, number, outputs, batch):
        ctx = Context(STATS, number, 0.0, 0.0, jax.random.key(7), Across())

        def f(outputs):
            value, new, _ = term.apply(state, outputs, batch, ctx)
            return objective(value, batch, ctx.across.total, lambda x: lax.pmean(varying(x), "data")), new

        (loss, new), grads = jax.value_and_grad(f, has_aux=True)(varying(outputs))
        grads = jax.tree.map(lambda g, where: g if "data" in where else lax.psum(g, "data"), grads, placed)
        return loss, grads, new

    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(P(), P(), placed, P("data")),
                                 out_specs=(P(), placed, P())))


class Passes:
    """A training split of `ROWS` rows, read in two batches of which the second is padded."""

    def __init__(self, dtype="float32", order=None):
        draws = np.random.default_rng(9)
        label = np.arange(ROWS) % C
        self.label = label if order is None else np.argsort(order)[label]
        self.outputs = {"features": jnp.asarray(draws.normal(size=(ROWS, WIDTH)), dtype),
                        "logits": jnp.asarray(draws.normal(size=(ROWS, C)), dtype),
                        "projection": jnp.asarray(draws.normal(size=(ROWS, PROJECTED)), dtype)}
        self.dtype = dtype

    def __call__(self, f, *args):
        first, second = np.arange(20), np.concatenate([np.arange(20, ROWS), np.full(8, -1)])
        return jax.tree.map(jnp.add, self._one(f, args, first), self._one(f, args, second))

    def _one(self, f, args, rows):
        batch = {"label": jnp.asarray(self.label[rows], "int32"), "index": jnp.asarray(rows, "int32"),
                 "mask": jnp.asarray(rows >= 0, self.dtype)}
        return jax.jit(f)(args, {name: array[rows] for name, array in self.outputs.items()}, batch)

    def collect(self, names):
        return {name: np.asarray(self.outputs[name]) for name in names}
