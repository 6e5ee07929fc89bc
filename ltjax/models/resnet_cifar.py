"""Residual networks for 32 x 32 images, as the long-tail papers use them on CIFAR."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.models.common import DTYPES, ConvNorm, enter, leave, spatial_mean
from ltjax.registry import register


class Block(nn.Module):
    """Two convolutions beside a shortcut without parameters (option A: subsample, pad with zero channels)."""

    features: int
    stride: int
    norm_groups: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        first = ConvNorm(self.features, stride=self.stride, norm_groups=self.norm_groups, name="first")
        second = ConvNorm(self.features, norm_groups=self.norm_groups, name="second")
        y = nn.relu(first(x, train=train, mask=mask))
        y = second(y, train=train, mask=mask)
        x = x[:, ::self.stride, ::self.stride]
        more = self.features - x.shape[-1]
        return nn.relu(y + jnp.pad(x, ((0, 0), (0, 0), (0, 0), (more // 2, more - more // 2))))


class ResNetCifar(nn.Module):
    """Stem, three stages of blocks, mean over positions; see `resnet32`."""

    blocks: int
    width: int
    norm_groups: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        stem = ConvNorm(self.width, norm_groups=self.norm_groups, name="stem")
        h = nn.relu(stem(enter(x, self.dtype), train=train, mask=mask))
        for stage in range(3):
            for i in range(self.blocks):
                block = Block(self.width * 2**stage, 2 if stage and not i else 1, self.norm_groups,
                              name=f"stage{stage + 1}_block{i + 1}")
                h = block(h, train=train, mask=mask)
        return leave(spatial_mean(h), x)


def _part(name: str):
    return register("model", name, cite="arXiv:1512.03385", choices={"dtype": DTYPES},
                    bounds={"norm_groups": (1, 1e6), "blocks": (1, 1000), "width": (1, 1e5)})


@_part("resnet32")
def resnet32(*, dtype="float32", norm_groups=1, blocks=5, width=16) -> nn.Module:
    """ResNet-32 for CIFAR: 6 * blocks + 2 layers, 464,154 parameters with a linear head for ten classes.

    Args:
      dtype: of the computation; parameters and statistics are float32 (float64 for float64 inputs).
      norm_groups: parts of the global batch that BatchNorm takes its statistics over.
      blocks: residual blocks in each of the three stages.
      width: channels of the first stage; the features are four times as wide.
    """
    return ResNetCifar(blocks, width, norm_groups, dtype)


@_part("resnet20")
def resnet20(*, dtype="float32", norm_groups=1, blocks=3, width=16) -> nn.Module:
    """ResNet-20 for CIFAR: `resnet32` with three blocks in each stage."""
    return ResNetCifar(blocks, width, norm_groups, dtype)


@_part("resnet44")
def resnet44(*, dtype="float32", norm_groups=1, blocks=7, width=16) -> nn.Module:
    """ResNet-44 for CIFAR: `resnet32` with seven blocks in each stage."""
    return ResNetCifar(blocks, width, norm_groups, dtype)


@_part("resnet56")
def resnet56(*, dtype="float32", norm_groups=1, blocks=9, width=16) -> nn.Module:
    """ResNet-56 for CIFAR: `resnet32` with nine blocks in each stage."""
    return ResNetCifar(blocks, width, norm_groups, dtype)
