"""Test sets with another class prior: how a classifier fares when the world is not balanced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltjax.registry import ConfigError, nearest

KINDS = ("forward", "backward")


def shifted_prior(stats: Any, kind: str = "forward", ratio: float = 50.0) -> np.ndarray:
    r"""Class prior of a shifted test set, float64 [C], summing to 1.

    Classes are ranked by training count, largest first (r = 0; ties in label order):

    .. math:: \pi_c \propto \text{ratio}^{-r_c/(C-1)} \text{ (forward)}, \quad
      \pi_c \propto \text{ratio}^{-(C-1-r_c)/(C-1)} \text{ (backward)}

    so a forward test set is long-tailed like the training set, a backward one the other way round; ratio 1 is
    balanced. Use it as class weights of an accuracy (free of sampling noise), as the target prior of a
    post-hoc rule (mark that rule "knows the test prior"), or in `shifted_rows`.

    Args:
      stats: training class counts, [C], or statistics that have them as `counts`.
      kind: `forward` or `backward`.
      ratio: largest over smallest prior, at least 1; the published settings are 2, 5, 10, 25, 50.

    References:
      Hong et al., arXiv:2012.00321; Zhang et al., arXiv:2107.09249.
    """
    counts = np.asarray(getattr(stats, "counts", stats), np.float64)
    if kind not in KINDS:
        raise ConfigError(f"shift kind={kind!r} is not known. {nearest(kind, KINDS)}"
                          f"Accepted: {', '.join(KINDS)}.")
    if not (np.isfinite(ratio) and ratio >= 1):
        raise ConfigError(f"shift ratio={ratio} must be finite and at least 1.")
    classes = len(counts)
    rank = np.empty(classes)
    rank[np.argsort(-counts, kind="stable")] = np.arange(classes)
    if kind == "backward":
        rank = classes - 1 - rank
    share = (1.0 / ratio) ** (rank / max(classes - 1.0, 1.0))
    return share / share.sum()


def shifted_counts(prior: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The largest class counts proportional to `prior` that the `available` rows per class allow, truncated.

    With a balanced test set of n rows per class these are int(n * prior / max(prior)), the counts of the
    published sub-sampled test sets.
    """
    prior, available = np.asarray(prior, np.float64), np.asarray(available, np.int64)
    if prior.shape != available.shape:
        raise ConfigError(f"a prior of {prior.size} classes was given for {available.size} classes.")
    if not np.isfinite(prior).all() or (prior < 0).any() or prior.sum() <= 0:
        raise ConfigError("a class prior must be finite, not negative and not all zero.")
    missing = np.flatnonzero((prior > 0) & (available == 0))
    if missing.size:
        raise ConfigError(f"class {missing[0]} has a positive prior but no test example, so no test set has "
                          "this prior. Give every such class an example.")
    held = prior > 0
    total = np.min(available[held] / prior[held])
    return np.floor(prior * total * (1.0 + 1e-12) + 1e-9).astype(np.int64)


def shifted_rows(labels: np.ndarray, prior: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows of the largest test subset whose class shares follow `prior`, sorted; deterministic.

    Every class is shuffled once by `seed` and its first rows are kept, so the subsets of two ratios overlap
    as far as they can. Counts are truncated, so the shares agree with the prior up to one row per class.

    Args:
      labels: labels of the test split, [n].
      prior: class prior, [C].
      seed: of the shuffles.
    """
    labels = np.asarray(labels)
    if labels.size and (labels.min() < 0 or labels.max() >= len(prior)):
        raise ConfigError(f"labels run from {labels.min()} to {labels.max()}, but the prior has {len(prior)} "
                          "classes.")
    counts = shifted_counts(prior, np.bincount(labels, minlength=len(prior)))
    generator = np.random.default_rng([seed, 0x73686674])
    kept = [generator.permutation(np.flatnonzero(labels == c))[:count] for c, count in enumerate(counts)]
    return np.sort(np.concatenate(kept)).astype(np.int64)
