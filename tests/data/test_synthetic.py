"""The mixture and the accuracies that are claimed for it."""

import json

import numpy as np
import pytest

from ltjax.data.synthetic import optimal_accuracies, synthetic
from ltjax.registry import ConfigError


def bayes_scores(dataset, x, log_prior):
    """Log posteriors up to a constant from the stored means and covariance alone."""
    means, covariance = np.array(dataset.truth["class_means"]), np.array(dataset.truth["covariance"])
    weights = np.linalg.solve(covariance, means.T)
    return x @ weights - 0.5 * np.sum(means * weights.T, axis=1) + log_prior


def class_accuracy(scores, label):
    hits = scores.argmax(axis=1) == label
    return np.bincount(label, hits) / np.bincount(label)


def test_two_classes_have_the_closed_form_accuracy():
    truth = optimal_accuracies(np.array([30, 30]), separation=2.0)
    assert truth["bayes_balanced_accuracy"] == pytest.approx(0.841344746068543, abs=1e-12)  # Phi(1)
    assert truth["standard_error"] < 1e-11


@pytest.mark.parametrize(("classes", "imbalance"), [(2, 100.0), (5, 50.0), (9, 10.0)])
def test_the_claimed_accuracies_hold_on_fresh_draws(classes, imbalance):
    dataset = synthetic(classes=classes, imbalance=imbalance, test_per_class=20_000, dim=9)
    x, label = dataset.test["x"].astype(np.float64), dataset.test["label"]
    uniform = class_accuracy(bayes_scores(dataset, x, 0.0), label)
    prior = dataset.counts / dataset.counts.sum()
    own = class_accuracy(bayes_scores(dataset, x, np.log(prior)), label)
    slack = 4 * 0.5 / np.sqrt(20_000)  # four standard errors of one class's accuracy, at most
    assert abs(uniform.mean() - dataset.truth["bayes_balanced_accuracy"]) < slack / np.sqrt(classes)
    assert abs(prior @ own - dataset.truth["bayes_train_accuracy"]) < slack
    assert np.abs(own - dataset.truth["train_rule_class_accuracy"]).max() < slack
    assert abs(own.mean() - dataset.truth["train_rule_balanced_accuracy"]) < slack / np.sqrt(classes)


def test_the_uniform_rule_is_the_best_balanced_one_and_the_trained_rule_the_best_under_its_prior():
    counts = np.array([2000, 752, 282, 106, 40])
    prior = counts / counts.sum()
    truth = optimal_accuracies(counts, 3.0)
    assert truth["train_rule_balanced_accuracy"] < truth["bayes_balanced_accuracy"]
    assert truth["bayes_balanced_accuracy"] < truth["bayes_train_accuracy"]  # equal accuracy in every class
    assert np.all(np.diff(truth["train_rule_class_accuracy"]) < 0)
    assert prior @ truth["train_rule_class_accuracy"] == pytest.approx(truth["bayes_train_accuracy"])


def test_all_classes_are_equally_far_apart_in_the_metric_of_the_covariance():
    dataset = synthetic(classes=6, dim=5, separation=2.5)
    means, covariance = np.array(dataset.truth["class_means"]), np.array(dataset.truth["covariance"])
    gaps = means[:, None] - means[None]
    squared = np.einsum("abi,ij,abj->ab", gaps, np.linalg.inv(covariance), gaps)
    assert np.allclose(squared[~np.eye(6, dtype=bool)], 2.5**2)


def test_a_seed_fixes_everything_and_the_test_rows_do_not_depend_on_the_training_options():
    a, b = synthetic(), synthetic()
    c = synthetic(imbalance=10.0, subset_seed=3, largest=100)
    assert np.array_equal(a.train["x"], b.train["x"])
    assert np.array_equal(a.test["x"], c.test["x"])
    assert not np.array_equal(a.train["x"][:100], c.train["x"][:100])
    assert not np.array_equal(a.test["x"], synthetic(seed=1).test["x"])


def test_training_rows_of_a_smaller_count_are_among_those_of_a_larger_one():
    small, large = synthetic(imbalance=100.0), synthetic(imbalance=10.0)
    last = {tuple(row) for row in large.train["x"][large.train["label"] == 4]}
    assert {tuple(row) for row in small.train["x"][small.train["label"] == 4]} <= last


def test_truth_and_info_are_fit_for_json():
    dataset = synthetic(val_per_class=5)
    json.dumps([dataset.truth, dataset.info])
    assert dataset.counts.tolist() == [1995, 747, 277, 101, 35]
    assert np.bincount(dataset.val["label"]).tolist() == [5] * 5


def test_too_few_dimensions_for_equal_distances_are_refused():
    with pytest.raises(ConfigError, match="need dim=9 or more"):
        synthetic(classes=10, dim=4)
