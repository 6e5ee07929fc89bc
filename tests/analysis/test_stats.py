import math

import numpy as np
import pytest
from scipy import stats as reference

from ltjax.analysis.stats import (
    format_difference,
    format_interval,
    format_mean,
    mean,
    paired_difference,
    standard_deviation,
    summary,
    t_interval,
)

BASELINE = [0.6325, 0.5878, 0.5894, 0.5785, 0.6173]
METHOD = [0.6195, 0.6152, 0.5918, 0.5917, 0.6248]


def test_mean_and_spread_of_three_numbers_are_those_worked_out_by_hand():
    got = summary([1.0, 2.0, 6.0])
    assert got.mean == pytest.approx(3.0)
    assert got.sd == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert got.n == 3
    half = 4.302652729911275 * math.sqrt(7 / 3)  # t quantile 0.975 with 2 degrees of freedom
    assert (got.low, got.high) == pytest.approx((3 - half, 3 + half))


def test_interval_of_five_seeds_agrees_with_scipy():
    low, high = reference.t.interval(0.9, 4, loc=np.mean(METHOD), scale=reference.sem(METHOD))
    assert t_interval(METHOD, 0.9) == pytest.approx((low, high), rel=1e-12)


def test_paired_difference_agrees_with_the_paired_t_test_of_scipy():
    got = paired_difference(BASELINE, METHOD)
    bounds = reference.ttest_rel(METHOD, BASELINE).confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((bounds.low, bounds.high), rel=1e-10)
    assert got.mean == pytest.approx(0.0075)
    assert (got.n, got.wins) == (5, 4)
    assert not got.excludes_zero


def test_pairing_removes_what_the_seeds_share():
    base = np.array([0.5, 0.6, 0.7])
    got = paired_difference(base, base + 0.02)
    assert got.sd == pytest.approx(0.0, abs=1e-12)
    assert got.excludes_zero


def test_one_seed_has_a_mean_and_an_unknown_spread():
    got = summary([0.713])
    assert (got.mean, got.sd, got.n, got.low, got.high) == (0.713, None, 1, None, None)
    assert format_mean(got, scale=100) == "71.3 ± -"
    assert format_difference(paired_difference([0.7], [0.713]), scale=100) == "+1.3 [-]"


def test_no_value_is_none_and_never_zero():
    assert mean([]) is None
    assert standard_deviation([]) is None
    assert format_mean(summary([])) == "–"
    assert format_difference(None) == "–"


def test_numbers_are_printed_with_spread_sign_and_bounds():
    assert format_mean(summary([0.707, 0.719]), scale=100) == "71.3 ± 0.8"
    assert format_interval(0.7013, 0.725, 100) == "[70.1, 72.5]"
    got = paired_difference([0.50, 0.52], [0.53, 0.54])
    assert format_difference(got, scale=100) == "+2.5 [-3.9, +8.9]"


def test_bad_input_is_refused_in_words():
    with pytest.raises(ValueError, match="same seeds twice, got 2 and 3"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        summary([1.0, math.nan])
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        t_interval([1, 2], 95)
    with pytest.raises(ValueError, match="shape"):
        summary(np.zeros((2, 2)))
