"""Metrics: small cases by hand, scikit-learn where it has the same measure, parts that add up."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from ltjax import metrics, priors
from ltjax.metrics.auc import auc
from ltjax.metrics.calibration import bin_sums, gaps
from ltjax.metrics.proper import brier_rows, log_softmax, nll_rows
from ltjax.metrics.shifts import effective_sample_size, shift_name
from ltjax.registry import ConfigError
from ltjax.types import ClassStats

STATS = ClassStats([300, 100, 60, 20, 8])


RANDOM = np.random.default_rng(0)
LABELS = RANDOM.choice(5, 400, p=np.arange(1, 6) / 15)
LOGITS = RANDOM.normal(size=(400, 5)) * 1.5 + 2 * np.eye(5)[LABELS]


def test_the_report_agrees_with_scikit_learn():
    m = metrics.evaluate(LOGITS, LABELS, stats=STATS)
    p, decided = np.exp(log_softmax(LOGITS)), LOGITS.argmax(1)
    assert m["n"] == 400
    assert m["accuracy"] == pytest.approx((decided == LABELS).mean(), rel=1e-12)
    assert m["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(LABELS, decided), rel=1e-12)
    assert m["macro_f1"] == pytest.approx(f1_score(LABELS, decided, average="macro"), rel=1e-12)
    assert m["nll"] == pytest.approx(log_loss(LABELS, p), rel=1e-9)
    assert m["brier"] == pytest.approx(brier_score_loss(LABELS, p, scale_by_half=False), rel=1e-9)
    assert m["auc"] == pytest.approx(roc_auc_score(LABELS, p, multi_class="ovr"), rel=1e-12)
    assert np.trace(m["confusion"]) == sum(m["per_class"]["correct"])
    assert np.sum(m["confusion"], axis=1).tolist() == m["per_class"]["seen"]


def test_the_report_is_json_without_special_numbers():
    absent = LABELS != 3
    m = metrics.evaluate(LOGITS[absent], LABELS[absent], stats=STATS, shifts=(50, 1, -50))
    assert json.loads(json.dumps(m, allow_nan=False)) == m


def test_groups_follow_the_training_counts_alone():
    m = metrics.evaluate(LOGITS, LABELS, stats=STATS)
    hit = LOGITS.argmax(1) == LABELS
    accuracy = [hit[c == LABELS].mean() for c in range(5)]
    assert m["many"] == {"classes": 1, "accuracy": pytest.approx(accuracy[0])}
    assert m["medium"] == {"classes": 3, "accuracy": pytest.approx(np.mean(accuracy[1:4]))}
    assert m["few"] == {"classes": 1, "accuracy": pytest.approx(accuracy[4])}


def test_an_empty_group_is_none_with_no_classes():
    m = metrics.evaluate(LOGITS, LABELS, stats=ClassStats([300, 200, 150, 120, 110]))
    assert m["few"] == m["medium"] == {"classes": 0, "accuracy": None}


def test_the_report_groups_as_the_shared_arithmetic_does():
    for counts in ([500, 101, 100, 99, 21, 20, 19, 1], [3, 2, 1], [900, 800]):
        group = metrics.group_of_class(counts)
        shared = priors.groups(ClassStats(counts))
        assert [np.flatnonzero(group == g).tolist() for g in range(3)] == [ids.tolist() for ids in shared.values()]


def test_classes_absent_from_the_test_set_are_left_out_of_means():
    absent = LABELS != 4
    m = metrics.evaluate(LOGITS[absent], LABELS[absent], stats=STATS, shifts=(1,))
    assert m["absent_classes"] == 1
    assert m["few"] == {"classes": 1, "accuracy": None}
    seen, correct = np.array(m["per_class"]["seen"][:4]), np.array(m["per_class"]["correct"][:4])
    assert m["balanced_accuracy"] == pytest.approx((correct / seen).mean())
    assert m["shifts"]["uniform"]["accuracy"] == pytest.approx((correct / seen).mean())


def test_an_empty_test_set_measures_nothing():
    m = metrics.evaluate(np.zeros((0, 5)), np.zeros(0, int), stats=STATS, shifts=(10,))
    assert m["n"] == 0
    assert {m[k] for k in ("accuracy", "balanced_accuracy", "macro_f1", "auc", "nll", "brier")} == {None}
    assert m["shifts"]["forward_10"]["accuracy"] is None


def test_extra_columns_do_not_count():
    wide = np.hstack([LOGITS, np.full((400, 2), 50.0)])
    assert metrics.evaluate(wide, LABELS, stats=STATS) == metrics.evaluate(LOGITS, LABELS, stats=STATS)


def test_sums_of_parts_add_up_to_the_sums_of_the_whole():
    whole = metrics.class_sums(LOGITS, LABELS, classes=5)
    parts = [metrics.class_sums(LOGITS[i: i + 7], LABELS[i: i + 7], classes=5) for i in range(0, 400, 7)]
    joined = sum(parts[1:], parts[0])
    for field in dataclasses.fields(whole):
        a, b = getattr(whole, field.name), getattr(joined, field.name)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12)
    for exact in ("seen", "correct", "predicted", "confusion"):
        np.testing.assert_array_equal(getattr(whole, exact), getattr(joined, exact))


def test_float32_logits_are_measured_in_float64():
    m = metrics.evaluate(LOGITS.astype(np.float32), LABELS, stats=STATS)
    assert m == metrics.evaluate(LOGITS.astype(np.float32).astype(np.float64), LABELS, stats=STATS)


def test_bad_input_is_told_in_one_sentence():
    with pytest.raises(ValueError, match="leave padding rows out"):
        metrics.evaluate(LOGITS, np.where(LABELS == 0, -1, LABELS), stats=STATS)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="1 of 400 rows have a logit that is not finite"):
            metrics.evaluate(np.where(np.arange(400)[:, None] == 7, bad, LOGITS), LABELS, stats=STATS)
    with pytest.raises(ValueError, match="for 5 classes"):
        metrics.evaluate(LOGITS[:, :4], LABELS, stats=STATS)
    with pytest.raises(ConfigError, match="at least 1"):
        metrics.evaluate(LOGITS, LABELS, stats=STATS, shifts=(0,))
    with pytest.raises(ConfigError, match="Did you mean 'oltr'"):
        metrics.group_of_class([1, 2], convention="oltrr")
    with pytest.raises(ConfigError, match="many >= few"):
        metrics.group_of_class([1, 2], many=5, few=10)


def test_who_owns_the_thresholds_depends_on_the_convention():
    counts = [101, 100, 21, 20, 0]
    assert metrics.group_of_class(counts).tolist() == [0, 1, 1, 1, 2]
    assert metrics.group_of_class(counts, convention="oltr").tolist() == [0, 0, 1, 2, 2]
    assert metrics.group_of_class(counts, convention="mdlt").tolist() == [0, 1, 1, 2, 3]


def test_one_class_without_a_hit_makes_harmonic_and_geometric_means_zero():
    m = metrics.shot_metrics([0, 0, 1, 1], [0, 0, 1, 2], counts=[200, 50, 5])
    assert (m["harmonic_mean"], m["geometric_mean"], m["worst_class"]) == (0, 0, 0)
    floored = metrics.shot_metrics([0, 0, 1, 1], [0, 0, 1, 2], counts=[200, 50, 5], floor=0.25)
    assert floored["harmonic_mean"] == pytest.approx(3 / 6)
    assert floored["geometric_mean"] == pytest.approx(0.25 ** (1 / 3))


def test_calibration_error_by_hand():
    """Two of three right at confidence 0.55, one wrong at 0.95, ten bins: (|2 - 1.65| + 0.95) / 4."""
    sums = bin_sums(np.array([0.55, 0.55, 0.55, 0.95]), np.array([1.0, 1.0, 0.0, 0.0]), 10)
    ece, mce = gaps(sums)
    assert ece == pytest.approx((0.35 + 0.95) / 4)
    assert mce == pytest.approx(0.95)


def test_bins_own_their_right_edge_and_zero_belongs_to_the_first():
    sums = bin_sums(np.array([0.0, 0.2, 0.4, 1.0]), np.zeros(4), 5)
    assert sums[:, 0].tolist() == [2, 1, 0, 0, 1]


def test_proper_scores_are_the_same_in_numpy_and_jax():
    with jax.enable_x64(True):
        for rows in (nll_rows, brier_rows):
            np.testing.assert_allclose(rows(jnp.asarray(LOGITS), jnp.asarray(LABELS)), rows(LOGITS, LABELS), rtol=1e-12)


def test_a_logit_of_minus_infinity_is_a_probability_of_zero():
    z, y = np.array([[0.0, -np.inf, 0.0]]), np.array([0])
    np.testing.assert_allclose(nll_rows(z, y), [np.log(2)])
    np.testing.assert_allclose(brier_rows(z, y), [0.5])


def test_ties_count_one_half_in_the_area():
    scores = np.array([[1.0], [2.0], [2.0], [3.0]])
    positive = np.array([[False], [True], [False], [True]])
    assert auc(scores, positive)[0] == (2 + 1.5) / 4
    assert np.isnan(auc(scores, np.ones((4, 1), bool))[0])


def test_a_shifted_prior_follows_the_training_ranks():
    forward = metrics.shift_prior([5, 500, 50], 100)
    np.testing.assert_allclose(forward / forward.max(), [0.01, 1, 0.1])
    backward = metrics.shift_prior([5, 500, 50], -100)
    np.testing.assert_allclose(backward / backward.max(), [1, 0.01, 0.1])
    np.testing.assert_allclose(metrics.shift_prior([5, 500, 50], 1), [1 / 3] * 3)
    assert [shift_name(s) for s in (50, 1, -50)] == ["forward_50", "uniform", "backward_50"]


def test_shifted_accuracy_is_what_a_resampled_test_set_would_show():
    m = metrics.evaluate(LOGITS, LABELS, stats=STATS, shifts=(50,))["shifts"]["forward_50"]
    prior = metrics.shift_prior(STATS.counts, 50)
    p = prior / np.bincount(LABELS)
    rows = np.random.default_rng(0).choice(400, 200_000, p=p[LABELS] / p[LABELS].sum())
    assert m["accuracy"] == pytest.approx((LOGITS.argmax(1) == LABELS)[rows].mean(), abs=0.005)
    assert m["nll"] == pytest.approx(nll_rows(LOGITS, LABELS)[rows].mean(), rel=0.01)


def test_the_effective_sample_size_of_the_own_prior_is_the_sample_size():
    seen = np.array([10, 20, 70])
    assert effective_sample_size(seen, seen / 100) == pytest.approx(100)
    assert effective_sample_size(seen, np.array([1.0, 0.0, 0.0])) == pytest.approx(10)


def test_a_positive_prior_without_test_examples_is_refused():
    with pytest.raises(ValueError, match=r"first: \[2\]"):
        metrics.prior_weighted_accuracy([0, 1], [0, 1], counts=[3, 2, 1], target_prior=[0.4, 0.3, 0.3])
    found = metrics.prior_weighted_accuracy([0, 0], [0, 1], counts=[3, 2, 1], target_prior=[0.75, 0.25, 0.0])
    assert found["accuracy"] == 0.75
    assert found["class_weight"] == [1.5, 0.5, None]


def test_relative_accuracy_takes_the_better_reference():
    found = metrics.relative_accuracy([0.4, 0.9], [0.8, 0.5], [0.5, 0.6])
    assert found == {"upper_reference": [0.8, 0.6], "relative_accuracy": [0.5, 1.5], "beats_upper": [False, True]}
