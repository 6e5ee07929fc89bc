"""Terms against numbers worked by hand and against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import registry, terms
from ltjax.contrast import unit
from ltjax.registry import ConfigError
from ltjax.terms.anyloss import METRICS
from ltjax.terms.dataset_equity import cluster_shares, equity_weight
from ltjax.terms.feature_queue import push
from ltjax.types import ClassStats, Context

RNG = np.random.default_rng(1)
STATS = ClassStats([40, 10, 2])
CTX = Context(STATS, key=jax.random.key(0))
SPEC = {"features": 4, "classes": 3, "rows": 12, "batch": 6, "dtype": jnp.dtype("float32"), "projection": None}
Y = jnp.asarray([0, 0, 0, 1, 1, 2])
Z = jnp.asarray(RNG.normal(size=(6, 3)), "float32")
H = jnp.asarray(RNG.normal(size=(6, 4)), "float32")


def start(term):
    return term.init(jax.random.key(0), SPEC)


def apply(term, state=None, y=Y, ctx=CTX, **batch):
    state = start(term) if state is None else state
    return term.apply(state, {"logits": Z, "features": H}, {"label": y, **batch}, ctx)


def ce(z, y):
    return np.log(np.exp(z).sum()) - z[y]


def test_seesaw_counts_the_batch_before_its_loss():
    _, state, _ = apply(terms.seesaw())
    np.testing.assert_array_equal(state["counts"], [3, 2, 1])
    _, state, _ = apply(terms.seesaw(), state, mask=jnp.asarray([1, 1, 0, 1, 1, 0]))
    np.testing.assert_array_equal(state["counts"], [5, 4, 1])


def test_seesaw_follows_its_formula():
    value, _, _ = apply(terms.seesaw(mitigation=0.7, compensation=1.5, epsilon=0.2),
                        {"counts": jnp.asarray([6.0, 1.0, 0.0])})
    n, expected = [9, 3, 1], []
    for z, y in zip(np.asarray(Z, float), np.asarray(Y)):
        s = np.exp(z) / np.exp(z).sum()
        factor = [1 if j == y else min(1, n[j] / n[y]) ** 0.7 * max(1, s[j] / max(s[y], 0.2)) ** 1.5
                  for j in range(3)]
        expected.append(ce(z + np.log(factor), y))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_seesaw_leaves_a_column_beyond_the_classes_to_its_score():
    wide = jnp.concatenate([Z, jnp.full((6, 1), -1e5)], axis=1)
    value, _, _ = terms.seesaw().apply(start(terms.seesaw()), {"logits": wide}, {"label": Y}, CTX)
    np.testing.assert_allclose(value, apply(terms.seesaw())[0], rtol=1e-5)


def test_equalization_v2_weighs_by_the_state_before_the_batch():
    """At the start g = 100, so every weight is 1: plain sigmoid cross-entropies at z = 0 cost log 2 each."""
    term = terms.equalization_v2()
    value, state, _ = term.apply(start(term), {"logits": jnp.zeros((6, 3))}, {"label": Y}, CTX)
    np.testing.assert_allclose(value, np.full(6, 3 * np.log(2)), rtol=1e-6)
    np.testing.assert_allclose(state["pos_grad"], [1.5, 1, 0.5], rtol=1e-6)
    np.testing.assert_allclose(state["neg_grad"], [1.5, 2, 2.5], rtol=1e-6)
    np.testing.assert_allclose(state["pos_neg"], [1, 0.5, 0.2], rtol=1e-6)
    value, _, _ = term.apply(state, {"logits": jnp.zeros((6, 3))}, {"label": Y}, CTX)
    negative = 1 / (1 + np.exp(-12 * (np.asarray([1, 0.5, 0.2]) - 0.8)))
    weight = np.where(np.arange(3)[None] == np.asarray(Y)[:, None], 1 + 4 * (1 - negative), negative)
    np.testing.assert_allclose(value, weight.sum(1) * np.log(2), rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_influence_balanced_takes_the_row_weight_inside(gamma):
    weight = jnp.asarray([0.5, 1.0, 2.0, 3.0, 0.1, 1.0])
    value, _, _ = apply(terms.influence_balanced(alpha=10.0, gamma=gamma), weight=weight)
    expected = []
    for z, y, h, w in zip(*map(np.asarray, (Z, Y, H, weight))):
        p = np.exp(z) / np.exp(z).sum()
        influence = np.abs(p - np.eye(3)[y]).sum() * np.abs(h).sum() + 1e-3
        c = w * ce(z, y)
        expected.append((1 - np.exp(-c)) ** gamma * 10 * c / influence)
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_lade_is_cross_entropy_plus_the_weighted_regulariser():
    value, _, metrics = apply(terms.lade(alpha=0.3, remine=0.2))
    z, y, prior = np.asarray(Z, float), np.asarray(Y), STATS.prior
    plain = np.mean([ce(row + np.log(prior), label) for row, label in zip(z, y)])
    own = np.asarray([z[y == c, c].mean() for c in range(3)])
    every = np.log(np.exp(z).mean(0) / (3 * prior))
    reg = -(prior * (own - every - 0.2 * every**2)).sum()
    np.testing.assert_allclose(metrics["reg"], reg, rtol=1e-4)
    np.testing.assert_allclose(value, plain + 0.3 * reg, rtol=1e-4)


def test_lade_counts_an_absent_class_with_a_mean_logit_of_zero():
    value, grad = jax.value_and_grad(lambda z: terms.lade().apply(
        {}, {"logits": z}, {"label": jnp.zeros(6, int)}, CTX)[0])(Z)
    assert np.isfinite(value)
    assert np.isfinite(grad).all()


def soft_counts(p, t, sharp=73.0):
    high = 1 / (1 + np.exp(-sharp * (p - 0.5)))
    return (t * high).sum(0), ((1 - t) * high).sum(0), (t * (1 - high)).sum(0), ((1 - t) * (1 - high)).sum(0)


def test_anyloss_of_two_logits_is_one_minus_the_metric_of_class_one():
    y = jnp.asarray([0, 1, 1, 0, 1, 0])
    value, _, _ = terms.anyloss(metric="fbeta", beta=2.0).apply({}, {"logits": Z[:, :2]}, {"label": y}, CTX)
    p = np.asarray(jax.nn.softmax(Z[:, :2])[:, 1], float)
    tp, fp, fn, _ = soft_counts(p, np.asarray(y))
    np.testing.assert_allclose(value, 1 - 5 * tp / (5 * tp + 4 * fn + fp), rtol=1e-4)


def test_anyloss_of_several_classes_averages_over_those_in_the_batch():
    y = jnp.asarray([0, 0, 0, 1, 1, 1])
    value, _, _ = apply(terms.anyloss(metric="jaccard"), {}, y)
    tp, fp, fn, _ = soft_counts(np.asarray(jax.nn.softmax(Z), float), np.eye(3)[np.asarray(y)])
    np.testing.assert_allclose(value, 1 - np.mean((tp / (tp + fp + fn))[:2]), rtol=1e-4)


def test_anyloss_takes_a_function_of_the_confusion_matrix():
    def specificity(tp, fp, fn, tn):
        return tn / (tn + fp)

    value, _, _ = apply(terms.anyloss(metric=specificity), {})
    _, fp, _, tn = soft_counts(np.asarray(jax.nn.softmax(Z), float), np.eye(3)[np.asarray(Y)])
    np.testing.assert_allclose(value, 1 - np.mean(tn / (tn + fp)), rtol=1e-4)


def test_anyloss_names_the_nearest_metric():
    with pytest.raises(ConfigError, match="Did you mean 'gmean'"):
        terms.anyloss(metric="gmeen")


@pytest.mark.parametrize("metric", [*sorted(METRICS), "fbeta"])
@pytest.mark.parametrize("label", [0, 1])
def test_anyloss_of_a_batch_with_one_class_is_finite(metric, label):
    def loss(z):
        return terms.anyloss(metric=metric).apply({}, {"logits": z}, {"label": jnp.full(6, label)}, CTX)[0]

    value, grad = jax.value_and_grad(loss)(Z[:, :2])
    assert np.isfinite(value)
    assert np.isfinite(grad).all()


def test_metrics_of_a_known_confusion_matrix():
    tp, fp, fn, tn = map(jnp.asarray, (6.0, 2.0, 4.0, 8.0))
    expected = {"accuracy": 0.7, "balanced_accuracy": 0.7, "gmean": np.sqrt(0.6 * 0.8), "jaccard": 0.5,
                "matthews": (48 - 8) / np.sqrt(8 * 10 * 10 * 12)}
    assert set(expected) == set(METRICS)
    for name, value in expected.items():
        np.testing.assert_allclose(METRICS[name](tp, fp, fn, tn), value, rtol=1e-6)


@pytest.mark.parametrize("normalisation", ["local", "global"])
def test_bias_loss_weighs_by_variance(normalisation):
    term = terms.bias_loss(normalisation=normalisation)
    value, state, _ = apply(term, {"global_min": jnp.float32(0.01)})
    v = np.asarray(H, float).var(1, ddof=1)
    low = min(0.01, v.min()) if normalisation == "global" else v.min()
    weight = np.exp(0.3 * (v - low) / (v.max() - v.min())) - 0.3
    np.testing.assert_allclose(value, weight * [ce(z, y) for z, y in zip(np.asarray(Z), Y)], rtol=1e-4)
    np.testing.assert_allclose(state["global_min"], 0.01)


def test_bias_loss_without_a_range_weighs_all_rows_alike():
    flat = {"logits": Z, "features": jnp.ones((6, 4))}
    value, _, _ = terms.bias_loss().apply(start(terms.bias_loss()), flat, {"label": Y}, CTX)
    np.testing.assert_allclose(value, [0.7 * ce(z, y) for z, y in zip(np.asarray(Z), Y)], rtol=1e-5)


def test_bias_loss_reads_the_last_feature_map_where_there_is_one():
    outputs = {"logits": Z, "features": H, "feature_map": jnp.ones((6, 2, 2, 3))}
    value, _, _ = terms.bias_loss().apply(start(terms.bias_loss()), outputs, {"label": Y}, CTX)
    np.testing.assert_allclose(value, [0.7 * ce(z, y) for z, y in zip(np.asarray(Z), Y)], rtol=1e-5)


def test_multi_similarity_is_its_loop():
    value, _, _ = apply(terms.multi_similarity(), {})
    x, y, expected = np.asarray(unit(H), float), np.asarray(Y), 0.0
    scores = x @ x.T
    for i in range(6):
        positive = [scores[i, j] for j in range(6) if y[j] == y[i] and j != i and scores[i, j] < 1 - 1e-5]
        negative = [scores[i, j] for j in range(6) if y[j] != y[i]]
        kept_negative = [s for s in negative if positive and s + 0.1 > min(positive)]
        kept_positive = [s for s in positive if s - 0.1 < max(negative)]
        if kept_negative and kept_positive:
            expected += np.log(1 + sum(np.exp(-2 * (s - 0.5)) for s in kept_positive)) / 2
            expected += np.log(1 + sum(np.exp(40 * (s - 0.5)) for s in kept_negative)) / 40
    np.testing.assert_allclose(value.num, expected, rtol=1e-4)
    assert value.den == 6


def test_dataset_equity_weights_lie_between_their_ends():
    np.testing.assert_allclose(equity_weight(np.asarray([0.0, 0.5, 1.0]), eta=1.0, gamma=2.0), [1, 0.625, 0.5])


def test_cluster_shares_of_separate_clouds():
    """Seven rows around 0, three around 100: with two centres the shares are 0.7 and 0.3."""
    x = np.concatenate([RNG.normal(size=(7, 3)), 100 + RNG.normal(size=(3, 3))])
    np.testing.assert_allclose(cluster_shares(x, 2), [0.7] * 7 + [0.3] * 3)


def test_dataset_equity_looks_a_row_up_by_its_index():
    state = {"likelihood": jnp.asarray([0.0, 0.5, 1.0, 0.0, 0.5, 1.0])}
    value, _, _ = apply(terms.dataset_equity(gamma=1.0), state, index=jnp.asarray([2, 1, 0, 0, 1, 2]))
    weight = [0.5, 0.75, 1, 1, 0.75, 0.5]
    np.testing.assert_allclose(value, [w * ce(z, y) for w, z, y in zip(weight, np.asarray(Z), Y)], rtol=1e-5)


def test_dynamic_reweight_starts_with_the_plain_mean():
    term = terms.dynamic_loss_reweight(after=3)
    plain = np.mean([ce(z, y) for z, y in zip(np.asarray(Z), Y)])
    np.testing.assert_allclose(apply(term, {}, ctx=Context(STATS, step=2))[0], plain, rtol=1e-5)
    assert not np.allclose(apply(term, {}, ctx=Context(STATS, step=3))[0], plain, rtol=1e-3)


def test_dynamic_reweight_takes_any_registered_loss():
    for name in registry.names("loss"):
        assert np.isfinite(apply(terms.dynamic_loss_reweight(loss=name), {})[0])
    with pytest.raises(ConfigError, match="Did you mean 'ldam'"):
        terms.dynamic_loss_reweight(loss="ldamm")


def test_a_queue_overwrites_its_oldest_rows():
    queue = {"features": jnp.zeros((5, 1)), "labels": jnp.full(5, -1, jnp.int32), "at": jnp.int32(0)}
    queue = push(queue, jnp.asarray([[1.0], [2.0], [3.0]]), jnp.asarray([0, 1, 2]))
    np.testing.assert_array_equal(queue["labels"], [0, 1, 2, -1, -1])
    queue = push(queue, jnp.asarray([[4.0], [5.0], [6.0]]), jnp.asarray([3, 4, 5]))
    np.testing.assert_array_equal(queue["labels"], [5, 1, 2, 3, 4])
    np.testing.assert_array_equal(queue["features"][:, 0], [6, 2, 3, 4, 5])
    assert queue["at"] == 1


def test_feature_queue_is_supervised_contrast_over_batch_and_memory():
    term = terms.feature_queue(size=8, temperature=0.5)
    past, past_y = np.asarray(unit(H))[:2], [2, 1]
    state = push(start(term), jnp.asarray(past), jnp.asarray(past_y))
    value, new, _ = apply(term, state)
    rows, labels = np.concatenate([np.asarray(unit(H)), past]), [*np.asarray(Y), *past_y]
    expected = 0.0
    for i in range(6):
        others = [j for j in range(8) if j != i]
        log_mass = np.log(sum(np.exp(rows[i] @ rows[j] / 0.5) for j in others))
        own = [j for j in others if labels[j] == labels[i]]
        expected += -np.mean([rows[i] @ rows[j] / 0.5 - log_mass for j in own])
    np.testing.assert_allclose(value.num, expected, rtol=1e-4)
    np.testing.assert_array_equal(new["labels"], [2, 1, 0, 0, 0, 1, 1, 2])


def test_feature_queue_does_not_remember_padding():
    term = terms.feature_queue(size=8)
    _, state, _ = apply(term, mask=jnp.asarray([1.0, 1, 1, 0, 1, 0]))
    np.testing.assert_array_equal(state["labels"], [0, 0, 0, -1, 1, -1, -1, -1])


def test_feature_queue_refuses_a_memory_smaller_than_the_batch():
    with pytest.raises(ConfigError, match=r"feature_queue\.size=4 must be at least the global batch, 6"):
        start(terms.feature_queue(size=4))


class OneBatch:
    """`passes` over a split that is one batch."""

    def __call__(self, f, *args):
        return f(args, {"features": H}, {"label": jnp.minimum(Y, 1), "mask": jnp.asarray([1.0, 1, 1, 1, 1, 0])})


def test_class_means_are_those_of_the_pass_and_absent_classes_stay_unknown():
    term = terms.class_means(temperature=2.0)
    before, _, _ = apply(term)
    np.testing.assert_array_equal(before, 0)
    state = term.refresh(start(term), OneBatch(), CTX)
    mu = np.stack([np.asarray(H[:3]).mean(0), np.asarray(H[3:5]).mean(0)])
    np.testing.assert_allclose(state["means"][:2], mu, rtol=1e-5)
    np.testing.assert_array_equal(state["known"], [True, True, False])
    value, _, _ = apply(term, state)
    distance = ((np.asarray(H)[:, None] - mu[None]) ** 2).sum(-1)
    expected = [ce(-d / 2, y) if y < 2 else 0 for d, y in zip(distance, np.asarray(Y))]
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)
