"""Single mixers: small cases by hand, and what they draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import mixers
from ltjax.mixers.cutmix import box_around, paste
from ltjax.mixers.mamix import margin_ratio
from ltjax.mixers.smote import interpolate, neighbours, smote
from ltjax.registry import ConfigError
from ltjax.types import Alone, ClassStats, Context

STATS = ClassStats([90, 30, 10])


def context(epoch=0, epochs=10):
    return Context(STATS, 0, epoch, 0.0, None, Alone(), {"epochs": epochs})


def batch(labels, others, x=None, other=None):
    x = jnp.arange(2.0 * len(labels)).reshape(-1, 2) if x is None else x
    return {"x": x, "label": jnp.asarray(labels),
            "other": {"x": x + 10 if other is None else other, "label": jnp.asarray(others)}}


def test_mixup_blends_inputs_and_names_both_labels():
    mixed = mixers.mixup().mix(batch([0, 1], [2, 1]), {"ratio": 0.75}, STATS, context())
    np.testing.assert_allclose(mixed["x"], [[2.5, 3.5], [4.5, 5.5]])
    assert mixed["label2"].tolist() == [2, 1]
    assert mixed["ratio"].tolist() == [0.75, 0.75]


def test_remix_gives_unequal_pairs_to_the_rarer_class_and_equality_counts():
    """Counts 90, 30, 10 and kappa 3: every pair of neighbours has exactly the ratio kappa."""
    pairs = batch([0, 1, 0, 1], [1, 0, 2, 1])
    mix = lambda lam: mixers.remix().mix(pairs, {"ratio": lam}, STATS, context())["ratio"].tolist()
    assert mix(0.25) == [0, 0.25, 0, 0.25]
    assert mix(0.75) == [0.75, 1, 0.75, 0.75]


def test_mamix_puts_the_even_label_where_the_margins_meet():
    assert float(margin_ratio(0.3, jnp.asarray(0.3))) == 0.5
    np.testing.assert_allclose(margin_ratio(jnp.array([0.0, 0.15, 1.0]), jnp.asarray(0.3)), [1, 0.75, 0], rtol=1e-6)


def test_mamix_of_equal_classes_is_mixup():
    mixed = mixers.mamix().mix(batch([1, 2], [1, 2]), {"ratio": 0.7}, STATS, context())
    np.testing.assert_allclose(mixed["ratio"], [0.7, 0.7], rtol=1e-6)


def test_unimix_leans_towards_the_rare_class_and_wraps():
    mixed = mixers.unimix().mix(batch([0, 2, 1], [2, 0, 1]), {"beta": jnp.array([0.5, 0.5, 0.5])}, STATS, context())
    np.testing.assert_allclose(mixed["ratio"], [0.6, 0.4, 1.0], rtol=1e-6)
    np.testing.assert_allclose(mixed["x"][0], 0.6 * np.array([0, 1]) + 0.4 * np.array([10, 11]), rtol=1e-6)


def test_bbn_moves_along_a_parabola_of_whole_epochs():
    mixer, pairs = mixers.bbn(), batch([0, 1], [2, 2])
    ratios = [float(mixer.draw(jax.random.key(0), pairs, context(epoch))["ratio"]) for epoch in (0, 5, 9)]
    np.testing.assert_allclose(ratios, [1, 0.75, 0.19], rtol=1e-6)
    mixed = mixer.mix(pairs, {"ratio": 0.75}, STATS, context())
    np.testing.assert_array_equal(mixed["x"], pairs["x"])
    assert mixed["label2"].tolist() == [2, 2]


def test_boxes_are_whole_pixels_and_clipped():
    """Half of a side of 8 is 4: two pixels to each side of the centre."""
    at = lambda row, column, lam=0.75, sides=(8, 8): box_around(jnp.array([row, column]), lam, *sides).tolist()
    assert at(4, 4) == [2, 2, 6, 6]
    assert at(0, 7) == [0, 5, 2, 8]
    assert at(4, 4, lam=1.0) == [4, 4, 4, 4]
    assert at(2, 8, sides=(4, 16)) == [1, 4, 3, 12]
    assert at(4, 4, lam=0.0) == [0, 0, 8, 8]


def test_a_pasted_box_comes_from_the_partner_and_counts_by_its_area():
    x, ratio = paste(jnp.zeros((2, 4, 4, 3)), jnp.ones((2, 4, 4, 3)), jnp.array([1, 0, 3, 2]))
    assert x[:, 1:3, :2].min() == 1
    assert float(x.sum()) == 2 * 4 * 3
    assert float(ratio) == 0.75


def test_an_empty_box_leaves_everything_to_the_first_label():
    images = batch([0], [1], jnp.ones((1, 4, 4, 1)), jnp.zeros((1, 4, 4, 1)))
    mixed = mixers.cmo().mix(images, {"box": jnp.array([2, 2, 2, 2])}, STATS, context())
    assert mixed["x"].min() == 1
    assert mixed["ratio"].tolist() == [1.0]


def test_box_centres_cover_the_image_evenly():
    images = batch([0], [1], jnp.ones((1, 4, 4, 1)), jnp.zeros((1, 4, 4, 1)))
    mixer = mixers.cutmix(alpha=0.001, probability=1.0)
    keys = jax.random.split(jax.random.key(0), 4000)
    pasted = jax.vmap(lambda k: mixer.mix(images, mixer.draw(k, images, context()), STATS, context())["x"])(keys)
    share = 1 - np.asarray(pasted).mean(0)[0, :, :, 0]
    np.testing.assert_allclose(share, share.T, atol=0.04)
    assert share[2, 2] > share[0, 0] > 0.05


def test_boxes_need_images():
    with pytest.raises(ConfigError, match="use 'mixup'"):
        mixers.cutmix().mix(batch([0], [1]), {"box": jnp.array([0, 0, 1, 1])}, STATS, context())


def test_the_ratio_of_mixup_follows_its_beta_distribution():
    mixer, pairs = mixers.mixup(alpha=0.5), batch([0, 1], [2, 1])
    draws = jax.vmap(lambda k: mixer.draw(k, pairs, context())["ratio"])(jax.random.split(jax.random.key(0), 4000))
    assert abs(float(draws.mean()) - 0.5) < 5 * np.sqrt(0.125 / 4000)
    assert abs(float(draws.var()) - 0.125) < 0.01


def test_unimix_draws_another_ratio_for_every_row():
    values = mixers.unimix().draw(jax.random.key(0), batch([0, 1, 2, 0], [1, 1, 1, 1]), context())
    assert np.unique(values["beta"]).size == 4


def test_neighbours_are_sorted_and_exclude_the_row_itself():
    near = neighbours(np.array([[0.0], [1.0], [3.0], [7.0]]), k=2)
    assert near.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert neighbours(np.array([[0.0], [1.0]]), k=5).tolist() == [[1], [0]]
    with pytest.raises(ValueError, match="needs two rows"):
        neighbours(np.zeros((1, 2)))


def test_interpolation_by_hand():
    x = np.array([[0.0, 0.0], [4.0, 8.0]])
    np.testing.assert_allclose(interpolate(x, neighbours(x), [0, 1], [0, 0], [0.25, 0.25]), [[1, 2], [3, 6]])


def test_smote_fills_small_classes_inside_their_own_hull():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 6, 1])
    features = (random.normal(size=(37, 3)) + labels[:, None]).astype(np.float32)
    x, y = smote(features, labels, seed=4)
    assert np.bincount(y).tolist() == [30, 30, 1]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:37], features)
    made, mine = x[37:], features[labels == 1]
    assert ((made >= mine.min(0) - 1e-6) & (made <= mine.max(0) + 1e-6)).all()
    np.testing.assert_array_equal(smote(features, labels, seed=4)[0], x)
    assert (smote(features, labels, seed=5)[0] != x).any()
    assert np.bincount(smote(features, labels, seed=4, target=10)[1]).tolist() == [30, 10, 1]
