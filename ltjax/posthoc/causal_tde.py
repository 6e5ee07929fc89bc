"""Total direct effect: the unit features without their component along the mean training feature."""

import numpy as np

from ltjax.posthoc.common import classifier_of, guarded, read, unit, with_target
from ltjax.registry import register


def fit_direction(outputs, labels, *, stats, heads: int = 2, scale: float = 16.0, alpha: float = 3.0,
                  gamma: float = 0.03125) -> dict[str, np.ndarray]:
    """Mean feature of the training split, whose direction is what the running mean of the authors ends in."""
    return {"direction": read(outputs, "features", "causal_tde").mean(0)}


@register("posthoc", "causal_tde", cite="arXiv:2009.12991", reads=("features", "classifier"),
          fit=fit_direction, fit_on="train",
          bounds={"heads": (1, 1024), "scale": (0.0, 1e4), "alpha": (0.0, 100.0), "gamma": (0.0, 100.0)})
def causal_tde(outputs, *, stats, params, target_log_prior=None, heads: int = 2, scale: float = 16.0,
               alpha: float = 3.0, gamma: float = 0.03125) -> np.ndarray:
    r"""Removes from each feature what it shares with the mean feature, head by head, and scores again.

    .. math:: z_c = \frac{s}{K} \sum_k \frac{w_{ck}}{\|w_{ck}\| + \gamma} \cdot
              \left(u_k - \alpha \cos(u_k, d_k) \, d_k\right), \quad u_k = h_k / \|h_k\|

    The authors keep d as a running sum along training, mu*d plus the batch mean; here it is the mean training
    feature of the finished network. A head of zeros counts as the zero vector.

    Args:
      params: `direction` (d before it is split and made unit), from the fit.
      heads: K, equal parts of the feature; scale: s; gamma: added to the length of the weights.
      alpha: how much is removed: 3 on ImageNet-LT and Places-LT, 1.5 on CIFAR-100-LT, 1 on CIFAR-10-LT.
    Reference: Tang et al. 2020, section 3.3.
    """
    split = lambda x: np.asarray(x, np.float64).reshape(*np.shape(x)[:-1], heads, -1)
    w = split(classifier_of(outputs, "causal_tde"))
    w = w / guarded(np.linalg.norm(w, axis=-1, keepdims=True) + gamma)
    u, d = unit(split(read(outputs, "features", "causal_tde"))), unit(split(params["direction"]))
    along = np.einsum("bkd,kd->bk", u, d)
    u = u - alpha * along[..., None] * d[None]
    return with_target(scale / heads * np.einsum("bkd,ckd->bc", u, w), target_log_prior)
