"""Dense layers: the usual one, and one of cosines."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from ltjax.layers.conv import kaiming_normal
from ltjax.layers.precision import wide


class Dense(nn.Module):
    """Linear map of the last axis, in the dtype of the input.

    Attributes:
      features: output width; bias: whether a bias (starting at zero) is added.
      kernel_init: of the kernel [d, features].
    """

    features: int
    bias: bool = True
    kernel_init: nn.initializers.Initializer = kaiming_normal

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features), wide(x.dtype))
        y = x @ kernel.astype(x.dtype)
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), wide(x.dtype)).astype(x.dtype)
            y = y + jnp.expand_dims(bias, range(y.ndim - 1))
        return y


class NormedDense(nn.Module):
    r"""Cosine between the input and each column of the kernel, times a scale.

    .. math:: z_j = s \cos(h, w_j)

    The stored kernel is free: its columns are normalised inside the forward pass. A zero vector has cosine 0
    with everything, and receives no gradient.

    Attributes:
      features: number of columns c; scale: s.
    """

    features: int
    scale: float = 1.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", unit_columns, (x.shape[-1], self.features), wide(x.dtype))
        return self.scale * cosines(x, kernel.astype(x.dtype))


def cosines(x: Array, kernel: Array) -> Array:
    """Cosine of each row of `x` [..., d] with each column of `kernel` [d, c], in full precision."""
    return jnp.matmul(unit(x), unit(kernel, axis=0), precision="highest")


def unit(x: Array, axis: int = -1) -> Array:
    """`x` divided by its Euclidean norm along `axis`; zero vectors stay zero and have zero gradient."""
    square = jnp.square(x).sum(axis, keepdims=True)
    some = square > 0
    return jnp.where(some, x * lax.rsqrt(jnp.where(some, square, 1)), 0)


def unit_columns(key: Array, shape: tuple[int, int], dtype=jnp.float32) -> Array:
    """Initial kernel of a cosine layer: uniform in (-1, 1), columns scaled to norm 1."""
    return unit(jax.random.uniform(key, shape, dtype, -1, 1), axis=0)
