"""The usual classifier."""

from __future__ import annotations

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

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        width = self.classes + self.columns
        initial = INITIAL[self.kernel_init]
        kernel = self.param("kernel", initial, (h.shape[-1], width), h.dtype).astype(h.dtype)
        logits = jnp.matmul(h, kernel, precision="highest")
        out = {"logits": logits, "classifier": kernel.T[:self.classes]}
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (width,), h.dtype).astype(h.dtype)
            out |= {"logits": logits + bias[None], "classifier_bias": bias[:self.classes]}
        return out


@register("head", "linear", bounds={"columns": (0, 1e6)}, choices={"init": tuple(INITIAL)})
def linear(*, classes, bias=True, columns=0, init="kaiming_normal") -> nn.Module:
    r"""Linear classifier with parameters `kernel` [d, c] and `bias` [c].

    .. math:: z = h W + b

    Args:
      classes: number of classes c.
      bias: whether b is there; it starts at zero.
      columns: extra outputs that stand after the classes, for losses that use more columns than classes.
      init: of the kernel: `kaiming_normal` (variance 2/d), `kaiming_uniform` (within 1/sqrt(d), PyTorch's
        default for linear layers) or `zeros`.
    """
    return LinearHead(classes, bias, columns, init)
