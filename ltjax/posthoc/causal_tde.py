"""Total direct effect: the unit features without their component along the mean training feature.

The arithmetic takes NumPy and JAX arrays alike, so that the training form can be differentiated.
"""

import numpy as np

from ltjax.posthoc.common import classifier_of, read, with_target
from ltjax.registry import ConfigError, register


def parts(x, heads: int):
    """The last axis cut into equal heads: [..., K, d/K]."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def length(x):
    """Euclidean length along the last axis, which is kept; its gradient at zero is zero."""
    xp = x.__array_namespace__()
    square = (x * x).sum(-1, keepdims=True)
    some = square > 0
    return xp.where(some, xp.sqrt(xp.where(some, square, 1)), 0)


def directions(x):
    """Unit vectors along the last axis; zero vectors stay zero."""
    size = length(x)
    return x / size.__array_namespace__().where(size > 0, size, 1)


def causal_logits(features, weights, direction=None, *, heads=2, scale=16.0, alpha=3.0, gamma=0.03125):
    r"""Scores of the multi-head cosine classifier, at test time without the mean direction.

    .. math:: z_c = \frac{s}{K} \sum_k \frac{w_{ck}}{\|w_{ck}\| + \gamma} \cdot
              \left(u_k - \alpha \cos(u_k, d_k) \, d_k\right), \quad u_k = h_k / \|h_k\|

    Args:
      features: h [b, D]; weights: w [c, D]; direction: d [D] before it is cut and made unit, None for the
        training form, which removes nothing.
      heads: K; scale: s; alpha: how much is removed; gamma: added to the length of the weights.
    """
    xp = features.__array_namespace__()
    w, u = parts(weights, heads), directions(parts(features, heads))
    size = length(w) + gamma
    w = w / xp.where(size > 0, size, 1)
    if direction is not None:
        d = directions(parts(direction, heads))
        u = u - alpha * xp.einsum("bkd,kd->bk", u, d)[:, :, None] * d[None]
    return scale / heads * xp.einsum("bkd,ckd->bc", u, w)


def moved(direction, features, momentum: float = 0.9):
    """The running mean feature as the authors keep it: mu * d + mean of the batch, with no factor 1 - mu."""
    return momentum * direction + features.mean(0)


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

    The formula is that of `causal_logits`. The authors keep d as a running sum along training (`moved`); here
    it is the mean training feature of the finished network. A head of zeros counts as the zero vector.

    Args:
      params: `direction`, from the fit.
      heads: K, equal parts of the feature; scale: s; gamma: added to the length of the weights.
      alpha: how much is removed: 3 on ImageNet-LT and Places-LT, 1.5 on CIFAR-100-LT, 1 on CIFAR-10-LT.
    Reference: Tang et al. 2020, the total direct effect.
    """
    features, weights = read(outputs, "features", "causal_tde"), classifier_of(outputs, "causal_tde")
    if features.shape[-1] % heads:
        raise ConfigError(f"causal_tde.heads={heads} must divide the feature width {features.shape[-1]}.")
    logits = causal_logits(features, weights, np.asarray(params["direction"], np.float64), heads=heads,
                           scale=scale, alpha=alpha, gamma=gamma)
    return with_target(logits, target_log_prior)
