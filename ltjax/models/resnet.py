"""Residual networks for large images (ImageNet-LT, Places-LT, iNaturalist)."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.models.common import DTYPES, ConvNorm, enter, leave, spatial_mean
from ltjax.registry import register


class Block(nn.Module):
    """Two 3 x 3 convolutions, or in a bottleneck 1 x 1, 3 x 3 and 1 x 1, beside a shortcut.

    Attributes:
      features: output channels.
      inner: channels of the convolutions before the last.
      stride: of the (first) 3 x 3 convolution.
      bottleneck: which of the two forms.
      groups: of the bottleneck's 3 x 3 convolution.
    """

    features: int
    inner: int
    stride: int
    bottleneck: bool
    groups: int
    norm_groups: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        def layer(name, h, features, kernel, stride=1, groups=1):
            module = ConvNorm(features, kernel, stride, groups, self.norm_groups, name=name)
            return module(h, train=train, mask=mask)

        if self.bottleneck:
            y = nn.relu(layer("first", x, self.inner, 1))
            y = nn.relu(layer("second", y, self.inner, 3, self.stride, self.groups))
            y = layer("third", y, self.features, 1)
        else:
            y = nn.relu(layer("first", x, self.inner, 3, self.stride))
            y = layer("second", y, self.features, 3)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = layer("shortcut", x, self.features, 1, self.stride)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """Stem, four stages of blocks, mean over positions; see `resnet18`."""

    blocks: tuple[int, ...]
    bottleneck: bool
    groups: int
    group_width: int
    stem: str
    norm_groups: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        kernel, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        stem = ConvNorm(64, kernel, stride, norm_groups=self.norm_groups, name="stem")
        h = nn.relu(stem(enter(x, self.dtype), train=train, mask=mask))
        if self.stem == "imagenet":
            h = nn.max_pool(h, (3, 3), (2, 2), ((1, 1), (1, 1)))
        for stage, count in enumerate(self.blocks):
            width = 64 * 2**stage
            inner = width * self.group_width // 64 * self.groups
            for i in range(count):
                stride = 2 if stage and not i else 1
                block = Block(width * (4 if self.bottleneck else 1), inner, stride, self.bottleneck,
                              self.groups, self.norm_groups, name=f"stage{stage + 1}_block{i + 1}")
                h = block(h, train=train, mask=mask)
        return leave(spatial_mean(h), x)


def _part(name: str, cite: str = "arXiv:1512.03385"):
    return register("model", name, cite=cite, choices={"dtype": DTYPES, "stem": ("imagenet", "cifar")},
                    bounds={"norm_groups": (1, 1e6)})


@_part("resnet18")
def resnet18(*, dtype="float32", norm_groups=1, stem="imagenet") -> nn.Module:
    """ResNet-18; 11,689,512 parameters with a linear head for 1000 classes.

    Args:
      dtype: of the computation; parameters and statistics are float32 (float64 for float64 inputs).
      norm_groups: parts of the global batch that BatchNorm takes its statistics over.
      stem: `imagenet` (7 x 7 convolution of stride 2, max pooling) or `cifar` (3 x 3 of stride 1 alone).
    """
    return ResNet((2, 2, 2, 2), False, 1, 64, stem, norm_groups, dtype)


@_part("resnet50")
def resnet50(*, dtype="float32", norm_groups=1, stem="imagenet") -> nn.Module:
    """ResNet-50, the stride in the 3 x 3 convolutions; 25,557,032 parameters with 1000 classes.

    Options as in `resnet18`.
    """
    return ResNet((3, 4, 6, 3), True, 1, 64, stem, norm_groups, dtype)


@_part("resnext50", "arXiv:1611.05431")
def resnext50(*, dtype="float32", norm_groups=1, stem="imagenet") -> nn.Module:
    """ResNeXt-50 (32 groups of width 4); 25,028,904 parameters with 1000 classes.

    Options as in `resnet18`.
    """
    return ResNet((3, 4, 6, 3), True, 32, 4, stem, norm_groups, dtype)
