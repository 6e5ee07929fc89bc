"""Contract of every registered loss: a new loss file is covered without a new test."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import losses, registry
from ltjax.types import ClassStats

from . import options

K, B = 7, 24
COUNTS = [500, 200, 90, 40, 20, 9, 5]
STATS = ClassStats(COUNTS)
Z = jnp.tanh(jax.random.normal(jax.random.key(0), (B, K)))
Y = jnp.arange(B) % K
KEY = jax.random.key(3)
PARTS = [registry.get("loss", name) for name in registry.names("loss")]
every_loss = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
drawing = pytest.mark.parametrize("part", [p for p in PARTS if "key" in p.supplied], ids=lambda part: part.name)


def target(part, y=Y):
    """What the loss reads: the label, a set of labels or a number."""
    several = jax.nn.one_hot(y, K) + jax.nn.one_hot((y + 1) % K, K)
    return {"label": y, "labels": several, "target": Y / K}[part.meta.get("reads", "label")]


def make(part, stats=STATS, key=KEY, **chosen):
    supplied = {"stats": stats, "key": key, "weight": None}
    return partial(part.fn, **{name: supplied[name] for name in part.supplied}, **chosen)


@every_loss
def test_declares_what_its_logits_mean_and_where_it_comes_from(part):
    assert part.meta["test_logits"] in ("train_posterior", "balanced", "neither")
    assert part.meta.get("reads", "label") in ("label", "labels", "target")
    assert part.supplied <= {"stats", "key", "weight"}
    assert ("weight" in part.supplied) == part.meta.get("own_weight", False)
    assert part.summary.endswith(".")
    assert set(part.bounds) | set(part.choices) | set(part.meta.get("probe", {})) <= set(part.options)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_one_float32_value_per_example(part, dtype):
    out = jax.jit(make(part))(Z.astype(dtype), target(part))
    assert out.shape == (B,)
    assert out.dtype == jnp.float32


@every_loss
def test_float64_stays_float64(part):
    with jax.enable_x64(True):
        assert make(part)(jnp.asarray(np.asarray(Z), "float64"), target(part)).dtype == jnp.float64


@every_loss
def test_compiled_and_eager_values_agree(part):
    np.testing.assert_allclose(jax.jit(make(part))(Z, target(part)), make(part)(Z, target(part)), rtol=1e-4, atol=1e-6)


@every_loss
def test_statistics_may_be_a_static_argument(part):
    rest = {name: value for name, value in {"key": KEY, "weight": None}.items() if name in part.supplied}
    out = jax.jit(part.fn, static_argnames="stats")(Z, target(part), stats=STATS, **rest)
    np.testing.assert_allclose(out, make(part)(Z, target(part)), rtol=1e-4, atol=1e-6)


@every_loss
def test_examples_do_not_talk_to_each_other(part):
    loss, y = make(part), target(part)
    moved = loss(Z.at[0].add(5.0), y)
    np.testing.assert_array_equal(moved[1:], loss(Z, y)[1:])
    grads = jax.grad(lambda z: loss(z, y)[0])(Z)
    np.testing.assert_array_equal(grads[1:], 0)


@every_loss
def test_any_leading_axes_are_accepted(part):
    loss, y = jax.jit(make(part)), target(part)
    flat = loss(Z, y)
    folded = loss(Z.reshape(2, B // 2, K), y.reshape(2, B // 2, *y.shape[1:]))
    np.testing.assert_allclose(folded, flat.reshape(2, B // 2), rtol=1e-5, atol=1e-6)
    assert loss(Z[0], y[0]).shape == ()


@every_loss
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_value_and_gradient_are_finite_at_extremes(part, size):
    stats = ClassStats([1e7, 1e6, 1e4, 100, 10, 1, 1])
    out = jax.value_and_grad(lambda z: make(part, stats)(size * z, target(part)).sum())(Z)
    chex.assert_tree_all_finite(out)
    confident = size * jnp.where(jax.nn.one_hot(Y, K) > 0, 1.0, -1.0)
    chex.assert_tree_all_finite(jax.value_and_grad(lambda z: make(part, stats)(z, target(part)).sum())(confident))


@every_loss
def test_equal_logits_and_equal_counts_are_finite(part):
    flat = jnp.full((B, K), 0.1)
    stats = ClassStats(np.full(K, 10))
    chex.assert_tree_all_finite(jax.value_and_grad(lambda z: make(part, stats)(z, target(part)).sum())(flat))


@every_loss
def test_names_of_classes_do_not_matter(part):
    order = np.random.default_rng(1).permutation(K)
    y = jnp.asarray(np.argsort(order))[Y]
    given = {name: jax.random.bernoulli(KEY, 0.5, (B, K)).astype(Z.dtype) for name in part.meta.get("draws", ())}
    moved = {name: array[:, order] for name, array in given.items()}
    there = make(part, ClassStats(np.asarray(COUNTS)[order]), **moved)(Z[:, order], target(part, y))
    here = make(part, **given)(Z, target(part))
    if part.meta.get("reads") != "labels":
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)


@every_loss
def test_second_call_does_not_retrace(part):
    loss, traces = make(part), []
    compiled = jax.jit(lambda z, y: (traces.append(1), loss(z, y))[1])
    compiled(Z, target(part))
    compiled(2 * Z, target(part))
    assert len(traces) == 1


@every_loss
def test_equal_counts_give_cross_entropy_where_claimed(part):
    if part.meta.get("reduces_to_ce"):
        stats = ClassStats(np.full(K, 30))
        np.testing.assert_allclose(make(part, stats)(3 * Z, Y), losses.ce(3 * Z, Y, stats=stats), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "option"), options.cases(PARTS))
def test_every_option_changes_the_result(name, option):
    part = registry.get("loss", name)
    one, two = options.pair(part, option, STATS)
    registry.resolve("loss", {"name": name, **two})

    def both(chosen):
        return jax.value_and_grad(lambda z: make(part, **chosen)(z, target(part)).sum())(3 * Z)

    here, there = both(one), both(two)
    assert any(not np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(here, there))


@every_loss
def test_extra_columns_are_accepted_or_refused_as_declared(part):
    wide = jnp.concatenate([Z, jnp.zeros((B, 2))], axis=1)
    declared = part.meta.get("extra_columns")
    try:
        value, grad = jax.value_and_grad(lambda z: make(part)(z, target(part)).sum())(wide)
    except (ValueError, TypeError):
        assert not declared, "declares extra_columns=True, but refuses them"
        return
    assert declared is not False, "declares extra_columns=False, but accepts them silently"
    chex.assert_tree_all_finite((value, grad))


@every_loss
def test_row_weight_scales_inside_only_where_declared(part):
    if part.meta.get("own_weight"):
        plain = make(part)(Z, target(part))
        supplied = {name: {"stats": STATS, "key": KEY}[name] for name in part.supplied - {"weight"}}
        same = part.fn(Z, target(part), weight=jnp.ones(B), **supplied)
        heavy = part.fn(Z, target(part), weight=jnp.full(B, 3.0), **supplied)
        np.testing.assert_allclose(same, plain, rtol=1e-6)
        assert (heavy > plain).all()


@drawing
def test_draws_follow_the_key(part):
    rare = ClassStats([10**5, 10**5, 10**5, 10**5, 1, 1, 1])
    here, there = make(part, rare), make(part, rare, jax.random.key(4))
    np.testing.assert_array_equal(here(Z, target(part)), here(Z, target(part)))
    assert not np.allclose(here(Z, target(part)), there(Z, target(part)))


@drawing
def test_one_key_per_row_gives_the_same_draws_however_rows_are_split(part):
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(B))
    whole = make(part, key=keys)(Z, target(part))
    halves = [make(part, key=keys[rows])(Z[rows], target(part)[rows]) for rows in (slice(0, 9), slice(9, B))]
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-6)


@drawing
def test_a_missing_key_is_told_in_one_sentence(part):
    with pytest.raises(ValueError, match=r"hand in key="):
        getattr(losses, part.name)(Z, target(part), stats=STATS)


@every_loss
def test_is_an_attribute_of_the_package(part):
    assert part.name in dir(losses)
    if "key" not in part.supplied:
        out = getattr(losses, part.name)(Z, target(part), stats=STATS)
        np.testing.assert_array_equal(out, make(part)(Z, target(part)))


def test_an_unknown_loss_is_told_with_the_nearest_name():
    with pytest.raises(AttributeError, match="Did you mean 'ldam'"):
        _ = losses.lddam
