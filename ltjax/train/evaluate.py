"""Evaluation and full passes: rows of the resident arrays, padded and masked, every example counted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.program import Kept, network_key, network_of, over_seeds, without_examples
from ltjax.train.sharding import AXIS
from ltjax.train.step import normalise
from ltjax.types import Context

BY_ROW = ("features", "logits", "expert_logits", "projection")
PER_RUN = ("classifier", "classifier_bias")


class Evaluator:
    """Outputs of a stage's network in evaluation mode: running statistics, no augmentation."""

    def __init__(self, exp: Experiment, stage: ReadyStage, mesh, seeds: int):
        self.exp, self.mesh, self.seeds = exp, mesh, seeds
        devices = mesh.devices.size
        self.batch = -(-exp.config["eval"]["batch"] // devices) * devices
        network, dtype = network_of(exp, stage), jnp.float64 if exp.float64 else jnp.float32

        def forward(variables, rows, data):
            x = normalise(data["x"][jnp.maximum(rows, 0)], exp.dataset, dtype)
            return network.apply(variables, x)

        self._forward = forward
        everywhere, by_row = NamedSharding(mesh, P()), NamedSharding(mesh, P(AXIS))
        self._shardings = (everywhere, by_row, everywhere)
        self._outputs = jax.jit(over_seeds(lambda v, shared: forward(v, *shared), seeds, exp),
                                in_shardings=(everywhere, (by_row, everywhere)))
        self.single = jax.jit(lambda v, shared: forward(v, *shared), in_shardings=(everywhere, (by_row, everywhere)))
        self._sums: dict[Callable, Callable] = {}

    def padded(self, first: int, count: int) -> list[np.ndarray]:
        """Rows first .. first+count in equal batches; -1 fills the last one."""
        whole = np.full(-(-count // self.batch) * self.batch, -1, np.int32)
        whole[:count] = np.arange(first, first + count)
        return list(whole.reshape(-1, self.batch))

    def outputs(self, params, model_state, first: int, count: int, data, names=("logits",)) -> list[dict[str, Any]]:
        """Per seed the named outputs as NumPy arrays over `count` resident rows from `first` on."""
        variables = {"params": params, **model_state}
        parts: list[dict[str, np.ndarray]] = []
        for rows in self.padded(first, count):
            out = self._outputs(variables, (rows, data))
            wanted = [n for n in (*names, *PER_RUN) if n in out]
            parts.append(jax.device_get({n: out[n] for n in wanted}))
        return [self._joined(parts, seed, count) for seed in range(self.seeds)]

    def _joined(self, parts, seed: int, count: int) -> dict[str, Any]:
        def pick(array):
            return array[seed] if self.seeds > 1 else array

        joined = {}
        for name in parts[0]:
            if name in PER_RUN:
                joined[name] = pick(parts[0][name])
            else:
                axis = 1 if name.startswith("expert_") else 0
                whole = np.concatenate([pick(p[name]) for p in parts], axis)
                joined[name] = whole[:, :count] if axis else whole[:count]
        return joined

    def passes(self, params, model_state, data, rows: int) -> Passes:
        """Full passes over the training split for a term's `refresh`, for one seed's parameters."""
        return Passes(self, {"params": params, **model_state}, data, rows)

    def summed(self, f: Callable) -> Callable:
        """The compiled `f(args, outputs, batch)` of one batch; compiled once per function."""
        if f not in self._sums:
            def one(variables, rows, data, args):
                outputs = self._forward(variables, rows, data)
                index = jnp.maximum(rows, 0)
                batch = {k: v[index] for k, v in data.items() if k != "x"}
                mask = (rows >= 0).astype(outputs["logits"].dtype)
                return f(args, outputs, {**batch, "index": index, "mask": mask})

            self._sums[f] = jax.jit(one, in_shardings=(*self._shardings, self._shardings[0]))
        return self._sums[f]


_evaluators = Kept()


def evaluator_for(exp: Experiment, stage: ReadyStage, mesh, seeds: int) -> Evaluator:
    """The evaluator of a stage; stages and runs with one network share it (and so compile once)."""
    key = (network_key(exp, stage), exp.config["eval"]["batch"], tuple(d.id for d in mesh.devices.flat), seeds)
    return _evaluators.get(key, lambda: Evaluator(without_examples(exp), stage, mesh, seeds))


class Passes:
    """What a term's `refresh` reads: sums over the training split, and arrays by row."""

    def __init__(self, evaluator: Evaluator, variables, data, rows: int):
        self._evaluator, self._variables, self._data, self._rows = evaluator, variables, data, rows

    def __call__(self, f: Callable, *args):
        """The sum of the pytree `f(args, outputs, batch)` over the split; `f` stands at module level."""
        one = self._evaluator.summed(f)
        total = None
        for rows in self._evaluator.padded(0, self._rows):
            value = one(self._variables, rows, self._data, args)
            total = value if total is None else jax.tree.map(jnp.add, total, value)
        return total

    def collect(self, names) -> dict[str, np.ndarray]:
        """The named outputs of every training row, in row order."""
        parts = []
        for rows in self._evaluator.padded(0, self._rows):
            out = self._evaluator.single(self._variables, (rows, self._data))
            parts.append(jax.device_get({n: out[n] for n in names}))
        return {n: np.concatenate([p[n] for p in parts])[: self._rows] for n in names}


def refreshed(exp: Experiment, stage: ReadyStage, state, passes: Passes, at: int):
    """One seed's state after the host code of the terms that recompute theirs from a full pass, before step `at`."""
    terms = list(state.terms)
    for number, entry in enumerate(stage.entries):
        refresh = None if entry.is_loss else entry.part.fn(**entry.options).refresh
        if refresh is not None:
            key = jax.random.fold_in(jax.random.fold_in(state.seed, 20_000 + number), stage.offset + at)
            ctx = Context(exp.stats, at, int(stage.epoch_of_step[at]), at / stage.steps, key)
            new = refresh(terms[number], passes, ctx)
            terms[number] = jax.tree.map(lambda old, a: jnp.asarray(a, old.dtype), terms[number], new)
    return state.replace(terms=tuple(terms))
