"""The convolution: PyTorch's padding, and a canonical form with the plain one's values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from ltjax.layers.conv import Conv, canonical_convolve, convolve, plain_convolve


def both(shape, kernel, stride, side, groups=1, dtype=np.float32):
    """(value, gradients) of the canonical and of the plain convolution on the same numbers."""
    rng = np.random.default_rng(0)
    height, width = kernel
    x = jnp.asarray(rng.normal(size=shape), dtype)
    w = jnp.asarray(rng.normal(size=(height, width, shape[-1] // groups, 4)), dtype)

    def run(convolution):
        def loss(x, w):
            y = convolution(x, w, stride, side, groups)
            return jnp.sin(y).sum(), y
        return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(x, w)

    return run(canonical_convolve), run(plain_convolve)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize("pixels", [(8, 8), (9, 7)])
def test_canonical_gradients_are_bit_for_bit_the_plain_ones(size, stride, pixels):
    side = (size // 2, size // 2)
    canonical, plain = both((3, *pixels, 2), (size, size), stride, (side, side))
    jax.tree.map(np.testing.assert_array_equal, canonical, plain)


@pytest.mark.parametrize(("kernel", "side"), [
    ((3, 3), ((0, 1), (2, 0))), ((4, 4), ((0, 0), (0, 0))), ((2, 3), ((1, 0), (0, 0)))])
def test_uneven_kernels_and_padding_agree_too(kernel, side):
    canonical, plain = both((2, 8, 8, 3), kernel, (2, 2), side)
    jax.tree.map(np.testing.assert_array_equal, canonical, plain)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_grouped_channels_agree_with_the_plain_convolution(groups, stride):
    with jax.enable_x64(True):
        canonical, plain = both((2, 6, 6, 8), (3, 3), stride, ((1, 1), (1, 1)), groups, np.float64)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-12, 1e-12), canonical, plain)


def test_second_derivatives_agree():
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 2))
    w = jax.random.normal(jax.random.key(1), (3, 3, 2, 3))

    def penalty(convolution, w):
        value = lambda x, w: jnp.sin(convolution(x, w, (2, 2), ((1, 1), (1, 1)), 1)).sum()
        return jnp.square(jax.grad(value)(x, w)).sum()

    found, expected = (jax.grad(penalty, 1)(f, w) for f in (canonical_convolve, plain_convolve))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_stride_two_pads_both_sides():
    """On 4 x 4 ones a 3 x 3 sum at stride 2 starts in the padding: (2, 3) by (2, 3) ones are seen."""
    layer = Conv(1, 3, 2, kernel_init=jax.nn.initializers.ones)
    x = jnp.ones((1, 4, 4, 1))
    y = layer.apply(layer.init(jax.random.key(0), x), x)
    np.testing.assert_allclose(y[0, :, :, 0], [[4, 6], [6, 9]])


def test_the_kernel_starts_with_variance_two_over_fan_in_and_there_is_no_bias():
    params = Conv(256, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 64)))["params"]
    assert list(params) == ["kernel"]
    assert params["kernel"].shape == (3, 3, 64, 256)
    np.testing.assert_allclose(params["kernel"].std(), np.sqrt(2 / (9 * 64)), rtol=0.01)


def test_half_precision_computes_in_half_with_float32_parameters():
    layer, x = Conv(4, 3, bias=True), jnp.ones((1, 4, 4, 2), jnp.bfloat16)
    params = layer.init(jax.random.key(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float32")}
    assert layer.apply(params, x).dtype == jnp.bfloat16


def test_gradient_is_exact_beside_a_kernel_that_is_the_same_on_all_devices():
    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,))
    x = jax.random.normal(jax.random.key(0), (8, 4, 4, 2))
    w = jax.random.normal(jax.random.key(1), (3, 3, 2, 3))

    def gradients(x, w):
        return jax.grad(lambda x, w: jnp.sin(convolve(x, w, (1, 1), ((1, 1), (1, 1)))).sum(), (0, 1))(x, w)

    specs = (P("data"), P())
    sharded = jax.shard_map(gradients, mesh=mesh, in_specs=specs, out_specs=specs)
    for found, expected in zip(jax.jit(sharded)(x, w), gradients(x, w)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
