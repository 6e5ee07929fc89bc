"""Over- and undersampling: a fixed list of rows with repetitions or omissions, shuffled again and again."""

from __future__ import annotations

import numpy as np

from ltjax.registry import register
from ltjax.samplers.base import Draw, Sampler, Shuffled
from ltjax.samplers.streams import fractions, hashed


def oversampled(counts: np.ndarray, ratio: float = 1.0) -> np.ndarray:
    """Rows per class after oversampling: at least ratio * n_max (rounded), for classes that have any."""
    return np.where(counts > 0, np.maximum(counts, round(ratio * counts.max())), 0)


def undersampled(counts: np.ndarray, ratio: float = 1.0, threshold: int = 0) -> np.ndarray:
    """Rows per class after undersampling: at most the threshold, or without one n_min / ratio (rounded)."""
    smallest = counts[counts > 0].min()
    return np.minimum(counts, threshold or round(smallest / ratio))


@register("sampler", "oversample", cite="arXiv:1710.05381", bounds={"ratio": (0.0, 1.0)}, probe={"ratio": 0.5})
def oversample(draw: Draw, *, ratio: float = 1.0) -> Sampler:
    """Random minority oversampling: rows of small classes are repeated, then all are shuffled as usual.

    Which rows are repeated is drawn once from the seed, with replacement.

    Args:
      ratio: smallest over largest class afterwards; 1 makes all as large as the largest.
    Reference: Buda et al. 2018.
    """
    rows, missing = draw.by_class, oversampled(draw.counts, ratio) - draw.counts
    owner = np.repeat(np.arange(draw.classes), missing)
    u = fractions(draw.seed, draw.stream, 0, 0, np.arange(owner.size))
    extra = rows[draw.start[owner] + (u * draw.counts[owner]).astype(np.int64)]
    return Shuffled(draw, np.concatenate([np.arange(draw.rows, dtype=np.int32), extra]))


@register("sampler", "undersample", cite="arXiv:1710.05381",
          bounds={"ratio": (1e-6, 1.0), "threshold": (0, 10**9)}, probe={"ratio": 0.5})
def undersample(draw: Draw, *, ratio: float = 1.0, threshold: int = 0) -> Sampler:
    """Random majority undersampling: rows of large classes are left out for good, the rest is shuffled.

    Which rows stay is drawn once from the seed.

    Args:
      ratio: smallest over largest class afterwards; 1 makes all as small as the smallest.
      threshold: cut classes to so many rows instead; 0 uses the ratio.
    Reference: Buda et al. 2018; the threshold is that of their two-phase training.
    """
    rows, kept = draw.by_class, undersampled(draw.counts, ratio, threshold)
    owner = np.repeat(np.arange(draw.classes), draw.counts)
    place = np.arange(draw.rows) - draw.start[owner]
    order = np.lexsort((hashed(draw.seed, draw.stream, 0, 0, np.arange(draw.rows)), owner))
    return Shuffled(draw, np.sort(rows[order[place < kept[owner]]]))
