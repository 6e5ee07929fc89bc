"""Label smoothing that is stronger for frequent classes."""

import jax.numpy as jnp
import numpy as np

from ltjax.losses.stable import cross_entropy, in_column, is_label, of_label, wide
from ltjax.registry import register
from ltjax.types import ClassStats

SHAPES = {
    "concave": lambda r, power: np.sin(np.pi * r / 2),
    "linear": lambda r, power: r,
    "convex": lambda r, power: 1 + np.sin(1.5 * np.pi + np.pi * r / 2),
    "exp": lambda r, power: r**power,
}


def smoothing(stats: ClassStats, shape: str, smooth_head: float, smooth_tail: float, power: float):
    """e per class, float64; at equal counts every class is a head class."""
    low, high = stats.counts.min(), stats.counts.max()
    r = (stats.counts - low) / (high - low) if high > low else np.ones(stats.classes)
    return smooth_tail + (smooth_head - smooth_tail) * SHAPES[shape](r, power)


@register("loss", "label_aware_smoothing", cite="arXiv:2104.00466", test_logits="neither", extra_columns=True,
          bounds={"smooth_head": (0.0, 1.0), "smooth_tail": (0.0, 1.0), "power": (0.0, 1e2)},
          choices={"shape": tuple(SHAPES), "spread": ("all", "wrong")},
          probe={"power": {"shape": "exp", "power": 3.0}})
def label_aware_smoothing(logits, labels, *, stats, smooth_head=0.4, smooth_tail=0.1, shape="concave",
                          power=2.0, spread="all"):
    r"""Calibrates a re-trained classifier by smoothing the labels of frequent classes more.

    .. math:: -(1 - e_y) \log p_y - e_y \,\mathrm{mean}_j \log p_j

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: n, class counts; with r = (n - n_min) / (n_max - n_min), e rises from tail to head over r.
      smooth_head, smooth_tail: e of the largest and of the smallest class.
      shape: of the rise: `concave` a sine, `linear`, `convex`, or `exp` r^power.
      spread: over `all` k columns (the authors' code), or over the k - 1 `wrong` ones (the paper).
    Reference: Zhong et al. 2021, arXiv:2104.00466, section 3.3.
    """
    z = wide(logits)
    k, true = z.shape[-1], is_label(labels, z.shape[-1])
    e = of_label(smoothing(stats, shape, smooth_head, smooth_tail, power), labels, z.dtype)
    own = in_column(z, true)
    mean = z.mean(-1) if spread == "all" else jnp.where(true, 0, z).sum(-1) / max(k - 1, 1)
    return cross_entropy(z, labels) + e * (own - mean)
