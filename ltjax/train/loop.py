"""The loop of a run: chunks of steps on the device; evaluation, refreshes, checkpoints and logs between them."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.data.base import split_record
from ltjax.registry import ConfigError
from ltjax.train import rundir
from ltjax.train.checkpoint import CheckpointError, Checkpoints
from ltjax.train.evaluate import Evaluator
from ltjax.train.plan import Given, Plan, feed
from ltjax.train.prepare import Experiment, ReadyStage, prepare
from ltjax.train.program import program_for, start_stage
from ltjax.train.progress import Progress, silent
from ltjax.train.result import Result, conclude, score
from ltjax.train.sharding import check_batch, make_mesh, replicated
from ltjax.train.signals import Interrupted, graceful
from ltjax.types import Context

CAPACITY = 256
CHUNK_SECONDS = 1.0


class NonFinite(RuntimeError):
    """The guard stopped a run: the loss or the update was not finite."""


def fit(config: Mapping[str, Any], *, seeds: Sequence[int] | None = None, init=None, plan=None, other=None,
        draws=None, steps_per_epoch=None, recipes: bool = False, progress: Progress | None = None,
        extend: str | Path | None = None) -> Any:
    """Trains a config and returns its `Result`; an unfinished run folder is resumed, a finished one is read.

    Args:
      config: what `get_config` or `ltjax.config.load` returned; `run.root=""` writes no folder.
      seeds: several seeds trained in one program; returns a list then. None is `config.seed` alone.
      init: one overlay of parameters per stage, `{"head/kernel": array}`.
      plan, other: rows of the training split, int [steps, batch], in place of the samplers.
      draws: part name -> name -> [steps, ...] in place of a mixer's or loss's own random numbers.
      steps_per_epoch: one list of step counts per stage, in place of floor(rows / batch).
      recipes: also take what the method's paper trained with (epochs, batch, augmentation).
      extend: a run folder from whose last checkpoint this config, with a longer budget, goes on.
    """
    float64 = config["run"]["dtype"] == "float64"
    with jax.enable_x64(True) if float64 else contextlib.nullcontext():
        exp = prepare(config, steps_per_epoch=steps_per_epoch, recipes=recipes)
        chosen = [exp.config["seed"]] if seeds is None else list(seeds)
        results = Trainer(exp, chosen, Given(exp, plan, other, draws), init, progress or silent(), extend).run()
    return results[0] if seeds is None else results


class Trainer:
    """Trains one experiment for one or several seeds that share a program."""

    def __init__(self, exp: Experiment, seeds: list[int], given: Given, init, progress: Progress, extend=None):
        self.exp, self.given, self.progress, self.extend = exp, given, progress, extend
        self.init = init if init is not None else [None] * len(exp.stages)
        if len(self.init) != len(exp.stages):
            raise ConfigError(f"init has {len(self.init)} entries, the method has {len(exp.stages)} stages.")
        self.mesh = make_mesh(exp.config["run"]["devices"])
        check_batch(exp.batch if given.plan is None else given.plan.shape[1], self.mesh.devices.size)
        self.dtype = jnp.float64 if exp.float64 else jnp.float32
        self.configs = {s: {**exp.config, "seed": s, "identity": exp.identity, "label": exp.label} for s in seeds}
        root = exp.config["run"]["root"]
        self.folders = {s: rundir.RunFolder(rundir.folder_of(root, self.configs[s], exp.label, s)) for s in seeds}
        self.all_seeds, self.seeds = seeds, [s for s in seeds if not self.folders[s].done]
        self.history: dict[int, list[dict[str, Any]]] = {s: [] for s in seeds}
        self.log_rows = _log_rows(exp)

    def run(self) -> list[Result]:
        """Results in the order of the seeds asked for."""
        results = {s: read_back(self.exp, self.folders[s], s) for s in self.all_seeds if s not in self.seeds}
        if self.seeds:
            with contextlib.ExitStack() as stack:
                for s in self.seeds:
                    self.folders[s].open(self.configs[s])
                    stack.callback(self.folders[s].close)
                self.stop = stack.enter_context(graceful())
                stack.callback(self.progress.close)
                results |= {r.seed: r for r in self._train(stack)}
        return [results[s] for s in self.all_seeds]

    def _train(self, stack) -> list[Result]:
        began = time.perf_counter()
        self.cost: dict[str, Any] = {"compile_s": 0.0, "steady_s": 0.0, "steady_steps": 0}
        self.bad: dict[int, int] = {}
        self.data, self.first_row = self._resident()
        keep = self.exp.config["run"]["keep"]
        self.saves = {s: Checkpoints(f / "ckpt", keep) for s, f in self.folders.items() if s in self.seeds and f.path}
        for save in self.saves.values():
            stack.callback(save.close)
        for s in self.seeds:
            self.folders[s].write("env.json", rundir.environment(self.mesh))
            self.folders[s].write("split.json", split_record(self.exp.dataset))
        self.best: Any = None
        state, index, log = self._resume_point()
        self.saved_at = time.monotonic()
        self.progress.start(self.exp.label, self.exp.steps, self.exp.batch * len(self.seeds))
        state = self._stage(self.exp.stages[index], state, log)
        for stage in self.exp.stages[index + 1:]:
            for s in self.seeds:
                self.folders[s].event("stage", stage=stage.name, step=stage.offset)
            state = self._stage(stage, self._started(stage, state), None)
        return self._conclude(state, began)

    # data and state --------------------------------------------------------------------------------------------

    def _resident(self):
        """All splits on the device once: train, val, test one after another; `first_row` tells where each begins."""
        splits = self.exp.dataset.splits
        first, at = {}, 0
        for name, split in splits.items():
            first[name], at = at, at + len(split["label"])
        names = [k for k in self.exp.dataset.train if k != "index" and all(k in s for s in splits.values())]
        arrays = {k: np.concatenate([s[k] for s in splits.values()]) for k in names}
        return jax.device_put(arrays, replicated(self.mesh)), first

    def _place(self, tree):
        return jax.device_put(tree, replicated(self.mesh))

    def _stack(self, states):
        tree = states[0] if len(states) == 1 else jax.tree.map(lambda *a: jnp.stack(a), *states)
        return self._place(tree)

    def _one(self, tree, k: int):
        """Seed k's part of a tree."""
        return tree if len(self.seeds) == 1 else jax.tree.map(lambda a: a[k], tree)

    def _started(self, stage: ReadyStage, before):
        olds = [None if before is None else self._one(before, k) for k in range(len(self.seeds))]
        return self._stack([start_stage(self.exp, stage, s, old, self.init[stage.index])
                            for s, old in zip(self.seeds, olds)])

    # resume ----------------------------------------------------------------------------------------------------

    def _resume_point(self):
        """(state, stage index, open log sums) of the newest step that every seed has and that verifies."""
        found = {s: dict(save.newest_readable()) for s, save in self.saves.items()}
        common = sorted(set.intersection(*(set(f) for f in found.values())), reverse=True) if found else []
        reasons = [f"step {step}: {why}" for save in self.saves.values() for step, why in save.quarantined.items()]
        for step in common:
            metas = [found[s][step] for s in self.seeds]
            if any(m is None for m in metas):
                reasons.append(f"step {step}: its record cannot be read")
                continue
            state, log, reason = self._restore(step, metas)
            if reason is None:
                for s in self.seeds:
                    self.history[s] = self.folders[s].truncate(step)
                    self.folders[s].event("resume", step=step, stage=metas[0]["stage"], refused=reasons)
                self.progress.note(f"resuming at step {step} of {self.exp.steps}")
                return state, metas[0]["stage"], log
            reasons.append(f"step {step}: {reason}")
        if reasons:
            places = ", ".join(str(f.path) for f in self.folders.values())
            raise CheckpointError(f"{places}: no checkpoint can be used ({'; '.join(reasons)}). Remove the folder to "
                                  "train anew, or set another run.root.")
        for s in self.seeds:
            self.history[s] = self.folders[s].truncate(0)
            self.folders[s].event("start", seed=s)
        if self.extend is not None:
            return self._extended(Path(self.extend))
        return self._started(self.exp.stages[0], None), 0, None

    def _restore(self, step: int, metas):
        stage = self.exp.stages[metas[0]["stage"]]
        state = self._started(stage, None)
        names = self._program(stage).metric_names(state, self._feed(stage, 0, 1), self.data)
        like_log = self._place({n: jnp.zeros((), self.dtype) for n in names})
        parts = []
        for k, s in enumerate(self.seeds):
            one = self._one(state, k)
            like = {"state": one, "log": like_log}
            if metas[k]["best"]:
                like["best"] = {"params": one.params, "model_state": one.model_state}
            tree, reason = self.saves[s].restore(step, self._place(like), metas[k])
            if reason is not None:
                return None, None, reason
            parts.append(tree)
        if metas[0]["best"]:
            self.best = ([m["best"] for m in metas], [p["best"] for p in parts])
        return self._stack([p["state"] for p in parts]), self._stack([p["log"] for p in parts]), None

    def _extended(self, run: Path):
        """Goes on from the last checkpoint of a finished or stopped run of a shorter budget."""
        if len(self.seeds) != 1:
            raise ConfigError("--extend goes on with one seed; set run.vmap_seeds=1.")
        save = Checkpoints(run / "ckpt")
        try:
            for step, meta in save.newest_readable():
                if meta is None:
                    continue
                stage = self.exp.stages[min(meta["stage"], len(self.exp.stages) - 1)]
                tree, reason = self._restore_from(save, step, stage, meta)
                if reason is None:
                    state = tree["state"]
                    if int(state.step) >= stage.steps:
                        raise ConfigError(f"--extend {run}: it already did {int(state.step)} steps of stage "
                                          f"{stage.name!r}; this config asks for {stage.steps}. Raise optim.epochs.")
                    for s in self.seeds:
                        self.folders[s].event("start", extended_from=str(run), step=step)
                        self.configs[s]["extended_from"] = str(run)
                        self.folders[s].write("config.json", self.configs[s])
                    return self._place(state), stage.index, None
        finally:
            save.close()
        raise CheckpointError(f"--extend {run}: it has no checkpoint that can be used.")

    def _restore_from(self, save, step, stage, meta):
        state = self._started(stage, None)
        names = self._program(stage).metric_names(state, self._feed(stage, 0, 1), self.data)
        like = {"state": state, "log": {n: jnp.zeros((), self.dtype) for n in names}}
        if meta["best"]:
            like["best"] = {"params": state.params, "model_state": state.model_state}
        return save.restore(step, self._place(like), meta)

    # one stage -------------------------------------------------------------------------------------------------

    def _program(self, stage: ReadyStage):
        asked = self.exp.config["run"]["chunk_steps"]
        capacity = min(asked or CAPACITY, stage.steps)
        rows = self.log_rows[stage.index]
        most = max(int(rows[min(i + capacity, len(rows)) - 1] - rows[i]) for i in range(len(rows))) + 1
        return program_for(self.exp, stage, self.mesh, seeds=len(self.seeds), capacity=capacity, rows=most,
                           masked=self.given.masked, draws=bool(self.given.draws))

    def _plans(self, stage):
        return [Plan(self.exp, stage, s, self.given, self.log_rows[stage.index]) for s in self.seeds]

    def _feed(self, stage, first, count, plans=None):
        return feed(plans or self._plans(stage), first, count, self._program(stage).capacity, np.dtype(self.dtype))

    def _stage(self, stage: ReadyStage, state, sums):
        """Runs a stage from wherever the state stands in it to its end; `sums` are those of an open log row."""
        program, plans = self._program(stage), self._plans(stage)
        self.evaluator = Evaluator(self.exp, stage, self.mesh, len(self.seeds))
        ends = np.cumsum(stage.epoch_steps)
        at, pace = int(jnp.max(state.step)), None
        names = program.metric_names(state, self._feed(stage, 0, 1, plans), self.data)
        while at < stage.steps:
            if stage.refreshes and (at == 0 or at in ends):
                state = self._refresh(stage, state, at)
            limit = min(self._boundary(stage, at, ends) - at, program.capacity)
            count = limit if self.exp.config["run"]["chunk_steps"] else min(limit, pace or 1)
            log = program.empty_log(names, self.dtype)
            if sums is not None:
                log = {k: _first_row(v, sums[k], len(self.seeds)) for k, v in log.items()}
            began = time.perf_counter()
            state, log = program(state, log, self._feed(stage, at, count, plans), count, self.data)
            log = jax.device_get(log)
            pace = self._clock(pace, count, time.perf_counter() - began)
            sums = self._write_log(stage, at, count, log)
            at += count
            self._guard(stage, state)
            self._between(stage, state, at, ends, sums)
        return state

    def _boundary(self, stage, at: int, ends) -> int:
        """The next step at which the host has to do something."""
        run, evals = self.exp.config["run"], self.exp.config["eval"]
        for number, end in enumerate(ends, start=1):
            epoch = stage.first_epoch + number
            due = (stage.refreshes or end == stage.steps
                   or (self.exp.dataset.val is not None and evals["every_epochs"] and epoch % evals["every_epochs"] == 0)
                   or (run["checkpoint_epochs"] and epoch % run["checkpoint_epochs"] == 0))
            if end > at and due:
                return int(end)
        return stage.steps

    def _clock(self, pace, count, spent):
        """Steps of the next chunk, about a second's worth; the first chunk pays for the compilation."""
        if pace is None:
            self.cost["compile_s"] += spent
            return max(1, min(8, CAPACITY))
        self.cost["steady_s"] += spent
        self.cost["steady_steps"] += count
        return max(1, int(CHUNK_SECONDS * count / max(spent, 1e-6)))

    def _write_log(self, stage, at, count, log):
        """Writes the log rows that are complete and returns the open one's sums (or None)."""
        rows = self.log_rows[stage.index]
        last = at + count - 1
        closed = last + 1 == len(rows) or rows[last + 1] != rows[last]
        for k, s in enumerate(self.seeds):
            mine = {n: (v[k] if len(self.seeds) > 1 else v) for n, v in log.items()}
            written = []
            for r in range(int(rows[at]), int(rows[last]) + (1 if closed else 0)):
                end = int(np.searchsorted(rows, r, side="right"))
                written.append(self._row(stage, end, {n: float(v[r - rows[at]]) for n, v in mine.items()}))
            self.history[s] += written
            self.folders[s].append("metrics.jsonl", written)
            shown = written[-1] if written else self._row(
                stage, last + 1, {n: float(v[rows[last] - rows[at]]) for n, v in mine.items()})
        self.progress.step(stage.offset + at + count, shown)
        if closed:
            return None
        row = int(rows[last] - rows[at])
        return {n: jnp.asarray(v[..., row], self.dtype) for n, v in log.items()}

    def _row(self, stage, end: int, sums: dict[str, float]) -> dict[str, Any]:
        good, seen = max(sums.pop("good"), 1.0), sums.pop("seen")
        correct, bad = sums.pop("correct"), sums.pop("bad")
        row = {"kind": "train", "step": stage.offset + end, "epoch": self._epoch(stage, end), "stage": stage.name,
               "lr": float(stage.rates[end - 1]), "accuracy": correct / seen if seen else None,
               **{n: v / good for n, v in sums.items()}}
        return {**row, "skipped": int(bad)} if bad else row

    def _epoch(self, stage, step: int) -> float:
        ends = np.cumsum((0, *stage.epoch_steps))
        done = int(np.searchsorted(ends, step, side="right")) - 1
        rest = step - ends[done]
        return round(stage.first_epoch + done + (rest / stage.epoch_steps[done] if rest else 0), 6)

    def _refresh(self, stage, state, at: int):
        """Host code of the terms that recompute their state from a full pass, per seed."""
        rows = len(self.exp.dataset.train["label"])
        states = []
        for k in range(len(self.seeds)):
            one = self._one(state, k)
            passes = self.evaluator.passes(one.params, one.model_state, self.data, rows)
            epoch = int(stage.epoch_of_step[at])
            terms = []
            for number, (entry, term) in enumerate(zip(stage.entries, one.terms)):
                made = None if entry.is_loss else entry.part.fn(**entry.options)
                if made is not None and made.refresh is not None:
                    key = jax.random.fold_in(jax.random.fold_in(one.seed, 20_000 + number), stage.offset + at)
                    ctx = Context(self.exp.stats, at, epoch, at / stage.steps, key)
                    like = jax.tree.map(lambda a: a.dtype, term)
                    new = made.refresh(term, passes, ctx)
                    term = jax.tree.map(lambda a, d: jnp.asarray(a, d), new, like)
                terms.append(term)
            states.append(one.replace(terms=tuple(terms)))
        return self._stack(states)

    # between chunks --------------------------------------------------------------------------------------------

    def _guard(self, stage, state) -> None:
        halted = np.atleast_1d(jax.device_get(state.halted))
        steps = np.atleast_1d(jax.device_get(state.step))
        for k, s in enumerate(self.seeds):
            if halted[k] and s not in self.bad:
                self.bad[s] = stage.offset + int(steps[k])
                self.folders[s].event("nonfinite", step=self.bad[s])
        if len(self.bad) == len(self.seeds):
            raise NonFinite(self._told_bad())

    def _told_bad(self) -> str:
        where = ", ".join(f"step {step} (seed {s})" for s, step in sorted(self.bad.items()))
        return (f"the loss or the update was not finite at {where}; the state before it is kept. Lower optim.lr, set "
                "optim.clip, or set run.on_nonfinite=skip to leave such steps out.")

    def _between(self, stage, state, at: int, ends, sums) -> None:
        """Validation, checkpoint, and a wish to stop, after `at` steps of the stage."""
        run, evals, step = self.exp.config["run"], self.exp.config["eval"], stage.offset + at
        epoch = stage.first_epoch + int(np.searchsorted(ends, at, side="right"))
        at_end, over = at in ends, at == stage.steps
        if self.exp.dataset.val is not None and at_end and evals["every_epochs"] and (
                over or epoch % evals["every_epochs"] == 0):
            self._validate(stage, state, step, epoch)
        due = at_end and run["checkpoint_epochs"] and epoch % run["checkpoint_epochs"] == 0
        late = time.monotonic() - self.saved_at > 60 * run["checkpoint_minutes"]
        if over or due or late or self.stop.requested:
            self._save(stage, state, step, sums)
        if self.stop.requested and not (over and stage is self.exp.stages[-1]):
            for save in self.saves.values():
                save.wait()
            for s in self.seeds:
                self.folders[s].event("interrupted", step=step)
            raise Interrupted(step, self.exp.steps)

    def _save(self, stage, state, step: int, sums) -> None:
        """A checkpoint for every seed that is not stopped; open log sums travel with the state."""
        self.saved_at = time.monotonic()
        names = None
        for k, s in enumerate(self.seeds):
            if s in self.bad or s not in self.saves:
                continue
            if names is None:
                names = self._program(stage).metric_names(state, self._feed(stage, 0, 1), self.data)
            log = {n: jnp.zeros((), self.dtype) for n in names} if sums is None else self._one(sums, k)
            tree = {"state": self._one(state, k), "log": log}
            meta = {"stage": stage.index, "open": sums is not None, "best": None}
            if self.best is not None:
                tree["best"], meta["best"] = self.best[1][k], self.best[0][k]
            self.saves[s].save(step, tree, meta)

    def _validate(self, stage, state, step: int, epoch: int) -> None:
        split = self.exp.dataset.val
        outputs = self.evaluator.outputs(state.params, state.model_state, self.first_row["val"], len(split["label"]),
                                         self.data)
        for k, s in enumerate(self.seeds):
            m = score(self.exp, outputs[k]["logits"], split["label"])
            row = {"kind": "val", "step": step, "epoch": epoch, "stage": stage.name, "accuracy": m["accuracy"],
                   "balanced_accuracy": m["balanced_accuracy"], "nll": m["nll"],
                   **{g: m[g]["accuracy"] for g in ("many", "medium", "few")}}
            self.history[s].append(row)
            self.folders[s].append("metrics.jsonl", [row])
            self._keep_best(stage, state, k, m)

    def _keep_best(self, stage, state, k: int, m) -> None:
        if self.exp.config["eval"]["select"] != "best_val" or stage is not self.exp.stages[-1]:
            return
        if self.best is None:
            self.best = ([{"score": -1.0}] * len(self.seeds), [None] * len(self.seeds))
        if m["balanced_accuracy"] > self.best[0][k]["score"]:
            one = self._one(state, k)
            self.best[0][k] = {"score": float(m["balanced_accuracy"])}
            self.best[1][k] = jax.tree.map(jnp.copy, {"params": one.params, "model_state": one.model_state})

    # the end ---------------------------------------------------------------------------------------------------

    def _conclude(self, state, began) -> list[Result]:
        """Reads the test split once and writes what a run ends with."""
        if self.best is not None:
            state = state.replace(**{n: self._stack([b[n] for b in self.best[1]]) for n in ("params", "model_state")})
        splits = self.exp.dataset.splits
        wanted = {"test"} | ({"val"} & splits.keys())
        if any(part.meta.get("fit_on") == "train" for part, _ in self.exp.posthoc):
            wanted.add("train")
        names = ("logits", "features") if self.exp.posthoc else ("logits",)
        outputs = {name: self.evaluator.outputs(state.params, state.model_state, self.first_row[name],
                                                len(splits[name]["label"]), self.data, names)
                   for name in sorted(wanted)}
        cost = self._costs(began)
        results = []
        for k, s in enumerate(self.seeds):
            if s in self.bad:
                continue
            if s in self.saves:
                self.saves[s].wait()
            results.append(conclude(
                self.exp, s, self.folders[s], {n: o[k] for n, o in outputs.items()},
                {n: np.asarray(v["label"]) for n, v in splits.items()}, {n: v["index"] for n, v in splits.items()},
                self._one(state, k), self.history[s], cost))
        if self.bad:
            raise NonFinite(self._told_bad())
        return results

    def _costs(self, began) -> dict[str, Any]:
        stats = self.mesh.devices.flat[0].memory_stats() or {}
        peak = stats.get("peak_bytes_in_use") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        steady = self.cost["steady_s"]
        return {"seconds": time.perf_counter() - began, "compile_s": self.cost["compile_s"],
                "steps_per_s": self.cost["steady_steps"] / steady if steady else None, "seeds_together": len(self.seeds),
                "peak_bytes": int(peak), "peak_of": "device" if stats.get("peak_bytes_in_use") else "process"}


def _log_rows(exp: Experiment) -> list[np.ndarray]:
    """For each stage the log row of each of its steps: every `run.log_every` steps, or every epoch for 0."""
    every, out = exp.config["run"]["log_every"], []
    for stage in exp.stages:
        steps = np.arange(stage.steps)
        out.append(steps // every if every else stage.epoch_of_step)
    return out


def _first_row(array, value, seeds: int):
    return array.at[:, 0].set(value) if seeds > 1 else array.at[0].set(value)


def read_back(exp: Experiment, folder: rundir.RunFolder, seed: int) -> Result:
    """The result of a finished run folder."""
    test = rundir.read_json(folder / "test.json")
    if test is None:
        raise ConfigError(f"{folder.path} is marked DONE but its test.json cannot be read. Remove the folder to train "
                          "the run again.")
    with np.load(folder / "outputs.npz", allow_pickle=False) if (folder / "outputs.npz").is_file() else (
            contextlib.nullcontext({})) as arrays:
        outputs = {k: arrays[k] for k in arrays}
    return Result(exp.label, seed, folder.path, exp.config, test["metrics"], test.get("raw"),
                  folder.truncate(10**12), outputs)
