"""Small convolutional network for 8 x 8 digits and quick checks."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.models.common import DTYPES, ConvNorm, enter, leave, spatial_mean
from ltjax.registry import register


class SmallCNN(nn.Module):
    """Convolution, BatchNorm, rectifier, repeated; see `small_cnn`."""

    widths: tuple[int, ...]
    norm_groups: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = enter(x, self.dtype)
        for i, width in enumerate(self.widths, 1):
            block = ConvNorm(width, stride=1 if i == 1 else 2, norm_groups=self.norm_groups, name=f"block{i}")
            h = nn.relu(block(h, train=train, mask=mask))
        return leave(spatial_mean(h), x)


@register("model", "small_cnn", choices={"dtype": DTYPES},
          bounds={"norm_groups": (1, 1e6), "widths": (1, 1e6)})
def small_cnn(*, dtype="float32", norm_groups=1, widths=(16, 32)) -> nn.Module:
    """For each width: 3 x 3 convolution, BatchNorm, rectifier; then the mean over positions.

    Args:
      dtype: of the computation; parameters and statistics are float32 (float64 for float64 inputs).
      norm_groups: parts of the global batch that BatchNorm takes its statistics over.
      widths: channels of the convolutions; the first has stride 1, the others 2.
    """
    return SmallCNN(tuple(widths), norm_groups, dtype)
