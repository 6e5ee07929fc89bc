"""Augmentations of one image, and what holds for all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import augment, registry

IMAGE = jnp.arange(1.0, 1 + 6 * 8 * 3).reshape(6, 8, 3)
LARGE = jnp.arange(1.0, 1 + 24 * 28 * 3).reshape(24, 28, 3)
KEYS = jax.random.split(jax.random.key(0), 400)
every_augment = pytest.mark.parametrize("name", registry.names("augment"))


@every_augment
@pytest.mark.parametrize("dtype", ["uint8", "float32", "bfloat16"])
def test_shape_and_type_stay(name, dtype):
    image = IMAGE.astype(dtype)
    out = jax.jit(registry.get("augment", name).fn())(KEYS[0], image)
    assert out.shape == image.shape
    assert out.dtype == image.dtype


@every_augment
def test_the_key_decides_everything(name):
    change = jax.vmap(registry.get("augment", name).fn(), (0, None))
    once, again = change(KEYS[:50], LARGE), change(KEYS[:50], LARGE)
    np.testing.assert_array_equal(once, again)
    assert len({np.asarray(x).tobytes() for x in once}) > 1


@every_augment
def test_every_option_has_an_effect(name):
    part = registry.get("augment", name)
    plain = jax.vmap(part.fn(), (0, None))(KEYS[:50], LARGE)
    for option, value in part.options.items():
        changed = jax.vmap(part.fn(**{option: type(value)(value / 4)}), (0, None))(KEYS[:50], LARGE)
        assert (changed != plain).any(), f"{name}: {option} changes nothing"


def test_crop_shifts_the_image_and_fills_with_black():
    out = np.asarray(jax.vmap(augment.crop(padding=1), (0, None))(KEYS, IMAGE))
    padded = np.pad(IMAGE, ((1, 1), (1, 1), (0, 0)))
    windows = {padded[i: i + 6, j: j + 8].tobytes(): (i, j) for i in range(3) for j in range(3)}
    places = [windows[x.tobytes()] for x in out]
    seen = np.array([places.count(place) for place in windows.values()])
    assert np.abs(seen - 400 / 9).max() < 5 * np.sqrt(400 / 9 * 8 / 9)


def test_no_padding_is_no_crop():
    np.testing.assert_array_equal(augment.crop(padding=0)(KEYS[0], IMAGE), IMAGE)


def test_flip_mirrors_columns_in_the_given_share():
    out = jax.vmap(augment.flip(), (0, None))(KEYS, IMAGE)
    mirrored = (out == IMAGE[None, :, ::-1]).all((1, 2, 3))
    assert bool(((out == IMAGE[None]).all((1, 2, 3)) | mirrored).all())
    assert abs(int(mirrored.sum()) - 200) < 5 * np.sqrt(100)
    np.testing.assert_array_equal(augment.flip(probability=1.0)(KEYS[0], IMAGE), IMAGE[:, ::-1])
    np.testing.assert_array_equal(augment.flip(probability=0.0)(KEYS[0], IMAGE), IMAGE)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_cutout_blackens_one_square_that_may_stick_out(size):
    out = np.asarray(jax.vmap(augment.cutout(size=size), (0, None))(KEYS, IMAGE))
    black = (out == 0).all(-1)
    assert (black.any((1, 2))).all()
    assert black.sum((1, 2)).max() == size**2
    assert ((out == 0) == black[..., None]).all()
    assert (black.any(2).sum(1) * black.any(1).sum(1) == black.sum((1, 2))).all()
    assert black.any(0).all()


def test_cutout_of_size_zero_changes_nothing():
    np.testing.assert_array_equal(augment.cutout(size=0)(KEYS[0], IMAGE), IMAGE)


@every_augment
def test_feature_vectors_are_refused_in_one_sentence(name):
    with pytest.raises(registry.ConfigError, match=rf"'{name}' needs images \[h, w, c\], .* \(64,\)"):
        registry.get("augment", name).fn()(KEYS[0], jnp.zeros(64))
