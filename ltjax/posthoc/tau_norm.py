"""Classifier rows divided by a power of their length, without the bias (tau-normalisation)."""

import numpy as np

from ltjax.posthoc.common import MEASURES, best_of, classifier_of, guarded, measured, read, with_target
from ltjax.registry import register


def normalised(weights: np.ndarray, tau: float) -> np.ndarray:
    """Rows w / ||w||^tau; rows of zeros stay zero."""
    return weights / guarded(np.linalg.norm(weights, axis=-1, keepdims=True)) ** tau


@register("posthoc", "tau_norm", cite="arXiv:1910.09217", reads=("features", "classifier"),
          bounds={"tau": (0.0, 10.0)})
def tau_norm(outputs, *, stats, target_log_prior=None, tau: float = 1.0) -> np.ndarray:
    r"""Makes the rows of the classifier more alike in length and drops the bias.

    .. math:: z_j = h \cdot w_j / \|w_j\|^\tau

    Args:
      tau: 0 leaves the rows alone, 1 gives unit length.
    Reference: Kang et al. 2020, section 4; `l2_normalizer` keeps the bias.
    """
    weights = normalised(classifier_of(outputs, "tau_norm"), tau)
    return with_target(read(outputs, "features", "tau_norm") @ weights.T, target_log_prior)


def fit_strength(outputs, labels, *, stats, largest: float = 2.0, points: int = 21,
                 measure: str = "balanced_accuracy") -> dict[str, float]:
    """The tau with the best value on a validation split, the smallest on ties."""
    score = lambda tau: measured(tau_norm(outputs, stats=stats, tau=tau), labels, measure)
    return {"tau": best_of(np.linspace(0, largest, points), score)}


@register("posthoc", "tau_norm_tuned", cite="arXiv:1910.09217", reads=("features", "classifier"),
          fit=fit_strength, fit_on="val", bounds={"largest": (0.1, 10.0), "points": (2, 10001)},
          choices={"measure": MEASURES}, probe={"measure": "balanced_nll", "points": 8})
def tau_norm_tuned(outputs, *, stats, params, target_log_prior=None, largest: float = 2.0, points: int = 21,
                   measure: str = "balanced_accuracy") -> np.ndarray:
    """Tau-normalisation whose tau is chosen on the validation split; the defaults are the authors' sweep.

    Args:
      params: `tau`, from the fit.
      largest, points: tau is one of so many values from 0 to the largest.
      measure: what the chosen tau maximises (the nll measures are minimised).
    Reference: Kang et al. 2020, section 4.
    """
    return tau_norm(outputs, stats=stats, target_log_prior=target_log_prior, tau=float(params["tau"]))


@register("posthoc", "l2_normalizer", cite="arXiv:2203.14197", reads=("features", "classifier"),
          bounds={"tau": (0.0, 10.0)})
def l2_normalizer(outputs, *, stats, target_log_prior=None, tau: float = 1.0) -> np.ndarray:
    r"""Makes the rows of the classifier more alike in length and keeps the bias.

    .. math:: z_j = h \cdot w_j / \|w_j\|^\tau + b_j

    Args:
      tau: 0 leaves the rows alone, 1 gives unit length; the authors' demonstration uses 1.9.
    Reference: Alshammari et al. 2022 (Weight Balancing); `tau_norm` drops the bias.
    """
    weights = normalised(classifier_of(outputs, "l2_normalizer"), tau)
    logits = read(outputs, "features", "l2_normalizer") @ weights.T
    if "classifier_bias" in outputs:
        logits = logits + np.asarray(outputs["classifier_bias"], np.float64)[None, :]
    return with_target(logits, target_log_prior)
