"""A network is a trunk and a head; everything that trains, evaluates or saves sees only this."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array


class Network(nn.Module):
    """Features from the trunk, outputs from the head; parameters under `trunk/` and `head/`.

    A head that normalises by batches names `mask` beside `train` in its call, others need not.
    """

    trunk: nn.Module
    head: nn.Module

    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> dict[str, Array]:
        """Outputs of the batch `x`; `train=True` normalises by the batch, rows with `mask` 0 not counted."""
        features = self.trunk(x, train=train, mask=mask)
        wanted = inspect.signature(type(self.head).__call__).parameters
        extra = {"mask": mask} if "mask" in wanted else {}
        return {"features": features, **self.head(features, train=train, **extra)}


def init_network(
    network: nn.Module, key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32
) -> tuple[dict, dict]:
    """Initial (parameters, model state) of a network.

    The initialiser is compiled without optimisation, since it runs only once.

    Args:
      shape: of a batch of inputs, such as (1, 32, 32, 3); the batch's size does not matter.
      dtype: of the inputs; float64 makes float64 parameters and statistics, anything narrower float32.

    Returns:
      The parameters, and `{"batch_stats": ...}` or, where nothing is normalised by batches, `{}`.
    """
    variables = dict(initialiser(network, shape, dtype)(key))
    return variables.pop("params"), variables


def initialiser(network: nn.Module, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Callable[[Array], dict]:
    """The compiled `key -> variables` behind `init_network`, to be kept by whoever needs it again."""
    return jax.jit(lambda k: network.init(k, jnp.zeros(shape, dtype)),
                   compiler_options={"xla_backend_optimization_level": 0})
