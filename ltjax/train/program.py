"""One compiled program per stage: a loop on the device with a traced trip count over a plan of fixed shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec as P

from ltjax import registry
from ltjax.config import canonical
from ltjax.models.network import Network, initialiser
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.sharding import AXIS, replicated
from ltjax.train.state import TrainState, carry_over, check_pattern, flat, overlay, split
from ltjax.train.step import Update, transformation

PER_SEED = ("rows", "other", "draws")
"""Entries of a feed that have a leading seed axis when several seeds share one program."""


def network_of(exp: Experiment, stage: ReadyStage):
    """The stage's network: the experiment's trunk under the stage's head."""
    part, options = exp.model
    head, head_options = registry.bind("head", stage.head)
    return Network(part.fn(**options), head.fn(classes=exp.stats.classes, **head_options))


def over_seeds(function, seeds: int, exp: Experiment):
    """`function(mapped, shared)` over the leading seed axis of `mapped`; one seed has no such axis.

    Seeds of models that are made of matrix products run side by side on accelerators. Convolutions of several
    networks become a grouped one, which took 1.4 times as long as one network after another on a GPU (4 ResNet-32)
    and three times on CPU: such models, and all on CPU, run in turn inside the same program.
    """
    if seeds == 1:
        return function
    if jax.default_backend() == "cpu" or not exp.model[0].meta.get("side_by_side"):
        return lambda mapped, shared: lax.map(lambda m: function(m, shared), mapped)
    return jax.vmap(function, in_axes=(0, None))


class Program:
    """Runs up to `capacity` steps of a stage per call; any trip count shares one compilation and gives equal bits."""

    def __init__(self, exp: Experiment, stage: ReadyStage, mesh, *, seeds: int, capacity: int, rows: int,
                 masked: bool, draws: bool):
        self.capacity, self.log_rows, self.seeds = capacity, rows, seeds
        self._names: list[str] | None = None
        teacher = teacher_of(stage.networks["teacher"]).network if "teacher" in stage.networks else None
        self.update = Update(exp, stage, network_of(exp, stage), masked, teacher)
        lead = (None,) if seeds > 1 else ()
        by_row, whole = P(*lead, None, None, AXIS), P()
        mapped = {"rows": by_row}
        if stage.partner:
            mapped["other"] = by_row
        self.mapped_specs = {**mapped, "draws": whole} if draws else mapped
        specs = (whole, whole, self.mapped_specs, whole, whole, whole)
        # chunk lengths are traced, so the loop is a while_loop: nothing inside it is differentiated from outside
        self.run = jax.jit(jax.shard_map(self._chunk, mesh=mesh, in_specs=specs, out_specs=(whole, whole)),
                           donate_argnums=(0, 1))
        self.mesh = mesh

    def _chunk(self, state, log, mapped, shared, count, data):
        def one(mapped, shared):
            state, log, own = mapped
            own = {"draws": {}, **own}

            def body(i, carry):
                state, log = carry
                feed = jax.tree.map(lambda a: a[i], {**own, **shared})
                state, metrics = self.update(state, feed, data)
                return state, {k: log[k].at[feed["row"]].add(v.astype(log[k].dtype)) for k, v in metrics.items()}

            return lax.fori_loop(0, count, body, (state, log))

        return over_seeds(one, self.seeds, self.update.exp)((state, log, mapped), shared)

    def __call__(self, state, log, feed, count: int, data):
        """(state, log) after `count` steps of the feed; both are donated."""
        mapped = {k: feed[k] for k in self.mapped_specs}
        shared = {k: v for k, v in feed.items() if k not in PER_SEED}
        return self.run(state, log, mapped, shared, jnp.int32(count), data)

    def empty_log(self, names, dtype, open_row=None) -> dict[str, jax.Array]:
        """Sums for every log row of a chunk: zero, but for the first row those of a row that is still open."""
        shape = (self.seeds, self.log_rows) if self.seeds > 1 else (self.log_rows,)
        zeros = {name: jnp.zeros(shape, dtype) for name in names}
        if open_row is not None:
            zeros = {name: a.at[..., 0].set(open_row[name]) for name, a in zeros.items()}
        return jax.device_put(zeros, replicated(self.mesh))

    def metric_names(self, state, feed, data) -> list[str]:
        """Names of the metrics that a step returns, found once and without compiling."""
        if self._names is None:
            self._names = self._traced_names(state, feed, data)
        return self._names

    def _traced_names(self, state, feed, data) -> list[str]:
        pick = (lambda tree: jax.tree.map(lambda a: a[0], tree)) if self.seeds > 1 else (lambda tree: tree)
        own = pick({k: feed[k] for k in self.mapped_specs})
        shared = {k: v for k, v in feed.items() if k not in PER_SEED}

        def one(state, own, shared, data):
            first = jax.tree.map(lambda a: a[0], {"draws": {}, **own, **shared})
            return self.update(state, first, data)[1]

        specs = {k: P(None, None, AXIS) if k in ("rows", "other") else P() for k in own}
        mapped = jax.shard_map(one, mesh=self.mesh, in_specs=(P(), specs, P(), P()), out_specs=P())
        return sorted(jax.eval_shape(mapped, pick(state), own, shared, data))


class Kept:
    """The newest few compiled things by key, so that runs that are alike compile once."""

    def __init__(self, limit: int = 8):
        self._things: dict[Any, Any] = {}
        self._limit = limit

    def get(self, key, make):
        """What was made under this key, or what `make()` gives now."""
        if key not in self._things:
            if len(self._things) >= self._limit:
                self._things.pop(next(iter(self._things)))
            self._things[key] = make()
        return self._things[key]


_programs, _initialisers = Kept(), Kept()


def program_for(exp: Experiment, stage: ReadyStage, mesh, **shape) -> Program:
    """The stage's program; runs that differ only in their seed share one (and so compile once)."""
    key = (exp.identity, exp.dataset.info.get("train_sha256"), exp.stats, stage.index, stage.epoch_steps,
           tuple(d.id for d in mesh.devices.flat), str(jax.dtypes.canonicalize_dtype(float)), *sorted(shape.items()))
    return _programs.get(key, lambda: Program(without_examples(exp), stage, mesh, **shape))


def network_key(exp: Experiment, stage: ReadyStage) -> tuple:
    """What a stage's network and its inputs depend on."""
    data = exp.dataset
    return (canonical([exp.config["model"], stage.head]), exp.stats.classes, exp.float64,
            data.scale, tuple(data.mean), tuple(data.std), data.train["x"].shape[1:])


def without_examples(exp: Experiment) -> Experiment:
    """The experiment without the examples of its data (labels stay), so that what is kept of it is small."""
    train = {name: array for name, array in exp.dataset.train.items() if name != "x"}
    return replace(exp, dataset=replace(exp.dataset, train=train, val=None, test={}))


def start_stage(exp: Experiment, stage: ReadyStage, seed: int, before: TrainState | None,
                given: Mapping[str, Any] | None) -> TrainState:
    """The state with which a stage starts: a fresh optimiser, term states and networks; parameters and statistics stay.

    The first stage draws its parameters from the seed; later ones keep every tensor of equal path and shape that
    `reset` does not name. `given` replaces tensors by the caller's, statistics (`batch_stats/...`) among them.
    """
    dtype = jnp.float64 if exp.float64 else jnp.float32
    key = jax.random.key(seed)
    shape = (1, *exp.dataset.train["x"].shape[1:])
    network = network_of(exp, stage)
    make = _initialisers.get(network_key(exp, stage), lambda: initialiser(network, shape, dtype))
    model_state = jax.tree.map(lambda a: a.astype(dtype), dict(make(jax.random.fold_in(key, stage.index))))
    params = model_state.pop("params")
    where = f"stage {stage.name!r}"
    check_pattern(f"{where}: train", stage.train, flat(params))
    if before is not None:
        if stage.reset:
            check_pattern(f"{where}: reset", stage.reset, flat(params))
        params = carry_over(params, before.params, stage.reset)
        model_state = carry_over(model_state, before.model_state, None) if model_state else model_state
    given = flat(given or {})
    statistics = {name: value for name, value in given.items() if name.startswith("batch_stats/")}
    params = overlay(params, {k: v for k, v in given.items() if k not in statistics}, f"init of {where}")
    model_state = overlay(model_state, statistics, f"init of {where}")
    trained, _ = split(params, stage.train)
    terms = tuple(_term_state(exp, stage, e, network, params, model_state, jax.random.fold_in(key, 10_000 + k), dtype)
                  for k, e in enumerate(stage.entries))
    networks = {}
    if "ema" in stage.networks:
        networks["ema"] = {"params": params, "model_state": model_state}
    if "teacher" in stage.networks:
        fixed = teacher_of(stage.networks["teacher"])
        networks["teacher"] = {"params": fixed.params, "model_state": fixed.model_state}
    projection = stage.project[0].fn(**stage.project[1]).init(flat(params)) if stage.project else {}
    opt = transformation(stage.optim, trained).init(trained)
    learner = stage.learner[0].fn(**stage.learner[1]).init(exp.stats, dtype) if stage.learner else {}
    return TrainState(
        step=jnp.int32(0), params=params, model_state=model_state, opt=opt,
        terms=jax.tree.map(jnp.copy, terms), networks=jax.tree.map(jnp.copy, networks), project=projection,
        learner=learner,
        seed=key, halted=jnp.bool_(False))


@lru_cache(maxsize=4)
def teacher_of(run: str):
    """The fixed network of a stage: that of a finished run folder."""
    from ltjax.train.restore import restore

    return restore(run)


def _term_state(exp, stage, entry, network, params, model_state, key, dtype):
    if entry.is_loss:
        return ()
    x = jnp.zeros((1, *exp.dataset.train["x"].shape[1:]), dtype)
    outputs = jax.eval_shape(lambda p, s: network.apply({"params": p, **s}, x), params, model_state)
    spec = {"features": outputs["features"].shape[-1], "classes": exp.stats.classes,
            "rows": len(exp.dataset.train["label"]), "batch": exp.batch, "dtype": dtype,
            "projection": outputs["projection"].shape[-1] if "projection" in outputs else None}
    return entry.part.fn(**entry.options).init(key, spec)
