"""Dense layers: cosines with safe zero vectors, and number types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.layers import Dense, NormedDense, unit, wide


def test_cosines_by_hand():
    params = {"params": {"kernel": jnp.asarray([[2.0, 0.0, -3.0], [0.0, 5.0, -3.0]])}}
    z = NormedDense(3, scale=10.0).apply(params, jnp.asarray([[3.0, 4.0], [0.0, 7.0]]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(z, [[6, 8, -14 * half], [0, 10, -10 * half]], rtol=1e-6, atol=1e-6)


def test_lengths_of_features_and_columns_do_not_matter():
    x = jax.random.normal(jax.random.key(0), (4, 6))
    layer = NormedDense(3)
    params = layer.init(jax.random.key(1), x)
    longer = jax.tree.map(lambda k: k * jnp.asarray([[2.0, 30.0, 0.5]]), params)
    np.testing.assert_allclose(layer.apply(longer, 1e-8 * x), layer.apply(params, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_zero_vectors_stay_zero_with_zero_gradient(axis):
    x = jnp.asarray([[3.0, 4.0], [0.0, 0.0]])
    x = x.T if axis == 0 else x
    value, gradient = jax.value_and_grad(lambda x: (unit(x, axis) * jnp.asarray([[1.0, 2.0]])).sum())(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    rows = np.asarray(gradient.T if axis == 0 else gradient)
    np.testing.assert_array_equal(rows[1], 0)
    assert rows[0].any()


def test_the_cosine_kernel_starts_with_unit_columns_and_is_free():
    kernel = NormedDense(5).init(jax.random.key(0), jnp.zeros((1, 64)))["params"]["kernel"]
    assert kernel.shape == (64, 5)
    np.testing.assert_allclose(jnp.square(kernel).sum(0), 1, rtol=1e-5)
    ratio = np.asarray(jnp.abs(kernel).max(0) * np.sqrt(64 / 3))  # the largest of 64 uniform draws is near 1
    np.testing.assert_allclose(ratio, 1, atol=0.25)


def test_dense_is_a_matrix_product_plus_bias_over_any_leading_axes():
    layer, x = Dense(3), jax.random.normal(jax.random.key(0), (2, 5, 4))
    params = layer.init(jax.random.key(1), x)
    params["params"]["bias"] = jnp.arange(3.0)
    expected = np.asarray(x) @ np.asarray(params["params"]["kernel"]) + np.arange(3)
    np.testing.assert_allclose(layer.apply(params, x), expected, rtol=1e-5, atol=1e-5)
    assert list(Dense(3, bias=False).init(jax.random.key(1), x)["params"]) == ["kernel"]


@pytest.mark.parametrize("layer", [Dense(2), NormedDense(2)])
def test_number_types_follow_the_input(layer):
    for given, stored in (("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")):
        with jax.enable_x64(True):
            x = jnp.ones((1, 3), given)
            params = layer.init(jax.random.key(0), x)
            assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {stored}
            assert str(layer.apply(params, x).dtype) == given
            assert str(wide(given)) == stored
