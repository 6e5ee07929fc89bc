"""Multi-layer perceptron."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.layers import BatchNorm, Dense
from ltjax.models.common import DTYPES, enter, leave
from ltjax.registry import register


class MLP(nn.Module):
    """Dense layers with a rectifier each; see `mlp`."""

    hidden: tuple[int, ...]
    norm: bool
    norm_groups: int
    dtype: str

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = enter(x, self.dtype).reshape(len(x), -1)
        for i, width in enumerate(self.hidden, 1):
            h = Dense(width, bias=not self.norm, name=f"dense{i}")(h)
            if self.norm:
                h = BatchNorm(self.norm_groups, name=f"norm{i}")(h, train=train, mask=mask)
            h = nn.relu(h)
        return leave(h, x)


@register("model", "mlp", side_by_side=True, choices={"dtype": DTYPES},
          bounds={"norm_groups": (1, 1e6), "hidden": (1, 1e6)})
def mlp(*, dtype="float32", norm_groups=1, hidden=(128,), norm=True) -> nn.Module:
    """Flattened input -> for each hidden layer: dense, BatchNorm, rectifier.

    Args:
      dtype: of the computation; parameters and statistics are float32 (float64 for float64 inputs).
      norm_groups: parts of the global batch that BatchNorm takes its statistics over.
      hidden: widths of the layers; the last is the features' width.
      norm: whether there is BatchNorm (without it the dense layers have biases).
    """
    return MLP(tuple(hidden), norm, norm_groups, dtype)
