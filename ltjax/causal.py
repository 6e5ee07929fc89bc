"""The multi-head cosine classifier of causal inference by total direct effect: what the head and the rule share.

The arithmetic takes NumPy and JAX arrays alike, so that the head can be differentiated and the rule after training
stays on the host.
"""

from __future__ import annotations

from typing import Any

from ltjax.registry import ConfigError

Array = Any
"""A NumPy or a JAX array."""


def parts(x: Array, heads: int) -> Array:
    """The last axis cut into equal heads: [..., K, d/K]."""
    width = x.shape[-1]
    if width % heads:
        raise ConfigError(f"causal classifier: heads={heads} must divide the feature width {width}.")
    return x.reshape(*x.shape[:-1], heads, width // heads)


def length(x: Array) -> Array:
    """Euclidean length along the last axis, which is kept; its gradient at zero is zero."""
    xp = x.__array_namespace__()
    square = (x * x).sum(-1, keepdims=True)
    some = square > 0
    return xp.where(some, xp.sqrt(xp.where(some, square, 1)), 0)


def directions(x: Array) -> Array:
    """Unit vectors along the last axis; zero vectors stay zero."""
    size = length(x)
    return x / size.__array_namespace__().where(size > 0, size, 1)


def causal_rows(features: Array, weights: Array, direction: Array | None = None, *, heads: int = 2,
                alpha: float = 3.0, gamma: float = 0.03125) -> tuple[Array, Array]:
    """Rows of features [b, D] and of classes [c, D] whose inner products are the scores, up to s / K.

    Args: as in `causal_logits`.
    """
    xp = features.__array_namespace__()
    w, u = parts(weights, heads), directions(parts(features, heads))
    size = length(w) + gamma
    w = w / xp.where(size > 0, size, 1)
    if direction is not None:
        d = directions(parts(direction, heads))[None]
        u = u - alpha * (u * d).sum(-1, keepdims=True) * d
    return u.reshape(features.shape), w.reshape(weights.shape)


def causal_logits(features: Array, weights: Array, direction: Array | None = None, *, heads: int = 2,
                  scale: float = 16.0, alpha: float = 3.0, gamma: float = 0.03125) -> Array:
    r"""Scores of the multi-head cosine classifier, at test time without the mean direction.

    .. math:: z_c = \frac{s}{K} \sum_k \frac{w_{ck}}{\|w_{ck}\| + \gamma} \cdot
              \left(u_k - \alpha \cos(u_k, d_k) \, d_k\right), \quad u_k = h_k / \|h_k\|

    Args:
      features: h [b, D]; weights: w [c, D].
      direction: d [D], before it is cut and made unit; None is the training form, which removes nothing.
      heads: K; scale: s; alpha: how much is removed; gamma: added to the length of the weights.
    Reference: Tang et al. 2020, arXiv:2009.12991, equations 9 and 10.
    """
    u, w = causal_rows(features, weights, direction, heads=heads, alpha=alpha, gamma=gamma)
    return scale / heads * (u @ w.T)


def moved(direction: Array, features: Array, momentum: float = 0.9) -> Array:
    """The running mean feature as the authors keep it: mu * d + mean of the batch, with no factor 1 - mu."""
    return momentum * direction + features.mean(0)
