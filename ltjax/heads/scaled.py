"""Linear classifier with one learned scale per class."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.heads.linear import LinearHead
from ltjax.layers import wide
from ltjax.registry import register


class ScaledHead(nn.Module):
    """A linear head whose logits are multiplied by scales; see `scaled`."""

    classes: int
    bias: bool = True

    def setup(self):
        self.linear = LinearHead(self.classes, self.bias)
        nn.share_scope(self, self.linear)

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        out = self.linear(features, train=train)
        kind = wide(features.dtype)
        scale = self.param("scale", nn.initializers.ones, (self.classes,), kind).astype(kind)
        out |= {"logits": scale[None] * out["logits"], "classifier": scale[:, None] * out["classifier"]}
        if self.bias:
            out["classifier_bias"] = scale * out["classifier_bias"]
        return out


@register("head", "scaled", cite="arXiv:1910.09217")
def scaled(*, classes, bias=True) -> nn.Module:
    r"""Linear classifier times a learned scale per class (learnable weight scaling, LWS).

    .. math:: z_c = s_c (w_c \cdot h + b_c)

    Parameters `kernel`, `bias` and `scale`: a stage that follows one with the linear head keeps its kernel
    and bias, and trains `head/scale` alone. `classifier` and `classifier_bias` hold the scaled ones.

    Args:
      classes: number of classes.
      bias: whether b is there.

    Reference: Kang et al. 2020, section 4.1; the scales start at 1.
    """
    return ScaledHead(classes, bias)
