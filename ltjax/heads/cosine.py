"""Classifier by cosines."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.layers import cosines, unit, unit_columns, wide
from ltjax.registry import register


class CosineHead(nn.Module):
    """Scaled cosine of features and classes; see `cosine`."""

    classes: int
    scale: float = 1.0

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        kernel = self.param("kernel", unit_columns, (h.shape[-1], self.classes), h.dtype).astype(h.dtype)
        return {"logits": self.scale * cosines(h, kernel), "classifier": unit(kernel, axis=0).T}


@register("head", "cosine", cite="arXiv:1801.05599", bounds={"scale": (0.0, 1e6)})
def cosine(*, classes, scale=1.0) -> nn.Module:
    r"""Cosine of the features with each class's weights, times a scale.

    .. math:: z_j = s \frac{h \cdot w_j}{\|h\| \|w_j\|}

    The stored `kernel` [d, c] is free, so weight decay acts on it. A zero vector has cosine 0 with every
    class. `classifier` holds the unit columns.

    Args:
      classes: number of classes c.
      scale: s; leave it at 1 with a loss that multiplies by a scale itself.
    """
    return CosineHead(classes, scale)
