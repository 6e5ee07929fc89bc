"""DatasetEquity: examples from small clusters of the data set count more."""

import jax.numpy as jnp
import numpy as np

from ltjax.losses.stable import cross_entropy
from ltjax.registry import register
from ltjax.terms.base import Term

ROWS = 8192
"""Rows whose distances to the centres are held at once."""


def cluster_shares(features: np.ndarray, clusters: int, steps: int = 20) -> np.ndarray:
    """The share of the data set that each row's cluster holds, by k-means from seeded rows (float64 [n])."""
    x = np.asarray(features, np.float64).reshape(len(features), -1)
    clusters = min(clusters, len(x))
    centres = x[np.sort(np.random.default_rng(0).choice(len(x), clusters, replace=False))]
    for _ in range(steps):
        at = np.concatenate([_nearest(x[i : i + ROWS], centres) for i in range(0, len(x), ROWS)])
        size = np.bincount(at, minlength=clusters)
        sums = np.stack([np.bincount(at, column, clusters) for column in x.T], axis=1)
        centres = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centres)
    return (size / len(x))[at]


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((centres**2).sum(1) - 2 * x @ centres.T).argmin(1)


def equity_weight(likelihood, eta=1.0, gamma=5.0):
    """(eta + (1 - p)^gamma) / (eta + 1), between eta / (eta + 1) and 1."""
    return (eta + (1 - likelihood) ** gamma) / (eta + 1)


@register("term", "dataset_equity", cite="arXiv:2308.09878", needs=("features",), value="example",
          test_logits="neither", refreshes=True,
          bounds={"eta": (0.0, 1e9), "gamma": (0.0, 1e3), "clusters": (1, 10**6)})
def dataset_equity(*, eta=1.0, gamma=5.0, clusters=16):
    r"""Weighs cross-entropy by how rare the example's cluster of features is.

    .. math:: \frac{\eta + (1 - p)^\gamma}{\eta + 1}\,\mathrm{CE}(z, y)

    Args:
      eta: towards infinity all examples weigh 1; gamma: how sharply common clusters lose weight.
      clusters: number of clusters.
    State: p per training row, the share of the data set in its cluster (0, weight 1, until the first pass),
    recomputed from the current features at each epoch's start; the authors cluster once, with features of
    another network. The mean is over the batch.
    Reference: Shrivastava et al. 2023, arXiv:2308.09878.
    """
    def init(key, spec):
        return {"likelihood": jnp.zeros(spec["rows"], spec["dtype"])}

    def apply(state, outputs, batch, ctx):
        ce = cross_entropy(outputs["logits"], batch["label"])
        p = state["likelihood"][batch["index"]].astype(ce.dtype)
        return equity_weight(p, eta, gamma) * ce, state, {}

    def refresh(state, passes, ctx):
        shares = cluster_shares(passes.collect(("features",))["features"], clusters)
        return {"likelihood": jnp.asarray(shares, state["likelihood"].dtype)}

    return Term(init, apply, refresh)
