"""A checked experiment: entries, stages and data as the step, the loop and the plan read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltjax import registry
from ltjax.registry import ConfigError
from ltjax.samplers.base import Draw
from ltjax.types import ClassStats


@dataclass(frozen=True)
class ReadyEntry:
    """An entry whose part is resolved and whose shares are integer steps."""

    name: str
    part: registry.Part
    options: dict[str, Any]
    weight: float
    table: np.ndarray | None
    weights_after: int
    normaliser: str
    pairs: str
    views: tuple[int, ...] | None
    after: int
    until: int

    @property
    def is_loss(self) -> bool:
        return self.part.kind == "loss"


@dataclass(frozen=True)
class ReadyStage:
    """A stage whose parts are resolved: what the step, the loop and the plan read."""

    index: int
    name: str
    head: dict[str, Any]
    epoch_steps: tuple[int, ...]
    offset: int
    first_epoch: int
    entries: tuple[ReadyEntry, ...]
    sampler: dict[str, Any]
    other: dict[str, Any] | None
    mixer: tuple[registry.Part, dict[str, Any]] | None
    views: tuple[tuple[Any, ...], ...]
    gradient: tuple[registry.Part, dict[str, Any]]
    project: tuple[registry.Part, dict[str, Any]] | None
    learner: tuple[registry.Part, dict[str, Any]] | None
    networks: dict[str, Any]
    train: str
    reset: str | None
    batchnorm: str
    optim: dict[str, Any]
    rates: np.ndarray

    @property
    def steps(self) -> int:
        return sum(self.epoch_steps)

    @property
    def epoch_of_step(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.epoch_steps)), self.epoch_steps)

    @property
    def partner(self) -> str | None:
        """Where `batch["other"]` comes from: `sampler`, `permutation`, or nowhere."""
        if self.other is not None:
            return "sampler"
        return self.mixer[0].meta.get("other", "permutation") if self.mixer else None

    def boundary(self, at: int, every: Iterable[int]) -> int:
        """The next step after which the host has work: an epoch's end before a refresh or due by one of `every`."""
        for number, end in enumerate(np.cumsum(self.epoch_steps), start=1):
            due = any(n and (self.first_epoch + number) % n == 0 for n in every)
            if end > at and (self.refreshes or due):
                return int(end)
        return self.steps

    @property
    def refreshes(self) -> bool:
        return any(e.part.meta.get("refreshes") for e in self.entries)


@dataclass(frozen=True)
class Experiment:
    """A checked config with its data; `config` is resolved and JSON-able, `identity` its hash without the seed.

    `rows` is the size of the training split, `test_logits` what the logits of the last stage mean.
    """

    config: dict[str, Any]
    identity: str
    label: str
    dataset: Any
    stats: ClassStats
    model: tuple[registry.Part, dict[str, Any]]
    stages: tuple[ReadyStage, ...]
    posthoc: tuple[tuple[registry.Part, dict[str, Any]], ...]
    test_logits: str
    rows: int

    @property
    def batch(self) -> int:
        return self.config["optim"]["batch"]

    @property
    def steps(self) -> int:
        return sum(s.steps for s in self.stages)

    @property
    def float64(self) -> bool:
        return self.config["run"]["dtype"] == "float64"

    def sampler(self, stage: ReadyStage, seed: int, stream: int):
        """The index plan of a stage: stream 0 is the main one, 1 the second sampler, 2 the permutation partner."""
        spec = stage.other if stream == 1 and stage.other is not None else stage.sampler
        part, options = registry.bind("sampler", spec)
        draw = Draw(np.asarray(self.dataset.train["label"]), self.stats.classes, self.batch * stage.optim["accumulate"],
                    seed, stream + 4 * stage.index, stage.steps, max(stage.epoch_steps))
        return part.fn(draw, **shares_to_steps(options, stage.steps))


def share(value, steps: int, where: str) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ConfigError(f"{where}={value!r} must be a share of the stage, between 0 and 1.")
    return round(value * steps)


def shares_to_steps(options: dict[str, Any], steps: int) -> dict[str, Any]:
    """Options named `after` or `until` are shares of the stage in a config and integer steps in a part."""
    return {k: share(v, steps, k) if k in ("after", "until") and v is not None else v for k, v in options.items()}
