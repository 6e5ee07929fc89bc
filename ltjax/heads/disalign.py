"""Linear classifier with a learned, input-dependent calibration of its logits."""

from __future__ import annotations

import jax
from flax import linen as nn
from jax import Array

from ltjax.heads.linear import LinearHead
from ltjax.layers import Dense, wide
from ltjax.registry import register


class DisAlignHead(nn.Module):
    """A linear head with scale, offset and confidence; see `disalign`."""

    classes: int
    identity: bool = False

    def setup(self):
        self.linear = LinearHead(self.classes)
        nn.share_scope(self, self.linear)

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        out = self.linear(h, train=train)
        scale = self.param("scale", nn.initializers.ones, (self.classes,), h.dtype).astype(h.dtype)
        offset = self.param("offset", nn.initializers.zeros, (self.classes,), h.dtype).astype(h.dtype)
        confidence = jax.nn.sigmoid(Dense(1, kernel_init=nn.initializers.constant(0.1), name="confidence")(h))
        extra = scale[None] - 1 if self.identity else scale[None]
        out["logits"] = out["logits"] + confidence * (extra * out["logits"] + offset[None])
        return out


@register("head", "disalign", cite="arXiv:2103.16370")
def disalign(*, classes, identity=False) -> nn.Module:
    r"""Linear classifier whose logits are rescaled and shifted where the network is confident of needing it.

    .. math::
      z = (1 + \sigma a) z^0 + \sigma \beta, \quad z^0 = h W + b, \quad
      \sigma = \mathrm{sigmoid}(v \cdot h + v_0)

    Parameters: `kernel`, `bias` (kept from a stage with the linear head), `scale` a, `offset` beta and
    `confidence`. As in the authors' classification code a starts at 1, so that the start is not the identity;
    v starts at 0.1 everywhere, v_0 at 0 (drawn in their code). `classifier` is that of the linear part.

    Args:
      classes: number of classes.
      identity: the paper's form, :math:`\sigma (a z^0 + \beta) + (1 - \sigma) z^0`, which starts at z^0.

    Reference: Zhang et al. 2021, equations 6 to 8.
    """
    return DisAlignHead(classes, identity)
