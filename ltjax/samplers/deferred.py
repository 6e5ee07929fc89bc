"""Deferred re-sampling: the data as they are, later another sampler."""

from collections.abc import Mapping

import numpy as np

from ltjax import registry
from ltjax.registry import register
from ltjax.samplers.base import Draw, Sampler
from ltjax.samplers.shuffle import shuffle

EFFECTIVE_NUMBER = {"name": "effective_number", "beta": 0.9999}


@register("sampler", "deferred_resample", cite="arXiv:1906.07413")
def deferred_resample(draw: Draw, *, after: float = 0.8, then: Mapping | str = EFFECTIVE_NUMBER) -> Sampler:
    """Shuffles until a given step, then draws with another sampler (DRS).

    Args:
      after: when the other sampler takes over: share of the stage, or its whole number of steps.
      then: that sampler, a name or a dict with 'name'.
    Reference: Cao et al. 2019, table 5 (DRS).
    """
    part, options = registry.bind("sampler", then, "deferred_resample.then")
    return Deferred(shuffle(draw), part.fn(draw, **options), draw.step_of(after))


class Deferred:
    """One sampler before a step, another from it on; each counts the steps of the stage."""

    def __init__(self, before: Sampler, then: Sampler, after: int):
        self._before, self._then, self._after = before, then, after

    def probabilities(self, step: int = 0) -> np.ndarray:
        return (self._before if step < self._after else self._then).probabilities(step)

    def plan(self, first: int, count: int) -> np.ndarray:
        early = min(max(self._after - first, 0), count)
        late = self._then.plan(first + early, count - early)
        return np.concatenate([self._before.plan(first, early), late])
