"""Timing of the trainer's own programs: what benchmarks and accelerator studies share."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np

from ltjax.train.given import Given
from ltjax.train.loop import Trainer
from ltjax.train.prepare import prepare
from ltjax.train.progress import Silent


class Bench:
    """The first stage of a config, ready to run chunks of steps."""

    def __init__(self, config: dict[str, Any], seeds: int = 1):
        exp = prepare(config)
        self.trainer = Trainer(exp, list(range(seeds)), Given(exp), None, Silent())
        self.trainer.open_for_measuring()
        self.stage = exp.stages[0]
        self.program, self.plans = self.trainer._program(self.stage), self.trainer._plans(self.stage)
        self.state = self.trainer._started(self.stage, None)
        self.names = self.trainer._names(self.stage, self.state)
        self.compile_s = self.run(1)

    def run(self, steps: int) -> float:
        """Seconds of one call with `steps` steps, the host's part included, until its log is on the host."""
        began = time.perf_counter()
        given = self.trainer._feed(self.program, self.plans, 0, steps)
        log = self.program.empty_log(self.names, self.trainer.dtype)
        self.state, log = self.program(self.state, log, given, steps, self.trainer.data)
        jax.device_get(log)
        return time.perf_counter() - began


def alternate(timed: dict[str, Any], rounds: int) -> dict[str, float]:
    """Median seconds of several functions, called in turn so that a noisy machine disturbs all alike."""
    spent: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, function in timed.items():
            began = time.perf_counter()
            function()
            spent[name].append(time.perf_counter() - began)
    return {name: float(np.median(values)) for name, values in spent.items()}
