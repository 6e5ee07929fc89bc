"""What the adapters return and share: a recipe of the library, read from the stages of a case.

An adapter turns one golden key's cases into the options of a method. Stage boundaries, class weights and deferral come
from the case's stages, never from its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ltjax import registry

from . import rules
from .cases import Case


@dataclass(frozen=True)
class Recipe:
    """A method's spec, and the draws and partner rows that replace the library's own.

    Attributes:
      skip: fields of `expected` that are not compared, each for a stated reason.
      state: what the run ends with -> values of `expected.state`, by name.
      metrics: field of `expected` -> the metric in the log that it is compared with.
    """

    method: dict[str, Any]
    draws: dict[str, dict[str, np.ndarray]] | None = None
    other: np.ndarray | None = None
    skip: tuple[str, ...] = ()
    state: Callable[[Any], dict[str, Any]] | None = None
    metrics: dict[str, str] = field(default_factory=dict)


ADAPTERS: dict[str, Callable[[Case], Recipe]] = {}


def adapter(key: str):
    def add(f):
        ADAPTERS[key] = f
        return f

    return add


def method(name: str, **options) -> dict[str, Any]:
    return {"name": name, **options}


def with_head(case: Case, spec: dict[str, Any]) -> dict[str, Any]:
    """The method's spec with the case's head, where it is not the one that the method has by itself."""
    own = registry.get("method", spec["name"]).options.get("head")
    return {**spec, "head": case.head} if own is not None and case.head != {"name": own} else spec


def only_stage(case: Case) -> dict[str, Any]:
    assert len(case.stages) == 1, f"{case.id} has {len(case.stages)} stages"
    return case.stages[0]


def losses(case: Case, stage: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """(first step, loss spec) of a stage, one entry per change of the loss."""
    out: list[tuple[int, dict[str, Any]]] = []
    for first, objective in case.segments(stage):
        spec = rules.loss(objective)
        if not out or out[-1][1] != spec:
            out.append((first, spec))
    return out


def one_loss(case: Case, stage: dict[str, Any]) -> dict[str, Any]:
    found = losses(case, stage)
    assert len(found) == 1, f"{case.id} changes its loss: {found}"
    return found[0][1]


def plain_ce(case: Case, stage: dict[str, Any]) -> None:
    """A stage of unweighted cross-entropy, which needs no option."""
    assert one_loss(case, stage) == {"name": "ce"}
    assert deferral(case, stage) == (1.0, None, "batch")


def deferral(case: Case, stage: dict[str, Any]) -> tuple[float, dict[str, Any] | None, str]:
    """(share of the stage without class weights, weights spec, normaliser); (1, None, batch) without weights."""
    steps = case.steps_of(stage)
    for first, objective in case.segments(stage):
        spec = rules.weights(objective)
        if spec is not None:
            assert all(rules.weights(o) == spec for f, o in case.segments(stage) if f >= first)
            return first / steps, spec, objective["normaliser"]
    return 1.0, None, "batch"


def effective(case: Case, stage: dict[str, Any], normaliser: str | None = None) -> dict[str, Any]:
    """Options `after` and `beta` of a method with deferred effective-number weights."""
    after, spec, own = deferral(case, stage)
    if spec is None:
        return {"after": 1.0}
    assert spec["name"] == "effective_number"
    assert normaliser in (None, own), f"{case.id}: the method divides by {normaliser}, the case by {own}"
    return {"after": after, "beta": spec["beta"]}


def partners(case: Case) -> np.ndarray:
    """Rows that each batch is blended with: the batch's own, permuted where the case says so."""
    plan, permutations = case.plan, case.inputs["mix"]["perm"]
    blended = [row[np.asarray(p)] for row, p in zip(plan, permutations)]
    return np.concatenate([blended, plan[len(blended):]]) if len(blended) < len(plan) else np.asarray(blended)


def ratios(case: Case) -> np.ndarray:
    """The ratio of each batch; 1 for those of a later stage without a mixer."""
    out = np.ones(len(case.plan))
    given = case.inputs["mix"]["lam"]
    out[: len(given)] = given
    return out
