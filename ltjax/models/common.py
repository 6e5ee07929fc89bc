"""What trunks share: compute dtype at the entry and the exit, pooling, convolution with BatchNorm."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.layers import BatchNorm, Conv, wide

DTYPES = ("float32", "bfloat16")


def enter(x: Array, dtype: str) -> Array:
    """The input in the compute dtype: `bfloat16`, or for `float32` as it comes, at least float32."""
    return x.astype(wide(x.dtype) if dtype == "float32" else dtype)


def leave(features: Array, x: Array) -> Array:
    """Features in float32, or in float64 where the input `x` was."""
    return features.astype(wide(x.dtype))


def spatial_mean(x: Array) -> Array:
    """Mean over positions [b, h, w, c] -> [b, c], summed in float32 or wider."""
    return jnp.mean(x, (1, 2), dtype=wide(x.dtype))


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm; parameters under `conv` and `norm`."""

    features: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1
    norm_groups: int = 1

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        x = Conv(self.features, self.kernel, self.stride, groups=self.groups, name="conv")(x)
        return BatchNorm(self.norm_groups, name="norm")(x, train=train, mask=mask)
