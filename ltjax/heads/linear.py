"""The usual classifier."""

from __future__ import annotations

import math

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.layers import kaiming_normal, wide
from ltjax.registry import register

INITIAL = {
    "kaiming_normal": kaiming_normal,
    "kaiming_uniform": nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
    "zeros": nn.initializers.zeros,
}


class LinearHead(nn.Module):
    """`features @ kernel + bias`; see `linear`."""

    classes: int
    bias: bool = True
    columns: int = 0
    kernel_init: str = "kaiming_normal"
    bias_init: str = "zeros"

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        width = self.classes + self.columns
        initial = INITIAL[self.kernel_init]
        kernel = self.param("kernel", initial, (h.shape[-1], width), h.dtype).astype(h.dtype)
        logits = jnp.matmul(h, kernel, precision="highest")
        out = {"logits": logits, "classifier": kernel.T[:self.classes]}
        if self.bias:
            start = 0.0 if self.bias_init == "zeros" else -math.log(max(self.classes - 1, 1))
            bias = self.param("bias", nn.initializers.constant(start), (width,), h.dtype).astype(h.dtype)
            out |= {"logits": logits + bias[None], "classifier_bias": bias[:self.classes]}
        return out


@register("head", "linear", bounds={"columns": (0, 1e6)},
          choices={"init": tuple(INITIAL), "bias_init": ("zeros", "rare")})
def linear(*, classes, bias=True, columns=0, init="kaiming_normal", bias_init="zeros") -> nn.Module:
    r"""Linear classifier with parameters `kernel` [d, c] and `bias` [c].

    .. math:: z = h W + b

    Args:
      classes: number of classes c.
      bias: whether b is there.
      columns: extra outputs that stand after the classes, for losses that use more columns than classes.
      init: of the kernel: `kaiming_normal` (variance 2/d), `kaiming_uniform` (within 1/sqrt(d), PyTorch's
        default for linear layers) or `zeros`.
      bias_init: where b starts: `zeros`, or `rare`, -log(c - 1), at which the sigmoid of every column is 1/c (for
        losses of one sigmoid per class, whose first steps are huge otherwise).
    """
    return LinearHead(classes, bias, columns, init, bias_init)
