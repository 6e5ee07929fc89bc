"""Maps of parameters after an update or an epoch; constants are fixed at the start of the stage."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import optax

from ltjax.registry import register


class Projection(NamedTuple):
    """`init(params) -> constants` at stage start, `apply(params, constants) -> params`, on {path: tensor} dicts."""

    init: Callable
    apply: Callable
    every: str


@register("project", "max_norm", cite="arXiv:2203.14197", bounds={"threshold": (0.0, 1.0)},
          choices={"every": ("step", "epoch")})
def max_norm(*, threshold=0.1, only="head/kernel", every="epoch"):
    r"""Class vectors longer than delta are shortened to it (weight balancing).

    .. math:: \delta = \min_c \|w_c\| + t (\max_c \|w_c\| - \min_c \|w_c\|)

    Args:
      threshold: t; delta is computed once, from the parameters with which the stage starts.
      only: regular expression of the kernels [d,c] that are projected; biases never are.
      every: `epoch` as the authors' code, or `step`.
    """
    def chosen(params):
        return {path: p for path, p in params.items() if re.fullmatch(only, path)}

    def init(params):
        norms = {path: _columns(p) for path, p in chosen(params).items()}
        return {path: n.min() + threshold * (n.max() - n.min()) for path, n in norms.items()}

    def apply(params, delta):
        return {**params, **{path: project_columns(p, delta[path]) for path, p in chosen(params).items()}}

    return Projection(init, apply, every)


def project_columns(kernel, delta):
    """The columns of `kernel` [d,c] longer than delta, shortened to length delta."""
    norm = _columns(kernel)
    factor = jnp.where(norm > delta, delta / jnp.where(norm > delta, norm, 1), 1)
    return kernel * jnp.expand_dims(factor, 0).astype(kernel.dtype)


def max_norm_transformation(delta: float) -> optax.GradientTransformation:
    """The projection as an Optax transformation, to stand last in a chain: lands on the ball of radius delta."""
    def update(updates, state, params=None):
        if params is None:
            raise ValueError("max_norm_transformation needs params: tx.update(grads, state, params).")
        return {k: project_columns(params[k] + u, delta) - params[k] for k, u in updates.items()}, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _columns(kernel):
    return jnp.sqrt(jnp.sum(jnp.square(kernel), axis=0))
