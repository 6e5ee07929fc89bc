"""What the host sends: the data once; per chunk rows, partners, learning rates, log rows, and draws handed in."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from ltjax.samplers.streams import permutations
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.given import Given

PERMUTATION = 2


def resident(dataset, sharding):
    """All splits on the device once, train, val, test one after another, and where each begins."""
    splits = dataset.splits
    first = dict(zip(splits, np.cumsum([0, *(len(split["label"]) for split in splits.values())])))
    names = [k for k in dataset.train if k != "index" and all(k in split for split in splits.values())]
    return jax.device_put({k: np.concatenate([s[k] for s in splits.values()]) for k in names}, sharding), first


class Plan:
    """The feeds of one stage for one seed."""

    def __init__(self, exp: Experiment, stage: ReadyStage, seed: int, given: Given, log_row: np.ndarray):
        self.exp, self.stage, self.seed, self.given = exp, stage, seed, given
        self.micro = stage.optim["accumulate"]
        self._main = exp.sampler(stage, seed, 0) if given.plan is None else None
        self._second = exp.sampler(stage, seed, 1) if stage.partner == "sampler" and given.other is None else None
        self._log_row = log_row
        self._offset = sum(s.steps * s.optim["accumulate"] for s in exp.stages[: stage.index])
        ends = np.cumsum(stage.epoch_steps) - 1
        self._last = np.isin(np.arange(stage.steps), ends)

    def rows(self, first: int, count: int) -> dict[str, np.ndarray]:
        """`rows` and, where the stage has partners, `other`: int32 [count, k, batch]."""
        main = self._part(self._main, self.given.plan, first, count)
        if self.stage.partner is None:
            return {"rows": main}
        if self.stage.partner == "sampler" or self.given.other is not None:
            return {"rows": main, "other": self._part(self._second, self.given.other, first, count)}
        steps = np.arange(first * self.micro, (first + count) * self.micro)
        order = permutations(self.seed, PERMUTATION + 4 * self.stage.index, steps, main.shape[-1])
        return {"rows": main, "other": np.take_along_axis(main, order.reshape(main.shape), -1)}

    def _part(self, sampler, given, first, count):
        if given is not None:
            start = self._offset + first * self.micro
            rows = given[start: start + count * self.micro]
        else:
            rows = sampler.plan(first, count)
        return rows.reshape(count, self.micro, -1).astype(np.int32)

    def draws(self, first: int, count: int) -> dict[str, Any]:
        """Draws handed in for these steps, [count, k, calls, ...]; a draw for one call gets that axis."""
        start = self._offset + first * self.micro
        losses = {e.part.name for e in self.stage.entries}

        def shaped(part, values):
            chunk = values[start: start + count * self.micro]
            chunk = chunk if part in losses else chunk[:, None]
            return chunk.reshape(count, self.micro, *chunk.shape[1:])

        return {part: {name: shaped(part, v) for name, v in named.items()}
                for part, named in self.given.drawn_in(self.stage).items()}

    def shared(self, first: int, count: int, dtype) -> dict[str, np.ndarray]:
        """What does not depend on the seed: `lr`, `epoch`, `last` (of its epoch), `row` (of the log in this chunk)."""
        steps = slice(first, first + count)
        return {"lr": self.stage.rates[steps].astype(dtype), "epoch": self.stage.epoch_of_step[steps].astype(np.int32),
                "last": self._last[steps], "row": (self._log_row[steps] - self._log_row[first]).astype(np.int32)}


def feed(plans: list[Plan], first: int, count: int, capacity: int, dtype) -> dict[str, Any]:
    """The feed of a chunk, filled up to `capacity` steps; seeds stand on a leading axis if there are several."""
    def fill(a):
        return np.concatenate([a, np.zeros((capacity - len(a), *a.shape[1:]), a.dtype)]) if len(a) < capacity else a

    own: list[dict[str, Any]] = []
    for plan in plans:
        draws = plan.draws(first, count)
        one = {**plan.rows(first, count), **({"draws": draws} if draws else {})}
        own.append({k: _map(fill, v) for k, v in one.items()})
    stacked = own[0] if len(own) == 1 else _stack(own)
    return {**stacked, **{k: fill(v) for k, v in plans[0].shared(first, count, dtype).items()}}


def _map(f, tree):
    return {k: _map(f, v) for k, v in tree.items()} if isinstance(tree, dict) else f(tree)


def _stack(trees):
    if isinstance(trees[0], dict):
        return {k: _stack([t[k] for t in trees]) for k in trees[0]}
    return np.stack(trees)
