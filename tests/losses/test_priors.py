"""Arithmetic of counts: numbers worked by hand, extremes, bad input."""

import numpy as np
import pytest

from ltjax import priors
from ltjax.registry import ConfigError
from ltjax.types import ClassStats


def test_effective_number_by_hand():
    """1 + b + b^2 + ... of n terms."""
    np.testing.assert_allclose(priors.effective_number([1, 2, 4], 0.5), [1, 1.5, 1.875], rtol=1e-15)


def test_effective_number_at_its_ends():
    np.testing.assert_array_equal(priors.effective_number([5, 7], 0.0), [1, 1])
    np.testing.assert_array_equal(priors.effective_number([5, 7], 1.0), [5, 7])


def test_effective_number_close_to_one_keeps_its_digits():
    """With 1 - b = e the series is n - e n(n-1)/2 + ...; a difference of powers would lose every digit."""
    e, n = 1e-12, np.asarray([2.0, 1000.0])
    np.testing.assert_allclose(priors.effective_number(n, 1 - e), n - e * n * (n - 1) / 2, rtol=1e-4)
    assert priors.effective_number([1000.0], 1 - 1e-9)[0] == pytest.approx(1000 - 1e-9 * 999000 / 2, rel=1e-7)


def test_effective_number_refuses_a_beta_outside_its_range():
    with pytest.raises(ConfigError, match=r"beta=1\.5 is out of range.*0 to 1"):
        priors.effective_number([3], 1.5)


def test_margins_by_hand():
    np.testing.assert_allclose(priors.margins([16, 1, 81], 0.6), [0.3, 0.6, 0.2], rtol=1e-15)


def test_weights_of_mean_one_sum_to_the_number_of_classes():
    np.testing.assert_allclose(priors.mean_one(np.asarray([1.0, 2.0, 3.0])), [0.5, 1.0, 1.5])


def test_groups_follow_counts_not_positions():
    found = priors.groups(ClassStats([19, 101, 100, 20, 500]))
    assert {name: ids.tolist() for name, ids in found.items()} == {"many": [1, 4], "medium": [2, 3], "few": [0]}


def test_an_empty_group_is_empty():
    found = priors.groups(ClassStats([500, 300]), thresholds=(100, 20))
    assert [ids.size for ids in found.values()] == [2, 0, 0]


def test_groups_refuse_rising_thresholds():
    with pytest.raises(ConfigError, match="must fall"):
        priors.groups(ClassStats([5]), thresholds=(20, 100))


def test_a_class_option_is_checked_for_length_and_sign():
    stats, default = ClassStats([3, 2]), np.ones(2)
    assert priors.per_class("loss.temperatures", (), stats, default) is default
    with pytest.raises(ConfigError, match=r"loss\.temperatures has 3 entries, but the data has 2 classes"):
        priors.per_class("loss.temperatures", (1, 2, 3), stats, default)
    with pytest.raises(ConfigError, match="finite numbers above 0"):
        priors.per_class("loss.temperatures", (1, 0), stats, default)
    np.testing.assert_array_equal(priors.per_class("loss.frequency", (1, 0), stats, default, zero=True), [1, 0])
    with pytest.raises(ConfigError, match="not negative"):
        priors.per_class("loss.frequency", (1, -1), stats, default, zero=True)
