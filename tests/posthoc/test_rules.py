"""Single rules after training: small cases worked by hand, and the fits."""

import numpy as np
import pytest

from ltjax import posthoc
from ltjax.causal import causal_logits, moved
from ltjax.posthoc.common import best_of, measured
from ltjax.posthoc.logit_adjust import fit_strength
from ltjax.posthoc.ncm import fit_means
from ltjax.posthoc.prior_shift import estimate, fit_source
from ltjax.posthoc.tau_norm import normalised
from ltjax.posthoc.temperature import fit_temperature
from ltjax.registry import ConfigError
from ltjax.types import ClassStats

STATS = ClassStats([8, 2])


def linear(features, classifier, bias=None):
    features, classifier = np.asarray(features, float), np.asarray(classifier, float)
    bias = np.zeros(len(classifier)) if bias is None else np.asarray(bias, float)
    return {"features": features, "classifier": classifier, "classifier_bias": bias,
            "logits": features @ classifier.T + bias}


def test_logit_adjustment_by_hand():
    """pi = (0.8, 0.2): equal logits move by log 1.25 and log 5, twice that for tau = 2."""
    z = {"logits": np.zeros((1, 2))}
    for tau in (1.0, 2.0):
        np.testing.assert_allclose(posthoc.logit_adjust(z, stats=STATS, tau=tau, epsilon=0.0),
                                   [[tau * np.log(1.25), tau * np.log(5)]])


def test_rules_with_the_prior_decide_alike():
    z = {"logits": np.random.default_rng(0).normal(size=(50, 2))}
    answers = [rule(z, stats=STATS).argmax(1) for rule in (posthoc.logit_adjust, posthoc.pc_softmax,
                                                           posthoc.prior_threshold)]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_the_training_prior_as_target_changes_nothing():
    z = {"logits": np.random.default_rng(0).normal(size=(5, 2))}
    np.testing.assert_allclose(posthoc.pc_softmax(z, stats=STATS, target_log_prior=STATS.log_prior), z["logits"])


def test_a_target_prior_of_another_size_is_refused():
    with pytest.raises(ConfigError, match="one number per class"):
        posthoc.pc_softmax({"logits": np.zeros((1, 2))}, stats=STATS, target_log_prior=np.zeros(3))


def test_tau_normalisation_drops_the_bias_and_l2_keeps_it():
    outputs = linear([[1.0, 2.0]], [[3.0, 4.0], [0.0, 0.5]], [10.0, -10.0])
    np.testing.assert_allclose(posthoc.tau_norm(outputs, stats=STATS, tau=1.0), [[2.2, 2.0]])
    np.testing.assert_allclose(posthoc.l2_normalizer(outputs, stats=STATS, tau=1.0), [[12.2, -8.0]])
    np.testing.assert_allclose(posthoc.l2_normalizer(outputs, stats=STATS, tau=0.0), outputs["logits"])


def test_a_classifier_row_of_zeros_stays_zero():
    assert normalised(np.zeros((1, 3)), 1.5).tolist() == [[0, 0, 0]]


def test_the_tuned_strength_is_the_best_on_the_grid():
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1], [400, 100])
    outputs = {"logits": random.normal(size=(500, 2)) + 1.5 * np.eye(2)[labels] + 2 * STATS.log_prior[None, :]}
    tau = fit_strength(outputs, labels, stats=STATS)["tau"]
    values = {t: measured(posthoc.logit_adjust(outputs, stats=STATS, tau=t), labels, "balanced_accuracy")
              for t in np.linspace(0, 3, 61)}
    assert values[tau] == max(values.values())
    assert tau == min(t for t, v in values.items() if v == max(values.values()))
    assert 1.3 < tau < 2.7


def test_measures_of_validation_logits_by_hand():
    z, labels = np.log([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]]), np.array([0, 0, 1])
    assert measured(z, labels, "accuracy") == pytest.approx(2 / 3)
    assert measured(z, labels, "balanced_accuracy") == pytest.approx(1 / 2)
    assert measured(z, labels, "nll") == pytest.approx(np.log(0.9 * 0.6 * 0.2) / 3)
    assert measured(z, labels, "balanced_nll") == pytest.approx((np.log(0.9 * 0.6) / 2 + np.log(0.2)) / 2)
    assert best_of([1.0, 2.0, 3.0], lambda x: -abs(x - 2.4)) == 2.0


def test_class_means_of_centred_unit_features_by_hand():
    """Features (3, 0), (1, 0) and (2, 3): mean (2, 1); centred they have the length sqrt 2, sqrt 2 and 2."""
    outputs = {"features": np.array([[3.0, 0.0], [1.0, 0.0], [2.0, 3.0]])}
    params = fit_means(outputs, np.array([0, 0, 1]), stats=STATS)
    np.testing.assert_allclose(params["mean"], [2, 1])
    np.testing.assert_allclose(params["centroids"], [[0, -np.sqrt(0.5)], [0, 1]], atol=1e-15)
    scores = posthoc.ncm({"features": np.array([[2.0, 9.0]])}, stats=STATS, params=params)
    np.testing.assert_allclose(scores, [[-(1 + np.sqrt(0.5)) ** 2, 0]], atol=1e-12)


def test_a_class_without_training_rows_keeps_its_place_and_is_never_chosen():
    stats = ClassStats([2, 1, 1])
    outputs = {"features": np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])}
    params = fit_means(outputs, np.array([0, 0, 2]), stats=stats)
    scores = posthoc.ncm(outputs, stats=stats, params=params)
    assert scores.argmax(1).tolist() == [0, 0, 2]
    assert (scores[:, 1] == -np.inf).all()


def test_the_fitted_temperature_undoes_a_scaling_of_the_logits():
    random = np.random.default_rng(0)
    z = random.normal(size=(4000, 2)) * 2
    labels = (random.random(4000) > 1 / (1 + np.exp(z[:, 1] - z[:, 0]))).astype(int)
    base = fit_temperature({"logits": z}, labels, stats=STATS)["temperature"]
    scaled = fit_temperature({"logits": 7 * z}, labels, stats=STATS)["temperature"]
    assert base == pytest.approx(1, abs=0.1)
    assert scaled == pytest.approx(7 * base, rel=1e-5)


def test_temperatures_per_class_must_fit_the_classes():
    z = {"logits": np.array([[2.0, 6.0]])}
    np.testing.assert_allclose(posthoc.class_temperature(z, stats=STATS, temperatures=(1.0, 3.0)), [[2, 2]])
    with pytest.raises(ConfigError, match="one number per class"):
        posthoc.class_temperature(z, stats=STATS, temperatures=(1.0, 2.0, 3.0))


def test_the_direct_effect_by_hand():
    """One head, h = (3, 4), w = (1, 0) and (0, 1), d along (1, 0): u = (0.6, 0.8), of which 0.6 alpha goes."""
    h, w, d = np.array([[3.0, 4.0]]), np.eye(2), np.array([5.0, 0.0])
    options = {"heads": 1, "scale": 1.0, "gamma": 0.0}
    np.testing.assert_allclose(causal_logits(h, w, **options), [[0.6, 0.8]])
    np.testing.assert_allclose(causal_logits(h, w, d, alpha=1.0, **options), [[0.0, 0.8]], atol=1e-15)
    np.testing.assert_allclose(causal_logits(h, w, d, alpha=3.0, **options), [[-1.2, 0.8]])


def test_heads_of_zeros_count_as_zero_in_the_direct_effect():
    z = causal_logits(np.zeros((1, 4)), np.zeros((3, 4)), np.zeros(4), heads=2, gamma=0.0)
    assert z.tolist() == [[0, 0, 0]]


def test_the_running_mean_has_no_factor_for_the_batch():
    np.testing.assert_allclose(moved(np.array([10.0]), np.array([[1.0], [3.0]]), 0.9), [11.0])


def test_heads_that_do_not_divide_the_width_are_refused():
    outputs = linear(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ConfigError, match="must divide the feature width 3"):
        posthoc.causal_tde(outputs, stats=STATS, params={"direction": np.ones(3)}, heads=2)


def shifted_sets(shares, n=6000, seed=0):
    """Two Gaussian classes with known posterior for equal shares: logits and labels."""
    random = np.random.default_rng(seed)
    labels = random.choice(2, n, p=shares)
    x = random.normal(size=n) + 2.0 * labels
    return x, labels


@pytest.mark.parametrize("estimator", ["em", "em_label_prior", "bbse_soft", "bbse_hard"])
def test_the_test_prior_is_found_and_helps(estimator):
    posterior = lambda x: np.stack([np.zeros_like(x), 2 * x - 2 + np.log(0.2 / 0.8)], axis=1)
    x, labels = shifted_sets([0.8, 0.2])
    fitted = fit_source({"logits": posterior(x)}, labels, stats=STATS)
    test, truth = shifted_sets([0.3, 0.7], seed=1)
    rule = {"estimator": estimator}
    p = 1 / (1 + np.exp(-np.diff(posterior(test), axis=1)))
    found = estimate(np.hstack([1 - p, p]), fitted, **rule)
    np.testing.assert_allclose(found.target_prior, [0.3, 0.7], atol=0.05)
    after = posthoc.prior_shift({"logits": posterior(test)}, stats=STATS, params=fitted, **rule)
    assert (after.argmax(1) == truth).mean() > (posterior(test).argmax(1) == truth).mean() + 0.05


def test_a_class_missing_from_validation_is_named():
    stats = ClassStats([5, 3, 2])
    z = np.eye(3)[[0, 1, 0, 1]] * 3
    fitted = fit_source({"logits": z}, np.array([0, 1, 0, 1]), stats=stats)
    with pytest.raises(ValueError, match=r"1 classes have no validation example \(first: \[2\]\)"):
        estimate(np.full((4, 3), 1 / 3), fitted, estimator="bbse_soft")


def test_a_class_that_is_never_predicted_makes_hard_inversion_impossible():
    z = np.array([[3.0, 0.0]] * 4)
    fitted = fit_source({"logits": z}, np.array([0, 0, 1, 1]), stats=STATS)
    with pytest.raises(ValueError, match="singular"):
        estimate(np.full((4, 2), 0.5), fitted, estimator="bbse_hard")
