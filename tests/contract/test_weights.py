"""Contract of all class weights: a new file is covered without a new test."""

import numpy as np
import pytest

from ltjax import registry, weights
from ltjax.types import ClassStats

from . import options

COUNTS = np.asarray([500, 200, 90, 40, 20, 9, 5])
STATS = ClassStats(COUNTS)
PARTS = [registry.get("weights", name) for name in registry.names("weights")]
every_kind = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
NORMALISED = {"mean_one": np.mean, "largest_one": np.max, "smallest_one": np.min}


@every_kind
@pytest.mark.parametrize("counts", [COUNTS, [1, 10**7], [3, 3, 3], [1]])
def test_one_positive_float64_number_per_class(part, counts):
    out = part.fn(stats=ClassStats(counts))
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.float64
    assert out.shape == (len(counts),)
    assert np.isfinite(out).all()
    assert (out > 0).all()


@every_kind
@pytest.mark.parametrize("counts", [COUNTS, [1, 10**7]])
def test_normalised_as_declared(part, counts):
    declared = part.meta["normalised"]
    if declared != "none":
        np.testing.assert_allclose(NORMALISED[declared](part.fn(stats=ClassStats(counts))), 1, rtol=1e-12)


@every_kind
def test_rare_classes_weigh_no_less_than_frequent_ones(part):
    assert (np.diff(part.fn(stats=STATS)) >= 0).all()


@every_kind
def test_names_of_classes_do_not_matter(part):
    order = np.random.default_rng(0).permutation(COUNTS.size)
    np.testing.assert_allclose(part.fn(stats=ClassStats(COUNTS[order])), part.fn(stats=STATS)[order], rtol=1e-12)


@every_kind
def test_equal_counts_give_equal_weights(part):
    out = part.fn(stats=ClassStats(np.full(6, 40)))
    np.testing.assert_allclose(out, np.ones(6), rtol=1e-12)


@pytest.mark.parametrize(("name", "option"), options.cases(PARTS))
def test_every_option_changes_the_result(name, option):
    part = registry.get("weights", name)
    one, two = options.pair(part, option, STATS)
    registry.resolve("weights", {"name": name, **two})
    assert not np.allclose(part.fn(stats=STATS, **one), part.fn(stats=STATS, **two), rtol=1e-6)


@every_kind
def test_is_an_attribute_of_the_package_and_documented(part):
    np.testing.assert_array_equal(getattr(weights, part.name)(stats=STATS), part.fn(stats=STATS))
    assert part.summary.endswith(".")
