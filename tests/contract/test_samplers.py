"""Contract of every registered sampler; a new sampler file is covered without a new test file."""

import dataclasses

import numpy as np
import pytest

from ltjax import registry
from ltjax.samplers.base import MAIN, OTHER, PERMUTATION, Draw

CLASSES, BATCH, STEPS = 6, 24, 200
COUNTS = [97, 40, 21, 9, 3, 1]
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(CLASSES), COUNTS))
DRAW = Draw(LABELS, CLASSES, BATCH, seed=3, stream=MAIN, steps=STEPS, steps_per_epoch=LABELS.size // BATCH)
SETS = np.eye(CLASSES, dtype=int)[LABELS] + 2 * np.eye(CLASSES, dtype=int)[np.roll(LABELS, 1)]
SEVERAL = dataclasses.replace(DRAW, labels=SETS)
every_sampler = pytest.mark.parametrize("name", registry.names("sampler"))


def make(name, draw=DRAW, **options):
    """The sampler with the options of its meta `probe`, chosen to have an effect on small data."""
    probe = registry.get("sampler", name).meta.get("probe", {})
    part, options = registry.bind("sampler", {"name": name, **probe, **options})
    return part.fn(draw, **options)


def other_values(part):
    """Another accepted value for every option."""
    for option, default in part.options.items():
        value = part.meta.get("probe", {}).get(option, default)
        if value != default:
            yield option, default
        elif option in part.choices:
            yield option, next(c for c in part.choices[option] if c != value)
        elif isinstance(value, bool):
            yield option, not value
        elif isinstance(value, int):
            yield option, value + 1
        elif isinstance(value, float):
            yield option, value / 2
        else:
            yield option, {"name": "reversed"}


def takes(name, draw):
    """Whether the sampler serves this kind of labels; it says so in one sentence where not."""
    try:
        make(name, draw)
    except registry.ConfigError as error:
        if "one class per row" not in str(error):
            raise
        return False
    return True


@every_sampler
def test_several_labels_per_row_are_served_or_refused(name):
    if takes(name, SEVERAL):
        assert make(name, SEVERAL).plan(0, 3).shape == (3, BATCH)
        np.testing.assert_allclose(make(name, SEVERAL).probabilities().sum(), 1, rtol=1e-12)


@every_sampler
def test_rows_are_int32_and_in_range(name):
    rows = make(name).plan(5, 7)
    assert rows.dtype == np.int32
    assert rows.shape == (7, BATCH)
    assert rows.min() >= 0
    assert rows.max() < LABELS.size
    assert make(name).plan(5, 0).shape == (0, BATCH)


@every_sampler
def test_any_cut_into_chunks_gives_the_same_rows(name):
    whole = make(name).plan(0, STEPS)
    sampler = make(name)
    parts = [sampler.plan(first, count) for first, count in ((0, 1), (1, 57), (58, 0), (58, 90), (148, 52))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@every_sampler
def test_a_step_does_not_depend_on_those_before(name):
    whole = make(name).plan(0, STEPS)
    sampler = make(name)
    np.testing.assert_array_equal(sampler.plan(171, 3), whole[171:174])
    np.testing.assert_array_equal(sampler.plan(20, 30), whole[20:50])


@every_sampler
def test_seeds_and_streams_give_different_rows(name):
    plans = [make(name, dataclasses.replace(DRAW, seed=seed, stream=stream)).plan(0, STEPS).tobytes()
             for seed in (0, 1, 2**40) for stream in (MAIN, OTHER, PERMUTATION)]
    assert len(set(plans)) == len(plans)


@every_sampler
@pytest.mark.parametrize("step", [0, STEPS - 1])
def test_class_shares_are_the_stated_probabilities(name, step):
    """Draws of many seeds at one step: within five standard deviations of independent draws."""
    seeds = 400
    rows = [make(name, dataclasses.replace(DRAW, seed=seed)).plan(step, 1) for seed in range(seeds)]
    shares = np.bincount(LABELS[np.concatenate(rows).ravel()], minlength=CLASSES) / (seeds * BATCH)
    p = make(name).probabilities(step)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
    slack = 0.02 if registry.get("sampler", name).meta.get("approximate") else 1e-12
    bound = 5 * np.sqrt(p * (1 - p) / (seeds * BATCH))
    assert (np.abs(shares - p) <= bound + slack).all()


@every_sampler
def test_every_option_changes_the_rows(name):
    for option, value in other_values(registry.get("sampler", name)):
        plans = [[make(name, draw, **given).plan(0, STEPS) for given in ({}, {option: value})]
                 for draw in (DRAW, SEVERAL) if takes(name, draw)]
        assert any((a != b).any() for a, b in plans), f"{name}: {option}={value!r} changed nothing"


@every_sampler
def test_a_class_without_rows_is_never_drawn(name):
    sampler = make(name, dataclasses.replace(DRAW, labels=LABELS + 1, classes=CLASSES + 2))
    assert sampler.probabilities(0)[[0, -1]].tolist() == [0, 0]
    assert np.isfinite(sampler.probabilities(STEPS - 1)).all()
    assert sampler.plan(0, STEPS).shape == (STEPS, BATCH)
