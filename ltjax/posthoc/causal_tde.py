"""Total direct effect: the unit features without their component along the mean training feature."""

import numpy as np

from ltjax.causal import causal_logits
from ltjax.posthoc.common import classifier_of, read, with_target
from ltjax.registry import register


def fit_direction(outputs, labels, *, stats, heads: int = 2, scale: float = 16.0, alpha: float = 3.0,
                  gamma: float = 0.03125) -> dict[str, np.ndarray]:
    """Mean feature of the training split."""
    return {"direction": read(outputs, "features", "causal_tde").mean(0)}


@register("posthoc", "causal_tde", cite="arXiv:2009.12991", reads=("features", "classifier"),
          fit=fit_direction, fit_on="train",
          bounds={"heads": (1, 1024), "scale": (0.0, 1e4), "alpha": (0.0, 100.0), "gamma": (0.0, 100.0)})
def causal_tde(outputs, *, stats, params, target_log_prior=None, heads: int = 2, scale: float = 16.0,
               alpha: float = 3.0, gamma: float = 0.03125) -> np.ndarray:
    """Removes from each feature what it shares with the mean feature, head by head, and scores again.

    The formula is that of `ltjax.causal.causal_logits`; the head `causal` is its training form. The authors keep d
    as a running sum along training; here it is the mean training feature of the finished network. A head of zeros
    counts as the zero vector.

    Args:
      params: `direction`, from the fit.
      heads: K, equal parts of the feature; scale: s; gamma: added to the length of the weights.
      alpha: how much is removed: 3 on ImageNet-LT and Places-LT, 1.5 on CIFAR-100-LT, 1 on CIFAR-10-LT.
    Reference: Tang et al. 2020, the total direct effect.
    """
    features, weights = read(outputs, "features", "causal_tde"), classifier_of(outputs, "causal_tde")
    logits = causal_logits(features, weights, np.asarray(params["direction"], np.float64), heads=heads,
                           scale=scale, alpha=alpha, gamma=gamma)
    return with_target(logits, target_log_prior)
