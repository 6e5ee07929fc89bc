"""The contrastive core, the pair core and the helpers of terms against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.contrast import contrast, dots, unit
from ltjax.pairwise import cosine, divergence, kl
from ltjax.terms.base import mask_of, pairs, weight_of
from ltjax.types import ClassStats, Context

RNG = np.random.default_rng(3)


def test_contrast_is_its_double_sum():
    scores = RNG.normal(size=(3, 5))
    positive = np.asarray([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0.5, 0, 2]])
    denominator = np.asarray([[0, 1, 1, 1, 0.5], [0, 1, 0, 2, 1], [1, 1, 0, 1, 1]])
    expected = [
        -sum(p * (s - np.log((d * np.exp(row)).sum())) for p, s in zip(ps, row)) / ps.sum()
        for row, ps, d in zip(scores, positive, denominator)]
    np.testing.assert_allclose(contrast(*map(jnp.asarray, (scores, positive, denominator))), expected, rtol=1e-5)


def test_contrast_takes_a_normaliser_of_its_own():
    scores, ones = jnp.zeros((2, 4)), jnp.ones((2, 4))
    np.testing.assert_allclose(contrast(scores, ones, ones, total=jnp.asarray([8.0, 2.0])),
                               [np.log(4) / 2, 2 * np.log(4)], rtol=1e-6)


def test_contrast_without_positives_or_columns_is_zero_with_a_zero_gradient():
    scores = 50 * jnp.asarray(RNG.normal(size=(2, 3)), "float32")
    none, some = jnp.zeros((2, 3)), jnp.asarray([[1.0, 0, 0], [0, 0, 0]])
    for positive, denominator in ((none, jnp.ones((2, 3))), (none, none)):
        value, grad = jax.value_and_grad(lambda s, p=positive, d=denominator: contrast(s, p, d).sum())(scores)
        assert value == 0
        np.testing.assert_array_equal(grad, 0)
    assert np.isfinite(jax.grad(lambda s: contrast(s, some, none).sum())(scores)).all()


def test_contrast_survives_scores_of_ten_thousand():
    scores = 1e4 * jnp.asarray(RNG.normal(size=(2, 3)), "float32")
    value, grad = jax.value_and_grad(lambda s: contrast(s, jnp.eye(2, 3), jnp.ones((2, 3))).sum())(scores)
    assert np.isfinite(value)
    assert np.isfinite(grad).all()


def test_unit_rows_have_length_one_and_zero_rows_stay_zero():
    x = jnp.asarray([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(unit(x), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(jax.grad(lambda x: unit(x).sum())(x)[1], 0)


def test_dots_are_inner_products_of_rows():
    a, b = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 3))
    np.testing.assert_allclose(dots(jnp.asarray(a), jnp.asarray(b)), a @ b.T, rtol=1e-5)


def test_divergence_ignores_empty_entries_whatever_the_other_side_says():
    p, log_q = jnp.asarray([[0.5, 0.5, 0.0]]), jnp.asarray([[np.log(0.25), np.log(0.75), -jnp.inf]])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    np.testing.assert_allclose(divergence(p, log_q), [expected], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda p: divergence(p, log_q).sum())(p)).all()


def test_kl_is_the_divergence_of_softmax_rows():
    z, w = (jnp.asarray(RNG.normal(size=(2, 3, 4)), "float32") for _ in range(2))
    expected = divergence(jax.nn.softmax(z / 2), jax.nn.log_softmax(w / 2))
    np.testing.assert_allclose(kl(z, w, 2.0), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(kl(z, z), np.zeros((2, 3)), atol=1e-6)


def test_cosine_with_floor_and_offset():
    a, b = jnp.asarray([[3.0, 4.0], [0.0, 0.0]]), jnp.asarray([[4.0, 3.0], [1.0, 1.0]])
    np.testing.assert_allclose(cosine(a, b), [24 / 25, 0], rtol=1e-6)
    np.testing.assert_allclose(cosine(a, b, add=5.0), [24 / 30, 0], rtol=1e-6)
    np.testing.assert_allclose(cosine(a, b, floor=10.0), [24 / 100, 0], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda a: cosine(a, b).sum())(a)).all()


def test_pairs_leave_out_the_row_itself_and_padding():
    batch = {"label": jnp.asarray([0, 1, 0]), "mask": jnp.asarray([1.0, 1.0, 0.0])}
    same, other = pairs(batch, Context(ClassStats([2, 1])), "float32")
    np.testing.assert_array_equal(same, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    np.testing.assert_array_equal(other, [[0, 1, 0], [1, 0, 0], [1, 1, 0]])


def test_rows_count_fully_without_mask_and_weight():
    batch = {"label": jnp.asarray([0, 1])}
    np.testing.assert_array_equal(mask_of(batch, "float32"), [1, 1])
    batch |= {"mask": jnp.asarray([1, 0]), "weight": jnp.asarray([3.0, 3.0])}
    np.testing.assert_array_equal(weight_of(batch, "float32"), [3, 0])
