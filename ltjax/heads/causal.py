"""Multi-head cosine classifier for training that removes the mean direction at test time."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.causal import causal_rows
from ltjax.heads.linear import INITIAL
from ltjax.layers import wide
from ltjax.registry import register


class CausalHead(nn.Module):
    """Cosines of equal parts of feature and weights; see `causal`."""

    classes: int
    heads: int = 2
    scale: float = 16.0
    gamma: float = 0.03125

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        shape = (h.shape[-1], self.classes)
        kernel = self.param("kernel", INITIAL["kaiming_uniform"], shape, h.dtype).astype(h.dtype)
        u, w = causal_rows(h, kernel.T, heads=self.heads, gamma=self.gamma)
        return {"logits": self.scale / self.heads * jnp.matmul(u, w.T, precision="highest"), "classifier": kernel.T}


@register("head", "causal", cite="arXiv:2009.12991",
          bounds={"heads": (1, 1024), "scale": (0.0, 1e4), "gamma": (0.0, 100.0)})
def causal(*, classes, heads=2, scale=16.0, gamma=0.03125) -> nn.Module:
    r"""Multi-head cosine classifier: parts of the feature against parts of each class's weights, without bias.

    .. math:: z_c = \frac{s}{K} \sum_k \frac{w_{ck}}{\|w_{ck}\| + \gamma} \cdot \frac{h_k}{\|h_k\|}

    This is the training form. The post-hoc rule `causal_tde` with the same options takes the mean direction out;
    it reads the raw weights, which `classifier` holds. The kernel [d, c] starts uniform within 1/sqrt(d). A part
    of zeros counts as the zero vector; with as many heads as features the scores pass no gradient to them.

    Args:
      classes: number of classes c.
      heads: K, equal parts of the feature; they must divide its width.
      scale: s; gamma: added to the length of the weights.

    Reference: Tang et al. 2020, equation 9.
    """
    return CausalHead(classes, heads, scale, gamma)
