"""Wide residual network for 32 x 32 images."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.layers import BatchNorm, Conv
from ltjax.models.common import DTYPES, enter, leave, spatial_mean
from ltjax.registry import ConfigError, register


class Block(nn.Module):
    """Norm, rectifier, convolution, twice; the shortcut is a 1 x 1 convolution where the width changes."""

    features: int
    stride: int
    norm_groups: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        y = nn.relu(BatchNorm(self.norm_groups, name="norm1")(x, train=train, mask=mask))
        if x.shape[-1] != self.features:
            x = Conv(self.features, 1, self.stride, name="shortcut")(y)
        y = Conv(self.features, 3, self.stride, name="conv1")(y)
        y = nn.relu(BatchNorm(self.norm_groups, name="norm2")(y, train=train, mask=mask))
        return x + Conv(self.features, 3, name="conv2")(y)


class WideResNet(nn.Module):
    """Stem, three stages of pre-activation blocks, norm, mean over positions; see `wide_resnet`."""

    blocks: int
    widen: int
    norm_groups: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = Conv(16, 3, name="stem")(enter(x, self.dtype))
        for stage in range(3):
            for i in range(self.blocks):
                block = Block(16 * self.widen * 2**stage, 2 if stage and not i else 1, self.norm_groups,
                              name=f"stage{stage + 1}_block{i + 1}")
                h = block(h, train=train, mask=mask)
        h = nn.relu(BatchNorm(self.norm_groups, name="norm")(h, train=train, mask=mask))
        return leave(spatial_mean(h), x)


@register("model", "wide_resnet", cite="arXiv:1605.07146", choices={"dtype": DTYPES},
          bounds={"norm_groups": (1, 1e6), "depth": (10, 10000), "widen": (1, 1000)})
def wide_resnet(*, dtype="float32", norm_groups=1, depth=28, widen=10) -> nn.Module:
    """Wide residual network without dropout; WRN-28-10 has 36,479,194 parameters with ten classes.

    Args:
      dtype: of the computation; parameters and statistics are float32 (float64 for float64 inputs).
      norm_groups: parts of the global batch that BatchNorm takes its statistics over.
      depth: number of layers, 4 more than a multiple of 6.
      widen: factor of the widths 16, 32, 64 of the three stages.
    """
    if depth % 6 != 4:
        raise ConfigError(f"model.depth={depth} must be 4 more than a multiple of 6: 16, 22, 28, 40, ...")
    return WideResNet((depth - 4) // 6, widen, norm_groups, dtype)
