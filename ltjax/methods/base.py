"""Recipes as data: an entry of an objective, a stage, a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Spec = Mapping[str, Any] | str


@dataclass(frozen=True)
class Entry:
    """One summand of a stage's objective: a loss or term, weighed, normalised, and switched on for a while.

    Args:
      part: the loss or term, `dict(name=..., option=...)` or a bare name.
      weight: its factor in the objective.
      weights: class weights of its examples, `dict(name=..., after=share)`; None is 1 for each.
      normaliser: `batch` divides by the number of examples, `weight_sum` by the sum of their weights.
      pairs: in a mixed batch, `joint` has one denominator for both labels, `each` one per label.
      views: indices of the views it sees; None is all.
      after, until: shares of the stage between which it counts.
    """

    part: Spec
    weight: float = 1.0
    weights: Spec | None = None
    normaliser: str = "batch"
    pairs: str = "joint"
    views: tuple[int, ...] | None = None
    after: float = 0.0
    until: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one optimiser run.

    Args:
      share: of the run's epochs; a method's shares sum to 1.
      objective: entries, or one bare loss spec.
      sampler, other: the index plan and a second one for mixers and terms.
      head: another head for this stage (parameters of equal path and shape keep their values).
      mixer, gradient, project: see `ltjax list mixer` and so on.
      learner: a part with parameters of its own that draws the batches inside the step, instead of `sampler`.
      views: augmentations per view, each a tuple of specs; None is one view with `data.augment`.
      networks: `dict(ema=decay)` and/or `dict(teacher=run folder)`.
      train, reset: regular expressions over parameter paths: what moves, what starts anew.
      batchnorm: `batch` normalises by the batch and moves the statistics, `running` does neither.
      optim: the method's own optimiser habits; a value given in `config.optim` beats them.
    """

    name: str = "main"
    share: float = 1.0
    objective: tuple[Entry, ...] | Spec = "ce"
    sampler: Spec = "shuffle"
    other: Spec | None = None
    head: Spec | None = None
    mixer: Spec | None = None
    views: tuple | None = None
    networks: Mapping[str, Any] = field(default_factory=dict)
    gradient: Spec = "plain"
    project: Spec | None = None
    learner: Spec | None = None
    train: str = ".*"
    reset: str | None = None
    batchnorm: str = "batch"
    optim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """Head, stages and evaluation-time rules of one method; data only, the trainer knows no method.

    `recipe` holds what the paper trained with (epochs, batch, augmentation, model) as `section.option` keys;
    it is applied only when the user asks for the papers' recipes.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    head: Spec = "linear"
    posthoc: tuple[Spec, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
