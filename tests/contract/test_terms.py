"""Contract of every registered term: a new term file is covered without a new test."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import registry, terms
from ltjax.terms.base import Term, no_state
from ltjax.types import Alone, ClassStats, Context, Sum

from . import devices, options
from .devices import PADDED, STATS, C, Passes, batches, spec

PARTS = [registry.get("term", name) for name in registry.names("term")]
every_term = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
NEEDS = {"features", "projection", "classifier", "views", "ema", "teacher"}


def needs(part):
    return part.meta["needs"]


def started(part, dtype="float32", order=None, stats=STATS, **chosen):
    """A term and its state, after its first refresh where it has one."""
    term = part.fn(**chosen)
    state = jax.tree.map(jnp.asarray, term.init(jax.random.key(0), spec(dtype)))
    if term.refresh is not None:
        state = term.refresh(state, Passes(dtype, order), Context(stats))
    return term, state


@functools.cache
def compiled(name):
    """The term with its defaults, its state and its compiled step on one device, shared by the tests."""
    term, state = started(registry.get("term", name))
    return term, state, jax.jit(devices.step_on_one(term))


def run(part, size=1.0, **chosen):
    """Losses, gradients and states of two steps on one device."""
    if chosen:
        term, state = started(part, **chosen)
        step = jax.jit(devices.step_on_one(term))
    else:
        _, state, step = compiled(part.name)
    out = []
    for given in batches("float32", needs(part), size):
        loss, grads, state = step(state, *given)
        out.append((loss, grads, state))
    return out


@every_term
def test_declares_what_it_needs_and_what_it_returns(part):
    assert set(needs(part)) <= NEEDS
    assert part.meta["value"] in ("example", "sum", "batch")
    assert part.meta.get("test_logits") in (None, "train_posterior", "balanced", "neither")
    assert part.meta.get("refreshes", False) == (part.fn().refresh is not None), "the loop reads `refreshes`"
    assert part.name not in registry.names("loss"), "losses and terms share their names in a config"
    assert part.summary.endswith(".")
    assert not part.supplied
    assert set(part.bounds) | set(part.choices) | set(part.meta.get("probe", {})) <= set(part.options)


@every_term
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_value_has_the_declared_form_in_float32(part, dtype):
    term, state = started(part)
    _, outputs, _ = next(batches(dtype, needs(part)))
    _, _, batch = next(batches("float32"))
    call = jax.jit(lambda s, o, b: term.apply(s, o, b, Context(STATS, key=jax.random.key(1))))
    value, _, metrics = call(state, outputs, batch)
    form = "sum" if isinstance(value, Sum) else "batch" if jnp.ndim(value) == 0 else "example"
    assert form == part.meta["value"]
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(value))
    assert all(jnp.ndim(metric) == 0 for metric in metrics.values())
    if form == "example":
        assert value.shape[-1] == batch["label"].size


@every_term
def test_state_keeps_its_structure_and_strong_types(part):
    term, state = started(part)
    new = jax.eval_shape(devices.step_on_one(term), state, *next(batches("float32", needs(part))))[2]
    before, after = jax.eval_shape(lambda s: s, state), new
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for old, moved in zip(jax.tree.leaves(before), jax.tree.leaves(after)):
        assert (old.shape, old.dtype) == (moved.shape, moved.dtype)
        assert not moved.weak_type


@every_term
def test_eight_devices_agree_with_one_in_float64(part):
    with jax.enable_x64(True):
        term, state = started(part, "float64")
        one, other = jax.jit(devices.step_on_one(term)), state
        many = devices.step_on_many(term, next(batches("float64", needs(part)))[1])
        for given in batches("float64", needs(part)):
            loss, grads, state = one(state, *given)
            got_loss, got_grads, other = many(other, *given)
            assert loss.dtype == jnp.float64
            np.testing.assert_allclose(got_loss, loss, rtol=1e-11, err_msg="value")
            chex.assert_trees_all_close(got_grads, grads, rtol=1e-9, atol=1e-13)
            chex.assert_trees_all_close(other, state, rtol=1e-11, atol=1e-13)


@every_term
def test_padding_rows_count_nowhere(part):
    _, state, step = compiled(part.name)
    (number, outputs, batch), after = batches("float32", needs(part))
    loss, grads, new = step(state, number, outputs, batch)
    rows = {name for name in outputs if name not in (*devices.SHARED, "ema", "teacher")}
    noisy = {name: array.at[..., -PADDED:, :].set(30.0) if name in rows else array
             for name, array in outputs.items()}
    label = batch["label"].at[-PADDED:].set(1)
    other_loss, other_grads, other = step(state, number, noisy, {**batch, "label": label})
    np.testing.assert_allclose(other_loss, loss, rtol=1e-6)
    for name in rows:
        np.testing.assert_array_equal(grads[name][..., -PADDED:, :], 0)
        np.testing.assert_array_equal(other_grads[name][..., -PADDED:, :], 0)
    later = [step(s, *after)[0] for s in (new, other)]
    np.testing.assert_allclose(*later, rtol=1e-6, err_msg="a padding row moved the state")


@every_term
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_value_gradient_and_state_are_finite_at_extremes(part, size):
    for result in run(part, size=size):
        chex.assert_tree_all_finite(result)


@every_term
def test_extreme_counts_are_finite(part):
    term, state = started(part)
    step = jax.jit(devices.step_on_one(term, ClassStats([1e7, 1e4, 10, 1, 1])))
    for given in batches("float32", needs(part)):
        loss, grads, state = step(state, *given)
        chex.assert_tree_all_finite((loss, grads, state))


@every_term
def test_names_of_classes_do_not_matter(part):
    order = np.random.default_rng(2).permutation(C)
    label_of = jnp.asarray(np.argsort(order), "int32")
    term, state, step = compiled(part.name)
    _, moved_state = started(part, order=order)
    moved_step = jax.jit(devices.step_on_one(term, ClassStats(devices.COUNTS[order])))
    by_class = {"logits": -1, "classifier": -2}
    for number, outputs, batch in batches("float32", needs(part)):
        loss, _, state = step(state, number, outputs, batch)
        moved = {name: jnp.take(array, order, by_class[name]) if name in by_class else array
                 for name, array in outputs.items()}
        got, _, moved_state = moved_step(moved_state, number, moved, {**batch, "label": label_of[batch["label"]]})
        np.testing.assert_allclose(got, loss, rtol=1e-4)


@every_term
def test_second_step_does_not_retrace(part):
    term, state = started(part)
    step, traces = devices.step_on_one(term), []
    counted = jax.jit(lambda *args: (traces.append(1), step(*args))[1])
    for given in batches("float32", needs(part)):
        state = counted(state, *given)[2]
    assert len(traces) == 1


@pytest.mark.parametrize(("name", "option"), options.cases(PARTS))
def test_every_option_changes_the_result(name, option):
    part = registry.get("term", name)
    one, two = options.pair(part, option, STATS)
    here, there = run(part, **one), run(part, **two)
    leaves = zip(jax.tree.leaves([r[:2] for r in here]), jax.tree.leaves([r[:2] for r in there]))
    assert any(not np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in leaves)


@every_term
def test_refresh_keeps_the_state_and_repeats_exactly(part):
    term = part.fn()
    if term.refresh is None:
        return
    state = term.init(jax.random.key(0), spec())
    one, two = (term.refresh(state, Passes(), Context(STATS)) for _ in range(2))
    chex.assert_trees_all_equal(one, two)
    chex.assert_trees_all_equal_shapes_and_dtypes(one, state)
    assert any(not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(state)))


@every_term
def test_works_with_the_three_arrays_a_user_has(part):
    """No mask, weight or mesh: a plain call outside the trainer."""
    term, state = started(part)
    _, outputs, batch = next(batches("float32", needs(part)))
    value, _, _ = term.apply(state, outputs, {"label": batch["label"], "index": batch["index"]},
                             Context(STATS, across=Alone(), key=jax.random.key(0)))
    chex.assert_tree_all_finite(value)


def test_a_drawing_loss_inside_a_term_draws_the_same_on_eight_devices():
    term, given = terms.dynamic_loss_reweight(loss="gcl"), next(batches("float32"))
    alone = devices.step_on_one(term)({}, *given)
    many = devices.step_on_many(term, given[1])({}, *given)
    chex.assert_trees_all_close(many, alone, rtol=1e-5, atol=1e-6)


def test_a_contrast_over_local_rows_is_noticed():
    """The comparison of devices can fail: a term that forgets to gather gives another value on eight."""
    def apply(state, outputs, batch, ctx):
        scores = outputs["features"] @ outputs["features"].T
        return Sum(jax.nn.logsumexp(scores, axis=-1).sum(), batch["mask"].sum()), state, {}

    term = Term(no_state, apply)
    given = next(batches("float32"))
    alone = devices.step_on_one(term)({}, *given)[0]
    assert not np.allclose(devices.step_on_many(term, given[1])({}, *given)[0], alone, rtol=1e-2)
