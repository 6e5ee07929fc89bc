"""Vision transformers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.layers import Conv, Dense, wide
from ltjax.models.common import DTYPES, enter, leave
from ltjax.registry import ConfigError, register

small_normal = nn.initializers.truncated_normal(0.02)


class LayerNorm(nn.Module):
    r"""Normalises each row over its last axis.

    .. math:: y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta

    Reference: Ba et al. 2016, arXiv:1607.06450.
    """

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kind = wide(x.dtype)
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), kind).astype(kind)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), kind).astype(kind)
        leading = range(x.ndim - 1)
        y = jax.nn.standardize(x.astype(kind), epsilon=self.epsilon)
        return (y * jnp.expand_dims(scale, leading) + jnp.expand_dims(bias, leading)).astype(x.dtype)


class Block(nn.Module):
    """Self-attention, then a two-layer perceptron, each after a LayerNorm and beside a shortcut."""

    heads: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]

        def dense(features, name):
            return Dense(features, kernel_init=small_normal, name=name)

        qkv = dense(3 * width, "qkv")(LayerNorm(name="norm1")(x))
        query, key, value = jnp.split(qkv.reshape(*x.shape[:2], 3 * self.heads, -1), 3, axis=2)
        mixed = jax.nn.dot_product_attention(query, key, value)
        x = x + dense(width, "out")(mixed.reshape(x.shape))
        h = nn.gelu(dense(4 * width, "mlp1")(LayerNorm(name="norm2")(x)), approximate=False)
        return x + dense(width, "mlp2")(h)


class ViT(nn.Module):
    """Patches, class token, learned positions, blocks; the features are the class token; see `vit_s16`."""

    width: int
    depth: int
    heads: int
    patch: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        if x.shape[1] % self.patch or x.shape[2] % self.patch:
            raise ValueError(f"model.patch={self.patch} does not divide the sides of images {x.shape[1:3]}.")
        embed = Conv(self.width, self.patch, self.patch, ((0, 0), (0, 0)), bias=True,
                     kernel_init=nn.initializers.lecun_normal(), name="embed")
        h = embed(enter(x, self.dtype)).reshape(len(x), -1, self.width)
        token = self.param("token", small_normal, (1, 1, self.width), wide(h.dtype)).astype(h.dtype)
        h = jnp.concatenate([jnp.broadcast_to(token, (len(x), 1, self.width)), h], 1)
        h = h + self.param("position", small_normal, (1, *h.shape[1:]), wide(h.dtype)).astype(h.dtype)
        for i in range(self.depth):
            h = Block(self.heads, name=f"block{i + 1}")(h)
        return leave(LayerNorm(name="norm")(h)[:, 0], x)


def _part(name: str):
    return register("model", name, cite="arXiv:2010.11929", side_by_side=True, choices={"dtype": DTYPES},
                    bounds={"width": (1, 1e5), "depth": (1, 1000), "heads": (1, 1000), "patch": (1, 1000)})


@_part("vit_s16")
def vit_s16(*, dtype="float32", width=384, depth=12, heads=6, patch=16) -> nn.Module:
    """Vision transformer ViT-S/16 without dropout; 22,050,664 parameters at 224 pixels with 1000 classes.

    There is no BatchNorm, hence no `norm_groups`.

    Args:
      dtype: of the computation; parameters are float32 (float64 for float64 inputs).
      width: of the tokens, and of the features.
      depth: number of blocks.
      heads: attention heads of each block; they divide the width.
      patch: side of the square that becomes one token; it divides the image's sides.
    """
    if width % heads:
        raise ConfigError(f"model.heads={heads} must divide model.width={width}.")
    return ViT(width, depth, heads, patch, dtype)


@_part("vit_b16")
def vit_b16(*, dtype="float32", width=768, depth=12, heads=12, patch=16) -> nn.Module:
    """Vision transformer ViT-B/16 without dropout; 86,567,656 parameters at 224 pixels with 1000 classes.

    Options as in `vit_s16`.
    """
    return vit_s16(dtype=dtype, width=width, depth=depth, heads=heads, patch=patch)
