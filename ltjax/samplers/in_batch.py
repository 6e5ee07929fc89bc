"""Partners drawn from the very batch that the main sampler gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ltjax import registry
from ltjax.registry import register
from ltjax.samplers.base import STREAMS, Draw, Sampler, share
from ltjax.samplers.streams import uniforms

SHUFFLE = {"name": "shuffle"}


def pair_probabilities(counts: np.ndarray, power: float) -> np.ndarray:
    """Probability of each row of a batch to be a partner: p ~ n^power, n the counts of the rows' classes."""
    counts = np.asarray(counts, np.float64)
    return share((counts / counts.max(-1, keepdims=True)) ** power)


@register("sampler", "in_batch", cite="arXiv:2111.03874", bounds={"power": (-10.0, 10.0)}, approximate=True)
def in_batch(draw: Draw, *, power: float = -0.5, of: Mapping | str = SHUFFLE) -> Sampler:
    r"""Draws rows of the main sampler's batch, with replacement, in favour of rare classes.

    .. math:: p_j \propto n_{y_j}^\tau

    It serves as the second sampler of a stage, for the mixer `unimix`.

    Args:
      power: tau: -0.5 in the authors' CIFAR-10-LT configurations, -0.1 on CIFAR-100-LT.
      of: the stage's main sampler, a name or a dict with 'name'; it must be the same.
    Reference: Xu et al. 2021.
    """
    part, options = registry.bind("sampler", of, "in_batch.of")
    main = dataclasses.replace(draw, stream=draw.stream // STREAMS * STREAMS)
    return InBatch(draw, part.fn(main, **options), power)


class InBatch:
    """Draws with replacement from each step of another plan."""

    def __init__(self, draw: Draw, main: Sampler, power: float):
        self.draw, self._main, self._power = draw, main, power
        self._counts = draw.counts[draw.single].astype(np.float64)

    def probabilities(self, step: int = 0) -> np.ndarray:
        """Class shares in the limit of large batches."""
        n = np.maximum(self.draw.counts, 1).astype(np.float64)
        return share(self._main.probabilities(step) * (n / n.max()) ** self._power)

    def plan(self, first: int, count: int) -> np.ndarray:
        d, rows = self.draw, self._main.plan(first, count)
        u = uniforms(d.seed, d.stream, first, count, d.batch)
        chosen = np.empty_like(rows)
        for t in range(count):
            cdf = np.cumsum(pair_probabilities(self._counts[rows[t]], self._power))
            chosen[t] = rows[t][np.searchsorted(cdf / cdf[-1], u[t], side="right")]
        return chosen
