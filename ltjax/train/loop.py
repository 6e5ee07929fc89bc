"""The loop of a run: chunks of steps on the device; evaluation, refreshes, checkpoints and logs between them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.config import plain
from ltjax.data.base import split_record
from ltjax.registry import ConfigError
from ltjax.train import rundir
from ltjax.train.clock import Clock
from ltjax.train.evaluate import evaluator_for, refreshed
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.given import Given, checked_init, remembered
from ltjax.train.logbook import Logbook, val_row
from ltjax.train.plan import Plan, feed, resident
from ltjax.train.prepare import prepare
from ltjax.train.program import program_for, start_stage
from ltjax.train.progress import Progress, Silent
from ltjax.train.result import Result, conclude, read_back, score
from ltjax.train.resume import Saves, groups
from ltjax.train.sharding import check_batch, make_mesh, replicated
from ltjax.train.signals import Interrupted, NonFinite, graceful

CAPACITY = 256
"""Most steps of one call of a stage's program."""


def fit(config: Mapping[str, Any], *, seeds: Sequence[int] | None = None, init=None, plan=None, other=None,
        draws=None, steps_per_epoch=None, recipes: bool = False, progress: Progress | None = None,
        extend: str | Path | None = None) -> Any:
    """Trains a config and returns its `Result`; an unfinished run folder is resumed, a finished one is read.

    Args:
      config: what `get_config` or `ltjax.config.load` returned; `run.root=""` writes no folder.
      seeds: several seeds trained in one program; returns a list then. None is `config.seed` alone.
      init: one overlay of parameters and statistics per stage, `{"head/kernel": a, "batch_stats/trunk/bn1/var": b}`;
        of what a later stage starts anew, all or nothing.
      plan, other: rows of the training split, int [steps, batch], in place of the samplers; -1 is an empty slot.
      draws: part name -> name -> one entry per row of the plan, in place of a mixer's own random numbers; of a loss
        [calls, b, ...] per entry, since a mixed batch calls it once for each of its labels.
      steps_per_epoch: one list of step counts per stage, in place of floor(rows / batch).
      recipes: also take what the method's paper trained with (epochs, batch, augmentation).
      extend: a run folder from whose last checkpoint this config, with a longer budget, goes on.
    """
    float64 = plain(config)["run"]["dtype"] == "float64"
    with jax.enable_x64(True) if float64 else contextlib.nullcontext():
        exp = prepare(config, steps_per_epoch=steps_per_epoch, recipes=recipes)
        chosen = [exp.config["seed"]] if seeds is None else list(seeds)
        given = Given(exp, plan, other, draws)
        exp = remembered(exp, {"init": init, "plan": given.plan, "other": given.other, "draws": given.draws or None})
        results = Trainer(exp, chosen, given, init, progress or Silent(), extend).run()
    return results[0] if seeds is None else results


class Trainer:
    """Trains one experiment for one or several seeds that share a program."""

    def __init__(self, exp: Experiment, seeds: list[int], given: Given, init, progress: Progress, extend=None):
        self.exp, self.given, self.progress, self.extend = exp, given, progress, extend
        self.init = checked_init(exp, init)
        if len(set(seeds)) < len(seeds) or not all(isinstance(s, int | np.integer) and s >= 0 for s in seeds):
            raise ConfigError(f"seeds={seeds} must be different whole numbers from 0 on.")
        if extend is not None and len(seeds) != 1:
            raise ConfigError("--extend goes on with one seed; set run.vmap_seeds=1.")
        self.mesh = make_mesh(exp.config["run"]["devices"])
        check_batch("config.optim.batch" if given.plan is None else "plan: batch", given.batch, self.mesh.devices.size)
        self.dtype = jnp.float64 if exp.float64 else jnp.float32
        self.asked = seeds
        self.configs = {s: {**exp.config, "seed": s, "identity": exp.identity, "label": exp.label} for s in seeds}
        self.folders = {s: rundir.RunFolder(rundir.folder_of(exp.config, exp.identity, exp.label, s)) for s in seeds}
        self.seeds = [s for s in seeds if not self.folders[s].done]
        self.bad: dict[int, int] = {}

    def run(self) -> list[Result]:
        """Results in the order of the seeds asked for."""
        failed: NonFinite | None = None
        with contextlib.ExitStack() as stack:
            for s in self.seeds:
                self.folders[s].open(self.configs[s])
                stack.callback(self.folders[s].close)
            left = {s: self.folders[s] for s in self.seeds if not self.folders[s].done}
            results = {s: read_back(self.exp, self.folders[s], s) for s in self.asked if s not in left}
            for s in results:
                self.progress.note(f"{self.exp.label}, seed {s}: done already ({self.folders[s].path})")
            self.stop = stack.enter_context(graceful())
            stack.callback(self.progress.close)
            for together in groups(left):
                self.seeds, self.bad = together, {}
                try:
                    results |= {r.seed: r for r in self._train(stack)}
                except NonFinite as error:
                    failed = error
        if failed is not None:
            raise failed
        return [results[s] for s in self.asked]

    def open_for_measuring(self) -> None:
        """Puts the data on the device and opens the log: what a stage's program needs to be run or timed."""
        self.data, self.first_row = resident(self.exp.dataset, replicated(self.mesh))
        self.book = Logbook(self.exp, {s: self.folders[s] for s in self.seeds})

    def _train(self, stack: contextlib.ExitStack) -> list[Result]:
        self.clock = Clock()
        mine = {s: self.folders[s] for s in self.seeds}
        for folder in mine.values():
            folder.write("env.json", rundir.environment(self.mesh))
            folder.write("split.json", split_record(self.exp.dataset))
        self.open_for_measuring()
        self.saves = Saves(self.exp, mine, self._like)
        stack.callback(self.saves.close)
        stage, state, sums = self._where_to_begin()
        self.progress.start(self.exp.label, self.exp.steps, self.exp.batch * len(self.seeds))
        state = self._stage(stage, state, sums)
        for later in self.exp.stages[stage.index + 1:]:
            for folder in mine.values():
                folder.event("stage", stage=later.name, step=later.offset)
            state = self._stage(later, self._started(later, state), None)
        return self._conclude(state)

    # data and state --------------------------------------------------------------------------------------------

    def _stack(self, trees):
        """Seeds' trees as one, on every device."""
        tree = trees[0] if len(trees) == 1 else jax.tree.map(lambda *a: jnp.stack(a), *trees)
        return jax.device_put(tree, replicated(self.mesh))

    def _each(self, tree) -> dict[int, Any]:
        """Every seed's part of a tree."""
        if len(self.seeds) == 1:
            return {self.seeds[0]: tree}
        return {s: jax.tree.map(lambda a, k=k: a[k], tree) for k, s in enumerate(self.seeds)}

    def _started(self, stage: ReadyStage, before):
        olds = self._each(before) if before is not None else dict.fromkeys(self.seeds)
        return self._stack([start_stage(self.exp, stage, s, old, self.init[stage.index]) for s, old in olds.items()])

    def _like(self, stage: ReadyStage):
        """One seed's fresh state of a stage and the names of its log sums: what a checkpoint of it holds."""
        state = self._started(stage, None)
        return self._each(state)[self.seeds[0]], self._names(stage, state)

    def _names(self, stage: ReadyStage, state) -> list[str]:
        program = self._program(stage)
        return program.metric_names(state, self._feed(program, self._plans(stage), 0, 1), self.data)

    def _where_to_begin(self):
        """(stage, state, open log sums): where the folders stand, a shorter run's end, or the beginning."""
        found = self.saves.newest()
        if found is not None:
            step, stage, states, sums, refused = found
            self.saves.drop_after(step)
            for s in self.seeds:
                self.book.rewind(s, step)
                self.book.folders[s].event("resume", step=step, stage=stage.name, refused=refused)
            self.progress.note(f"{self.exp.label}: resuming at step {step} of {self.exp.steps}")
            return stage, self._stack(list(states.values())), sums and self._stack(list(sums.values()))
        for s in self.seeds:
            self.book.rewind(s, 0)
            self.book.folders[s].event("start", seed=s, **({"extended_from": str(self.extend)} if self.extend else {}))
        if self.extend is None:
            return self.exp.stages[0], self._started(self.exp.stages[0], None), None
        stage, state, log = self.saves.extended(Path(self.extend))
        for s in self.seeds:
            self.book.folders[s].write("config.json", {**self.configs[s], "extended_from": str(self.extend)})
        return stage, self._stack([state]), self._stack([log]) if self.book.is_open(stage, int(state.step)) else None

    # one stage -------------------------------------------------------------------------------------------------

    def _program(self, stage: ReadyStage):
        capacity = max(min(CAPACITY, stage.steps), 2)  # XLA simplifies a loop over one row and rounds otherwise
        return program_for(self.exp, stage, self.mesh, seeds=len(self.seeds), capacity=capacity,
                           rows=self.book.capacity(stage, capacity), masked=self.given.masked,
                           draws=bool(self.given.drawn_in(stage)))

    def _plans(self, stage: ReadyStage) -> list[Plan]:
        return [Plan(self.exp, stage, s, self.given, self.book.rows[stage.index]) for s in self.seeds]

    def _feed(self, program, plans, first: int, count: int):
        return feed(plans, first, count, program.capacity, np.dtype(self.dtype))

    def _stage(self, stage: ReadyStage, state, sums):
        """Runs a stage from wherever the state stands in it to its end; `sums` are those of an open log row."""
        program, plans = self._program(stage), self._plans(stage)
        self.evaluator = evaluator_for(self.exp, stage, self.mesh, len(self.seeds))
        if not stage.rates.any():
            self.progress.note(f"{self.exp.label}: stage {stage.name!r} has rate 0 throughout; raise optim.epochs.")
        ends = np.cumsum(stage.epoch_steps)
        names = self._names(stage, state)
        at, pace = int(jnp.max(state.step)), 0
        while at < stage.steps:
            if stage.refreshes and (at == 0 or at in ends):
                state = self._refresh(stage, state, at)
            limit = min(stage.boundary(at, self._every()) - at, program.capacity)
            count = min(limit, self.exp.config["run"]["chunk_steps"] or pace or 1)
            given = self._feed(program, plans, at, count)
            began = time.perf_counter()
            state, log = program(state, program.empty_log(names, self.dtype, sums), given, count, self.data)
            log = jax.device_get(log)
            pace = self.clock.chunk(pace, count, time.perf_counter() - began)
            stopped = self._stopped(stage, state)
            place, is_open, shown = self.book.write(stage, at, count, self._each(log), stopped)
            self.progress.step(stage.offset + at + count, shown)
            tail = {n: jnp.asarray(v[..., place], self.dtype) for n, v in log.items()}
            sums = tail if is_open else None
            at += count
            if len(self.bad) == len(self.seeds):
                raise NonFinite(self.bad)
            self._between(stage, state, at, ends, tail, is_open)
        return state

    def _every(self) -> list[int]:
        """Every how many epochs the host validates and saves."""
        validations = [self.exp.config["eval"]["every_epochs"]] if self.exp.dataset.val is not None else []
        return [self.exp.config["run"]["checkpoint_epochs"], *validations]

    def _refresh(self, stage: ReadyStage, state, at: int):
        """Host code of the terms that recompute their state from a full pass, per seed."""
        rows, each = len(self.exp.dataset.train["label"]), self._each(state).values()
        passes = [self.evaluator.passes(one.params, one.model_state, self.data, rows) for one in each]
        return self._stack([refreshed(self.exp, stage, one, own, at) for one, own in zip(each, passes)])

    # between chunks --------------------------------------------------------------------------------------------

    def _stopped(self, stage: ReadyStage, state) -> dict[int, int]:
        """Seeds that the guard stopped -> their step of this stage (below 0: of an earlier one)."""
        halted, steps = (np.atleast_1d(a) for a in jax.device_get((state.halted, state.step)))
        for s, over, step in zip(self.seeds, halted, steps):
            if over and s not in self.bad:
                self.bad[s] = stage.offset + int(step)
                self.book.folders[s].event("nonfinite", step=self.bad[s])
        return {s: step - stage.offset for s, step in self.bad.items()}

    def _between(self, stage: ReadyStage, state, at: int, ends, log, is_open: bool) -> None:
        """Validation, checkpoint, and a wish to stop, after `at` steps of the stage."""
        run, step, over = self.exp.config["run"], stage.offset + at, at == stage.steps
        epoch = stage.first_epoch + int(np.searchsorted(ends, at, side="right"))

        def due(every: int) -> bool:
            return at in ends and every > 0 and epoch % every == 0

        every = self.exp.config["eval"]["every_epochs"]
        if self.exp.dataset.val is not None and every and (over or due(every)):
            self._validate(stage, state, step, epoch)
        if over or due(run["checkpoint_epochs"]) or self.saves.late or self.stop.requested:
            states = {s: one for s, one in self._each(state).items() if s not in self.bad}
            self.saves.save(stage, step, states, self._each(log), is_open)
        if self.stop.requested and step < self.exp.steps:
            self.saves.wait()
            for s in self.seeds:
                self.book.folders[s].event("interrupted", step=step)
            raise Interrupted(step, self.exp.steps)

    def evaluated(self, state):
        """The state with the parameters and statistics that count: its own, or the averaged ones (`eval.network`)."""
        return state.replace(**state.networks["ema"]) if self.exp.config["eval"]["network"] == "ema" else state

    def _validate(self, stage: ReadyStage, state, step: int, epoch: int) -> None:
        labels, state = self.exp.dataset.val["label"], self.evaluated(state)
        outputs = self.evaluator.outputs(state.params, state.model_state, self.first_row["val"], len(labels), self.data)
        for (s, one), out in zip(self._each(state).items(), outputs):
            if s in self.bad:
                continue
            m = score(self.exp, out["logits"], labels)
            self.book.add(s, val_row(stage, step, epoch, m))
            if self.exp.config["eval"]["select"] == "best_val" and stage is self.exp.stages[-1]:
                self.saves.consider(s, float(m["balanced_accuracy"]), one)

    # the end ---------------------------------------------------------------------------------------------------

    def _conclude(self, state) -> list[Result]:
        """Reads the test split once and writes what a run ends with."""
        state = self.evaluated(state)
        if self.saves.best:
            last = {s: {"params": a.params, "model_state": a.model_state} for s, a in self._each(state).items()}
            best = [self.saves.best.get(s, (None, last[s]))[1] for s in self.seeds]
            state = state.replace(**{n: self._stack([b[n] for b in best]) for n in ("params", "model_state")})
        splits = self.exp.dataset.splits
        fitted = {part.meta.get("fit_on") for part, _ in self.exp.posthoc}
        wanted = [name for name in splits if name != "train" or "train" in fitted]
        names = ("logits", "features") if self.exp.posthoc else ("logits",)
        outputs = {n: self.evaluator.outputs(state.params, state.model_state, self.first_row[n],
                                             len(splits[n]["label"]), self.data, names) for n in wanted}
        self.saves.wait()
        cost, results = self.clock.costs(self.mesh.devices.flat[0], len(self.seeds)), []
        for k, (s, one) in enumerate(self._each(state).items()):
            if s not in self.bad:
                results.append(conclude(self.exp, s, self.book.folders[s], {n: o[k] for n, o in outputs.items()}, one,
                                        self.book.history[s], cost))
        if self.bad:
            raise NonFinite(self.bad)
        return results
