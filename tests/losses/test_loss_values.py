"""Losses against numbers worked by hand and against plain loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import losses
from ltjax.losses.stable import cross_entropy, draw, focusing
from ltjax.registry import ConfigError
from ltjax.types import ClassStats

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(6, 4))
Y = np.asarray([0, 1, 2, 3, 1, 0])
STATS = ClassStats([64, 16, 4, 1])


def rows(f):
    """A loss by a plain loop in float64: `f(z, y)` for every row."""
    return np.asarray([f(z, y) for z, y in zip(Z, Y)])


def ce(z, y):
    return np.log(np.exp(z).sum()) - z[y]


def close(loss, expected, rtol=1e-10):
    with jax.enable_x64(True):
        np.testing.assert_allclose(loss(jnp.asarray(Z), jnp.asarray(Y)), expected, rtol=rtol)


def test_cross_entropy_is_exact_for_confident_rows():
    """log(1 + e^-20) = 2.0612e-9: the difference of a logsumexp and a logit gives 0 in float32."""
    z = jnp.asarray([[20.0, 0.0]])
    np.testing.assert_allclose(cross_entropy(z, jnp.asarray([0])), [np.log1p(np.exp(-20))], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda z: cross_entropy(z, jnp.asarray([0])).sum())(z)[0, 1],
                               np.exp(-20), rtol=1e-5)


def test_cross_entropy_of_one_column_is_zero_with_a_zero_gradient():
    value, grad = jax.value_and_grad(lambda z: cross_entropy(z, jnp.zeros(3, int)).sum())(jnp.ones((3, 1)))
    assert value == 0
    np.testing.assert_array_equal(grad, 0)


def test_cross_entropy_with_all_rivals_left_out_is_zero():
    keep = jnp.asarray([[False, False, False]])
    value, grad = jax.value_and_grad(lambda z: cross_entropy(z, jnp.asarray([1]), keep).sum())(
        jnp.asarray([[3.0, -2.0, 50.0]]))
    assert value == 0
    np.testing.assert_array_equal(grad, 0)


def test_cross_entropy_takes_whole_numbers_and_numpy():
    out = losses.ce(np.asarray([[1, 2]]), np.asarray([0]), stats=STATS)
    np.testing.assert_allclose(out, [np.log1p(np.e)], rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_follows_its_formula(gamma):
    weight = np.asarray([0.5, 2.0, 1.0, 3.0])

    def one(z, y):
        c = weight[y] * ce(z, y)
        return (1 - np.exp(-c)) ** gamma * c

    def loss(z, y):
        return losses.focal(z, y, stats=STATS, weight=jnp.asarray(weight)[y], gamma=gamma)

    close(loss, rows(one))


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_focusing_has_a_finite_slope_at_zero_loss(gamma):
    for loss in (0.0, 1e-45, 1e-38, 1e-20):
        assert np.isfinite(jax.grad(lambda c: focusing(c, gamma) * c)(jnp.float32(loss)))


def test_a_detached_modulator_keeps_the_value_and_scales_the_gradient():
    z, y = jnp.asarray(Z, "float32"), jnp.asarray(Y)
    plain = functools.partial(losses.focal, stats=STATS, gamma=2.0)
    np.testing.assert_array_equal(plain(z, y, detach=True), plain(z, y))
    grad = jax.grad(lambda z: plain(z, y, detach=True).sum())(z)
    modulator = (1 - jnp.exp(-cross_entropy(z, y))) ** 2
    base = jax.grad(lambda z: cross_entropy(z, y).sum())(z)
    np.testing.assert_allclose(grad, modulator[:, None] * base, rtol=1e-4, atol=1e-7)


def test_ldam_by_hand():
    """n = (16, 1) gives margins 1/4 and 1/2; at z = 0 the loss is log(1 + e^(s margin))."""
    out = losses.ldam(jnp.zeros((2, 2)), jnp.asarray([0, 1]), stats=ClassStats([16, 1]), scale=2.0)
    np.testing.assert_allclose(out, np.log1p(np.exp([0.5, 1.0])), rtol=1e-6)


def test_adjusted_losses_follow_their_formulas():
    n, prior = STATS.counts, STATS.prior
    close(functools.partial(losses.balanced_softmax, stats=STATS), rows(lambda z, y: ce(z + np.log(n), y)))
    close(functools.partial(losses.logit_adjusted, stats=STATS, tau=1.5, epsilon=0.01),
          rows(lambda z, y: ce(z + np.log(prior**1.5 + 0.01), y)))
    close(functools.partial(losses.vs, stats=STATS, gamma=0.25, tau=0.5),
          rows(lambda z, y: ce(z * (n / 64) ** 0.25 + 0.5 * np.log(prior), y)))
    close(functools.partial(losses.cdt, stats=STATS, gamma=0.25), rows(lambda z, y: ce(z * (n / 64) ** 0.25, y)))
    target = np.asarray([1.0, 2.0, 3.0, 4.0])
    close(functools.partial(losses.bayias, stats=STATS, target_prior=tuple(target)),
          rows(lambda z, y: ce(z + np.log(prior) - np.log(target), y)))
    close(functools.partial(losses.class_temperature, stats=STATS, temperatures=tuple(target)),
          rows(lambda z, y: ce(z / target, y)))


def test_losses_meet_where_the_papers_say():
    z, y = jnp.asarray(Z, "float32"), jnp.asarray(Y)
    balanced = losses.balanced_softmax(z, y, stats=STATS)
    for same in (losses.logit_adjusted(z, y, stats=STATS), losses.bayias(z, y, stats=STATS),
                 losses.vs(z, y, stats=STATS, gamma=0.0), losses.pairwise_margin(z, y, stats=STATS)):
        np.testing.assert_allclose(same, balanced, rtol=1e-4)
    np.testing.assert_allclose(losses.vs(z, y, stats=STATS, tau=0.0, gamma=0.2), losses.cdt(z, y, stats=STATS),
                               rtol=1e-5)
    np.testing.assert_allclose(losses.ldam(z, y, stats=STATS, max_margin=0.0, scale=1.0),
                               losses.ce(z, y, stats=STATS), rtol=1e-5)
    np.testing.assert_allclose(losses.label_aware_smoothing(z, y, stats=STATS, smooth_head=0.0, smooth_tail=0.0),
                               losses.ce(z, y, stats=STATS), rtol=1e-5)


@pytest.mark.parametrize("kind", ["logit_adjust", "adaptive_margin", "equalised", "balanced"])
def test_pairwise_margin_is_its_double_sum(kind):
    prior, tau, threshold, gamma = STATS.prior, 1.2, 0.1, 0.3
    delta, alpha = np.zeros((4, 4)), np.ones(4)
    for a in range(4):
        for b in range(4):
            if a != b:
                delta[a, b] = {"logit_adjust": tau * np.log(prior[b] / prior[a]), "adaptive_margin": prior[a] ** -0.25,
                               "equalised": 0.0 if prior[b] >= threshold else np.log(gamma), "balanced": 0.0}[kind]
    if kind == "balanced":
        alpha = 1 / prior

    def one(z, y):
        return alpha[y] * np.log(1 + sum(np.exp(delta[y, j] + z[j] - z[y]) for j in range(4) if j != y))

    close(functools.partial(losses.pairwise_margin, stats=STATS, kind=kind, tau=tau, threshold=threshold,
                            gamma=gamma), rows(one))


@pytest.mark.parametrize("form", ["softmax", "sigmoid", "focal"])
def test_class_balanced_loss_follows_its_formula(form):
    beta, gamma = 0.99, 1.5
    weight = (1 - beta) / (1 - beta**STATS.counts)
    weight *= 4 / weight.sum()

    def one(z, y):
        if form == "softmax":
            return weight[y] * ce(z, y)
        p, t = 1 / (1 + np.exp(-z)), np.arange(4) == y
        modulator = np.where(t, 1 - p, p) ** gamma if form == "focal" else 1
        return weight[y] * -(modulator * np.where(t, np.log(p), np.log(1 - p))).sum()

    close(functools.partial(losses.class_balanced, stats=STATS, form=form, beta=beta, gamma=gamma), rows(one))


def test_class_balanced_focal_keeps_a_hopeless_positive():
    """At z = -1000 the modulator of the label's column is 1, so its slope is -1, not 0."""
    grad = jax.grad(lambda z: losses.class_balanced(z, jnp.asarray([0]), stats=ClassStats([5, 5])).sum())(
        jnp.asarray([[-1000.0, 0.0]]))
    np.testing.assert_allclose(grad[0, 0], -1, rtol=1e-6)


def test_binary_port_clamps_each_logarithm_without_gradient():
    """A gap of 300: log p of the label is clamped at -100, log(1 - p) of the rival too; both slopes vanish."""
    value, grad = jax.value_and_grad(
        lambda z: losses.cb_softmax_bce_port(z, jnp.asarray([0]), stats=ClassStats([7, 7])).sum())(
            jnp.asarray([[0.0, 300.0]]))
    np.testing.assert_allclose(value, 100.0, rtol=1e-6)
    np.testing.assert_array_equal(grad, 0)


def test_equalization_softmax_spares_only_drawn_rare_rivals():
    mask = RNG.integers(0, 2, (6, 4))
    rare = STATS.prior < 0.2

    def one(z, y, m):
        w = [0 if m[k] and rare[k] and k != y else 1 for k in range(4)]
        return np.log((w * np.exp(z)).sum()) - z[y]

    close(functools.partial(losses.equalization_softmax, stats=STATS, mask=mask, threshold=0.2),
          np.asarray([one(z, y, m) for z, y, m in zip(Z, Y, mask)]))


def test_equalization_sigmoid_pushes_everything_down_in_background_rows():
    """Label 2 of two classes is background: at z = 0 both columns cost log 2; label 0 spares the rare column."""
    stats = ClassStats([99, 1])
    out = losses.equalization_sigmoid(jnp.zeros((2, 2)), jnp.asarray([2, 0]), stats=stats, threshold=0.05)
    np.testing.assert_allclose(out, [2 * np.log(2), np.log(2)], rtol=1e-6)


@pytest.mark.parametrize(("shape", "middle"), [("concave", np.sin(np.pi / 4)), ("linear", 0.5),
                                               ("convex", 1 + np.sin(1.75 * np.pi)), ("exp", 0.5**3)])
def test_smoothing_of_the_middle_class(shape, middle):
    """Counts 1, 3, 5: the middle class stands at r = 1/2 between tail 0.1 and head 0.5."""
    stats = ClassStats([1, 3, 5])
    close_to = 0.1 + 0.4 * middle
    z = jnp.asarray([[1.0, 0.0, -1.0]])
    log_p = jax.nn.log_softmax(z)[0]
    out = losses.label_aware_smoothing(z, jnp.asarray([1]), stats=stats, smooth_head=0.5, smooth_tail=0.1,
                                       shape=shape, power=3.0)
    np.testing.assert_allclose(out[0], -(1 - close_to) * log_p[1] - close_to * log_p.mean(), rtol=1e-5)


def test_smoothing_over_wrong_classes_leaves_the_label_out():
    stats, z = ClassStats([4, 4, 4]), jnp.asarray([[0.3, -0.2, 1.0]])
    log_p = jax.nn.log_softmax(z)[0]
    out = losses.label_aware_smoothing(z, jnp.asarray([0]), stats=stats, smooth_head=0.4, spread="wrong")
    np.testing.assert_allclose(out[0], -0.6 * log_p[0] - 0.2 * (log_p[1] + log_p[2]), rtol=1e-5)


def test_gcl_without_a_tail_has_no_noise():
    z, y = jnp.asarray(Z, "float32"), jnp.asarray(Y)
    out = losses.gcl(z, y, stats=ClassStats([9, 9, 9, 9]), key=jax.random.key(0), scale=1.0)
    np.testing.assert_allclose(out, losses.ce(z, y, stats=STATS), rtol=1e-5)


def test_gcl_clouds_the_rarest_class_most():
    """Noise 1, k = 0.5: the rarest class loses 0.5, the middle one of (16, 4, 1) half of that, the largest nothing."""
    out = losses.gcl(jnp.zeros((1, 3)), jnp.asarray([2]), stats=ClassStats([16, 4, 1]), noise=jnp.full((1, 3), -1.0),
                     scale=1.0, margin=0.1)
    np.testing.assert_allclose(out, [ce(np.asarray([0, -0.25, -0.6]), 2)], rtol=1e-6)


def test_z_loss_does_not_see_shift_and_scale():
    z, y = jnp.asarray(Z, "float32"), jnp.asarray(Y)
    plain = losses.z_loss(z, y, stats=STATS)
    np.testing.assert_allclose(losses.z_loss(100 + 3 * z, y, stats=STATS), plain, rtol=1e-4)


def test_z_loss_of_a_constant_row_is_log_two_with_a_zero_gradient():
    """0.1 added up in float32 is not exactly its mean: a constant row must still have scores of 0."""
    value, grad = jax.value_and_grad(lambda z: losses.z_loss(z, jnp.asarray([3]), stats=STATS).sum())(
        jnp.full((1, 7), 0.1))
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)
    np.testing.assert_array_equal(grad, 0)


@pytest.mark.parametrize("name", ["ce", "ldam", "balanced_softmax", "logit_adjusted", "vs", "cdt", "bayias",
                                  "pairwise_margin", "class_temperature"])
def test_a_hopeless_extra_column_changes_nothing(name):
    z, y = jnp.asarray(Z, "float32"), jnp.asarray(Y)
    wider = jnp.concatenate([z, jnp.full((6, 1), -1e5)], axis=1)
    loss = functools.partial(getattr(losses, name), stats=STATS)
    np.testing.assert_allclose(loss(wider, y), loss(z, y), rtol=1e-5)


def test_a_wrong_number_of_temperatures_is_told():
    with pytest.raises(ConfigError, match=r"class_temperature\.temperatures has 2 entries, but the data has 4"):
        losses.class_temperature(jnp.zeros((1, 4)), jnp.asarray([0]), stats=STATS, temperatures=(1.0, 2.0))


def test_old_style_keys_draw_too():
    """A raw uint32 key is one key, not two keys of rows."""
    sample = functools.partial(draw, jax.random.normal, shape=(3, 2), what="x")
    np.testing.assert_array_equal(sample(jax.random.PRNGKey(5)), sample(jax.random.key(5)))
