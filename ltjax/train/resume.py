"""Saving and finding again where a run stands, for all seeds that train together."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from ltjax.registry import ConfigError
from ltjax.train.checkpoint import CheckpointError, Checkpoints
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.rundir import RunFolder


def groups(folders: dict[int, RunFolder]) -> list[list[int]]:
    """Seeds that can go on together: all if they share a checkpoint or none has any, else those that stand alike."""
    steps = {s: {int(d.name) for d in (f / "ckpt").glob("*") if d.name.isdigit()} if f.path else set()
             for s, f in folders.items()}
    if steps and (not any(steps.values()) or set.intersection(*steps.values())):
        return [list(folders)]
    alike: dict[int, list[int]] = {}
    for seed, own in steps.items():
        alike.setdefault(max(own, default=0), []).append(seed)
    return list(alike.values())


def _told(refused: list[tuple[int, str]]) -> list[str]:
    return [f"step {step}: {why}" for step, why in refused]


class Saves:
    """The checkpoints of the seeds of one run.

    Args:
      read_only: for a look into the folder of a run that may be training.
      like: (stage) -> (one seed's fresh state, the names of its log sums): what a checkpoint of it holds.
    """

    def __init__(self, exp: Experiment, folders: dict[int, RunFolder], like, read_only: bool = False):
        self.exp, self.folders, self._like = exp, folders, like
        keep = exp.config["run"]["keep"]
        self.stores = {s: Checkpoints(f / "ckpt", keep, read_only) for s, f in folders.items() if f.path}
        self.best: dict[int, tuple[dict[str, float], Any]] = {}
        self.saved_at = time.monotonic()

    def close(self) -> None:
        for store in self.stores.values():
            store.close()

    def drop_after(self, step: int) -> None:
        """Sets aside what was saved later than the step that a run goes on from."""
        for store in self.stores.values():
            store.drop_after(step)

    def wait(self) -> None:
        for store in self.stores.values():
            store.wait()

    @property
    def late(self) -> bool:
        """Whether the last save lies longer back than `run.checkpoint_minutes`."""
        return time.monotonic() - self.saved_at > 60 * self.exp.config["run"]["checkpoint_minutes"]

    def save(self, stage: ReadyStage, step: int, states: dict[int, Any], log: dict[int, Any], is_open: bool) -> None:
        """Starts saving the given seeds' states with the sums of their last log row, which may still be open."""
        self.saved_at = time.monotonic()
        if not self.stores:
            return
        for seed, state in states.items():
            tree: dict[str, Any] = {"state": state, "log": log[seed]}
            meta: dict[str, Any] = {"stage": stage.index, "open": is_open, "best": None}
            if seed in self.best:
                meta["best"], tree["best"] = self.best[seed]
            self.stores[seed].save(step, tree, meta)

    def consider(self, seed: int, score: float, state) -> None:
        """Keeps a seed's parameters and statistics if they score better than any before."""
        if score > self.best.get(seed, ({"score": -1.0}, None))[0]["score"]:
            kept = {"params": state.params, "model_state": state.model_state}
            self.best[seed] = ({"score": score}, jax.tree.map(jnp.copy, kept))

    def newest(self):
        """(step, stage, states, open sums or None, refused) of the newest step that every seed has and that verifies.

        None if nothing was ever saved; an error if something was and none of it can be used.
        """
        found = {s: dict(store.newest_readable()) for s, store in self.stores.items()}
        refused = [(step, why) for store in self.stores.values() for step, why in store.quarantined.items()]
        common = sorted(set.intersection(*(set(f) for f in found.values())), reverse=True) if found else []
        for step in common:
            metas: dict[int, Any] = {s: f[step] for s, f in found.items() if f[step] is not None}
            if len(metas) < len(found):
                refused.append((step, "its record cannot be read"))
                continue
            trees, reason = self._restore(step, metas)
            if reason is None:
                stage = self.exp.stages[min(m["stage"] for m in metas.values())]
                open_row = any(m["open"] for m in metas.values())
                states = {s: t["state"] for s, t in trees.items()}
                log = {s: t["log"] for s, t in trees.items()} if open_row else None
                return step, stage, states, log, _told([r for r in refused if r[0] > step])
            refused.append((step, reason))
        if refused:
            places = ", ".join(str(f.path) for f in self.folders.values())
            raise CheckpointError(f"{places}: no checkpoint can be used ({'; '.join(_told(refused))}). Remove the "
                                  "folder to train anew, or set another run.root.")
        return None

    def _restore(self, step: int, metas: dict[int, Any]):
        trees: dict[int, Any] = {}
        self.best.clear()
        for seed, meta in metas.items():
            tree, reason = self.stores[seed].restore(step, self._target(meta), meta)
            if reason is not None:
                return {}, reason
            trees[seed] = tree
            if meta["best"]:
                self.best[seed] = (meta["best"], tree["best"])
        return trees, None

    def _target(self, meta) -> dict[str, Any]:
        state, names = self._like(self.exp.stages[meta["stage"]])
        dtype = jax.tree.leaves(state.params)[0].dtype
        target = {"state": state, "log": {n: jnp.zeros((), dtype) for n in names}}
        if meta["best"]:
            target["best"] = {"params": state.params, "model_state": state.model_state}
        where = jax.tree.leaves(state.params)[0].sharding
        return jax.device_put(target, where)

    def extended(self, run: Path):
        """(stage, state, sums of the last log row) from which a longer budget goes on: a shorter run's end."""
        if not (run / "ckpt").is_dir():
            raise ConfigError(f"--extend {run}: this is no run folder with checkpoints.")
        store = Checkpoints(run / "ckpt", read_only=True)
        try:
            for step, meta in store.newest_readable():
                if meta is None or meta["stage"] >= len(self.exp.stages):
                    continue
                tree, reason = store.restore(step, self._target(meta), meta)
                if reason is not None:
                    continue
                stage, done = self.exp.stages[meta["stage"]], int(tree["state"].step)
                if done >= stage.steps:
                    raise ConfigError(f"--extend {run}: it already did {done} steps of stage {stage.name!r} and this "
                                      f"config asks for {stage.steps}. Raise optim.epochs.")
                if meta["best"]:
                    self.best |= dict.fromkeys(self.folders, (meta["best"], tree["best"]))
                return stage, tree["state"], tree["log"]
        finally:
            store.close()
        raise CheckpointError(f"--extend {run}: it has no checkpoint that this config can go on from.")
