"""The pairwise-margin form that unifies margins, adjustment and weights."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ltjax.losses.stable import columns, cross_entropy, is_label, of_label, wide
from ltjax.registry import register
from ltjax.types import ClassStats


class PairMargin(NamedTuple):
    """Delta_yj = column_j + row_y for j != y, 0 for j = y, and alpha_y: one number per class each."""

    column: np.ndarray
    row: np.ndarray
    alpha: np.ndarray


def pair_margin(stats: ClassStats, kind: str, tau: float, threshold: float, gamma: float) -> PairMargin:
    """Margins and weights of a named special case, float64."""
    prior, zero, one = stats.prior, np.zeros(stats.classes), np.ones(stats.classes)
    if kind == "logit_adjust":
        return PairMargin(tau * stats.log_prior, -tau * stats.log_prior, one)
    if kind == "adaptive_margin":
        return PairMargin(zero, prior**-0.25, one)
    if kind == "equalised":
        return PairMargin(np.where(prior >= threshold, 0.0, np.log(gamma)), zero, one)
    return PairMargin(zero, zero, 1 / prior)


@register("loss", "pairwise_margin", cite="arXiv:2007.07314", test_logits="neither", extra_columns=True,
          reduces_to_ce=True, bounds={"tau": (0.0, 1e2), "threshold": (0.0, 1.0), "gamma": (1e-30, 1.0)},
          choices={"kind": ("logit_adjust", "adaptive_margin", "equalised", "balanced")},
          probe={"threshold": {"kind": "equalised", "threshold": 0.2},
                 "gamma": {"kind": "equalised", "threshold": 0.2, "gamma": 0.5}})
def pairwise_margin(logits, labels, *, stats, kind="logit_adjust", tau=1.0, threshold=0.005, gamma=0.1):
    r"""Cross-entropy with a margin per pair of classes and a weight per class.

    .. math:: \alpha_y \log\Big(1 + \sum_{j \ne y} e^{\Delta_{yj} + z_j - z_y}\Big)

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: class counts, the prior pi is n / N; a column beyond the classes counts as one with one example.
      kind: `logit_adjust` Delta = tau log(pi_j / pi_y); `adaptive_margin` Delta = pi_y^(-1/4); `equalised`
        Delta = log gamma for pi_j below the threshold; `balanced` alpha = 1 / pi_y.
      tau, threshold, gamma: of the kinds that name them.
    Reference: Menon et al. 2021, arXiv:2007.07314, equation 11.
    """
    z = wide(logits)
    margin = pair_margin(stats, kind, tau, threshold, gamma)
    extra = -tau * np.log(stats.counts.sum()) if kind == "logit_adjust" else 0.0
    own = jnp.expand_dims(of_label(margin.row, labels, z.dtype), -1)
    shifted = jnp.where(is_label(labels, z.shape[-1]), z - own, z + columns(margin.column, z, fill=extra))
    return of_label(margin.alpha, labels, z.dtype) * cross_entropy(shifted, labels)
