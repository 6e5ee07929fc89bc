"""Shifted test sets."""

import numpy as np
import pytest

from ltjax.data.shifts import shifted_counts, shifted_prior, shifted_rows
from ltjax.registry import ConfigError
from ltjax.types import ClassStats


def test_forward_counts_are_those_of_the_published_sub_sampled_sets():
    prior = shifted_prior(np.arange(10, 0, -1), "forward", 50)
    counts = shifted_counts(prior, np.full(10, 1000))
    assert counts.tolist() == [1000, 647, 419, 271, 175, 113, 73, 47, 30, 20]


def test_backward_counts_are_those_of_the_published_sub_sampled_sets():
    prior = shifted_prior(np.arange(12, 0, -1), "backward", 10)
    counts = shifted_counts(prior, np.full(12, 100))
    assert counts.tolist() == [10, 12, 15, 18, 23, 28, 35, 43, 53, 65, 81, 100]


@pytest.mark.parametrize("ratio", [1, 2, 3, 5, 10, 25, 50, 100, 256])
@pytest.mark.parametrize("classes", [2, 10, 100, 365, 1000])
def test_counts_equal_the_truncated_formula_in_whole_numbers(classes, ratio):
    expected = [int(100 * (1 / ratio) ** (c / (classes - 1.0))) for c in range(classes)]
    prior = shifted_prior(np.arange(classes, 0, -1), "forward", ratio)
    found = shifted_counts(prior, np.full(classes, 100))
    assert found.tolist() == expected


def test_ratio_one_is_balanced_and_priors_sum_to_one():
    assert np.allclose(shifted_prior([5, 4, 3], "forward", 1), 1 / 3)
    for kind in ("forward", "backward"):
        prior = shifted_prior([5, 1, 3], kind, 25)
        assert prior.sum() == pytest.approx(1)
        assert prior.max() / prior.min() == pytest.approx(25)


def test_the_ranking_follows_the_training_counts_not_the_labels():
    forward = shifted_prior([10, 500, 90], "forward", 9)
    assert np.argsort(-forward).tolist() == [1, 2, 0]
    assert np.allclose(shifted_prior([10, 500, 90], "backward", 9)[[1, 2, 0]], np.sort(forward))


def test_ties_are_ranked_in_label_order():
    assert np.argsort(-shifted_prior([7, 7, 7, 9], "forward", 4)).tolist() == [3, 0, 1, 2]


def test_statistics_are_accepted_in_place_of_counts():
    counts = [90, 9, 1]
    assert np.array_equal(shifted_prior(ClassStats(counts)), shifted_prior(counts))


def test_rows_are_deterministic_sorted_and_follow_the_prior():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 100))
    prior = shifted_prior([5, 4, 3, 2, 1], "backward", 10)
    rows = shifted_rows(labels, prior)
    assert np.array_equal(rows, shifted_rows(labels, prior))
    assert np.all(np.diff(rows) > 0)
    assert np.bincount(labels[rows]).tolist() == shifted_counts(prior, np.full(5, 100)).tolist()
    assert not np.array_equal(rows, shifted_rows(labels, prior, seed=1))


def test_rows_of_two_ratios_are_nested():
    labels = np.repeat(np.arange(5), 100)
    wide, narrow = (shifted_rows(labels, shifted_prior(np.arange(5, 0, -1), "forward", r)) for r in (2, 50))
    assert set(narrow) < set(wide)


def test_an_unbalanced_test_set_gives_the_largest_subset_that_has_the_prior():
    counts = shifted_counts(np.array([0.5, 0.5, 0.0]), np.array([30, 100, 7]))
    assert counts.tolist() == [30, 30, 0]


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: shifted_prior([3, 2], "foward"), "Did you mean 'forward'"),
    (lambda: shifted_prior([3, 2], "forward", 0.5), "ratio=0.5 must be finite and at least 1"),
    (lambda: shifted_rows(np.array([0, 0]), np.array([0.5, 0.5])), "class 1 has a positive prior but no"),
    (lambda: shifted_rows(np.array([0, 2]), np.array([0.5, 0.5])), "labels run from 0 to 2"),
    (lambda: shifted_counts(np.array([0.5, -0.5]), np.array([3, 3])), "not negative"),
    (lambda: shifted_counts(np.array([0.5]), np.array([3, 3])), "a prior of 1 classes"),
])
def test_faults_are_told_in_one_sentence(call, sentence):
    with pytest.raises(ConfigError, match=sentence):
        call()
