"""How a stage finds its gradient: `(objective, params, *, total, ...) -> (value, aux, gradient)`.

`objective(params) -> (value, aux)`; `total` sums a tree over the devices. State and statistics, which travel in
`aux`, are those of the first evaluation at the unperturbed parameters.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from ltjax.registry import register


@register("gradient", "plain")
def plain(objective, params, *, total):
    """The gradient of the objective."""
    (value, aux), gradient = jax.value_and_grad(objective, has_aux=True)(params)
    return value, aux, total(gradient)


@register("gradient", "sam", cite="arXiv:2010.01412", bounds={"rho": (0.0, 100.0)})
def sam(objective, params, *, total, rho=0.05):
    r"""Sharpness-aware minimisation: the gradient at the worst point of a small ball.

    .. math:: \nabla L(w + \rho g / (\|g\| + 10^{-12})), \quad g = \nabla L(w)
    """
    value, aux, first = plain(objective, params, total=total)
    scale = rho / (optax.tree.norm(first) + 1e-12)
    moved = jax.tree.map(lambda p, g: p + jnp.asarray(scale, p.dtype) * g, params, first)
    return value, aux, plain(objective, moved, total=total)[2]
