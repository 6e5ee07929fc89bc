"""Convolution whose gradients keep the layout that XLA:CPU has a fast path for."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from ltjax.layers.precision import wide
from ltjax.layers.varying import equally_varying

LAYOUT = ("NHWC", "HWIO", "NHWC")
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]

kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""Normal with variance 2 / fan_in (He et al. 2015, arXiv:1502.01852, equation 10)."""


class Conv(nn.Module):
    """Two-dimensional convolution [b, h, w, c] -> [b, h', w', features] with PyTorch's padding.

    The padding is (k - 1) // 2 on both sides unless given: `SAME` would pad (0, 1) at stride 2.

    Attributes:
      features: output channels; kernel: size k of the k x k window.
      stride: step of the window; padding: ((top, bottom), (left, right)).
      groups: separate blocks of channels (ResNeXt's cardinality).
      bias: whether a bias is added; kernel_init: of the kernel.
    """

    features: int
    kernel: int = 3
    stride: int = 1
    padding: Padding | None = None
    groups: int = 1
    bias: bool = False
    kernel_init: nn.initializers.Initializer = kaiming_normal

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.kernel, self.kernel, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, wide(x.dtype))
        side = (self.kernel - 1) // 2
        padding = self.padding or ((side, side), (side, side))
        y = convolve(x, kernel.astype(x.dtype), (self.stride, self.stride), padding, self.groups)
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), wide(x.dtype))
            y = y + bias.astype(x.dtype).reshape(1, 1, 1, -1)
        return y


def convolve(x: Array, kernel: Array, stride: Pair, padding: Padding, groups: int = 1) -> Array:
    """Convolution of [b, h, w, c] with [kh, kw, c / groups, d]: canonical on CPU, plain elsewhere.

    The canonical form defines its own reverse rule: on CPU forward-mode derivatives need `plain_convolve`.
    """
    if jax.default_backend() != "cpu":
        return plain_convolve(x, kernel, stride, padding, groups)
    return canonical_convolve(*equally_varying(x, kernel), stride, padding, groups)


def plain_convolve(x: Array, kernel: Array, stride: Pair, padding: Padding, groups: int = 1) -> Array:
    """The convolution as JAX differentiates it."""
    return lax.conv_general_dilated(x, kernel, stride, padding, dimension_numbers=LAYOUT,
                                    feature_group_count=groups)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def canonical_convolve(x: Array, kernel: Array, stride: Pair, padding: Padding, groups: int = 1) -> Array:
    """Same values and gradients as `plain_convolve`, with every convolution in NHWC x HWIO -> NHWC.

    Inside a loop or a branch XLA:CPU falls back to a naive convolution for any other layout, as JAX's own
    gradients have (https://github.com/jax-ml/jax/issues/12868): training in a loop is some 20 times slower.
    """
    return plain_convolve(x, kernel, stride, padding, groups)


def _forward(x, kernel, stride, padding, groups):
    return plain_convolve(x, kernel, stride, padding, groups), (x, kernel)


def _backward(stride, padding, groups, saved, g):
    x, kernel = saved
    window = kernel.shape[:2]
    sides = list(zip(x.shape[1:3], window, g.shape[1:3], stride, padding))

    # with respect to x: stretch g by the stride, slide the flipped kernel over it
    x_padding = [(k - 1 - low, n - 1 + low - (out - 1) * step) for n, k, out, step, (low, _) in sides]
    inner, outer = kernel.shape[2], kernel.shape[3] // groups
    turned = jnp.flip(kernel, (0, 1)).reshape(*window, inner, groups, outer)
    turned = turned.transpose(0, 1, 4, 3, 2).reshape(*window, outer, groups * inner)
    x_gradient = lax.conv_general_dilated(g, turned, (1, 1), x_padding, lhs_dilation=stride,
                                          dimension_numbers=LAYOUT, feature_group_count=groups)

    # with respect to the kernel: channels become the batch, rows become the channels
    k_padding = [(low, (out - 1) * step + k - n - low) for n, k, out, step, (low, _) in sides]
    k_gradient = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), (1, 1), k_padding, rhs_dilation=stride,
        dimension_numbers=LAYOUT, batch_group_count=groups)
    return x_gradient, k_gradient.transpose(1, 2, 0, 3)


canonical_convolve.defvjp(_forward, _backward)
