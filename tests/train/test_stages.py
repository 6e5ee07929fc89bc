"""What a change of stage keeps and what it starts anew; projections; the averaged network."""

import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.registry import register
from ltjax.terms.base import Term, no_state
from ltjax.train.loop import fit
from tests.train.by_hand import LINEAR, Digits, gradient, log_probabilities, train
from tests.train.setting import assert_equal, config, tensors

STEPS = 4
FIRST = Stage("first", 0.5)
SETS = {"model.hidden": (8,), "optim.batch": 16, "optim.schedule": "constant"}


def run(*stages, init=None, **sets):
    return fit(config(*stages, **SETS, **sets), steps_per_epoch=[[STEPS]] * len(stages), init=init)


@pytest.fixture(scope="module")
def first():
    """The end of the first stage alone."""
    return run(Stage("first", 1.0))


def parts(tree, start):
    return {k: v for k, v in tensors(tree).items() if k.startswith(start)}


def test_a_frozen_trunk_keeps_its_bits_while_its_statistics_move(first):
    both = run(FIRST, Stage("head", 0.5, train="head/.*", reset="head/.*"))
    assert_equal(parts(both.params, "trunk"), parts(first.params, "trunk"))
    for path, value in tensors(both.model_state).items():
        assert (value != tensors(first.model_state)[path]).any(), path
    for path, value in parts(both.params, "head").items():
        assert (value != tensors(first.params)[path]).any(), path


def test_running_normalisation_moves_nothing(first):
    both = run(FIRST, Stage("head", 0.5, train="head/kernel", batchnorm="running"))
    assert_equal(both.model_state, first.model_state)
    assert_equal(parts(both.params, "trunk"), parts(first.params, "trunk"))
    assert_equal(parts(both.params, "head/bias"), parts(first.params, "head/bias"))


def test_at_rate_zero_a_stage_shows_what_it_started_with(first):
    still = dict(lr=0.0)
    kept = run(FIRST, Stage("second", 0.5, optim=still))
    assert_equal(kept.params, first.params)
    drawn = run(FIRST, Stage("second", 0.5, reset="head/.*", optim=still))
    assert_equal(parts(drawn.params, "trunk"), parts(first.params, "trunk"))
    kernel, before = (tensors(r.params)["head/kernel"] for r in (drawn, first))
    assert not np.isclose(kernel, before).any()
    assert kernel.std() == pytest.approx(np.sqrt(2 / 8), rel=0.3)  # He initialisation of 8 features
    assert not tensors(drawn.params)["head/bias"].any()
    head = {"head/kernel": before + 1, "head/bias": np.arange(10, dtype=before.dtype)}
    overlaid = run(FIRST, Stage("second", 0.5, reset="head/.*", optim=still), init=[None, head])
    assert_equal(parts(overlaid.params, "head"), head)


def test_another_head_keeps_tensors_of_equal_path_and_starts_the_others(first):
    scaled = run(FIRST, Stage("scales", 0.5, head="scaled", train="head/scale", optim=dict(lr=0.0)))
    found = tensors(scaled.params)
    assert_equal({k: found[k] for k in tensors(first.params)}, first.params)
    assert (found["head/scale"] == 1).all()


def test_a_new_stage_starts_with_empty_momentum():
    digits = Digits()
    plan = digits.plan(6)
    given = config(Stage("one", 0.5), Stage("two", 0.5), **LINEAR, optim__batch=16, optim__schedule="constant",
                   optim__lr=0.2, optim__weight_decay=0.0)
    result = fit(given, init=[digits.params, None], plan=plan, steps_per_epoch=[[3], [3]])
    middle = Digits()
    middle.params = train(digits, plan[:3], [0.2] * 3)[0]
    wanted = train(middle, plan[3:], [0.2] * 3)[0]
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(value, wanted[path], rtol=1e-9, err_msg=path)


@pytest.mark.parametrize("every", ["step", "epoch"])
def test_class_vectors_are_shortened_when_asked(every):
    digits, rate = Digits(), 0.5
    plan = digits.plan(6)
    stage = Stage(project=dict(name="max_norm", threshold=0.2, every=every))
    given = config(stage, **LINEAR, optim__batch=16, optim__schedule="constant", optim__lr=rate,
                   optim__weight_decay=0.0, optim__momentum=0.0)
    result = fit(given, init=[digits.params], plan=plan, steps_per_epoch=[[3, 3]])
    params = dict(digits.params)
    norms = np.linalg.norm(params["head/kernel"], axis=0)
    longest = norms.min() + 0.2 * (norms.max() - norms.min())
    for step, rows in enumerate(plan):
        grad = gradient(params, digits.x[rows], digits.label[rows])
        params = {k: params[k] - rate * grad[k] for k in params}
        if every == "step" or step in (2, 5):
            norms = np.linalg.norm(params["head/kernel"], axis=0)
            params["head/kernel"] = params["head/kernel"] * np.minimum(1, longest / norms)
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(value, params[path], rtol=1e-9, err_msg=path)


def test_the_averaged_network_moves_after_each_update():
    @register("term", "test_lag", needs=("ema",), value="example")
    def test_lag():
        """Squared distance to the averaged network's logits, per example."""
        def apply(state, outputs, batch, ctx):
            return jnp.square(outputs["logits"] - outputs["ema"]["logits"]).sum(-1), state, {}

        return Term(no_state, apply)

    digits, decay = Digits(), 0.7
    plan = digits.plan(5)
    stage = Stage(objective=(Entry("ce"), Entry("test_lag", weight=0.0)), networks=dict(ema=decay))
    given = config(stage, **LINEAR, optim__batch=16, optim__schedule="constant", optim__lr=0.2,
                   optim__weight_decay=0.0)
    result = fit(given, init=[digits.params], plan=plan, steps_per_epoch=[[5]])
    shadow, lag = digits.params, []
    for step, rows in enumerate(plan):
        now = train(digits, plan[:step], [0.2] * step)[0]
        if step:
            shadow = {k: decay * shadow[k] + (1 - decay) * now[k] for k in now}
        gap = (digits.x[rows] @ (now["head/kernel"] - shadow["head/kernel"]) + now["head/bias"] - shadow["head/bias"])
        lag.append((gap**2).sum(-1).mean())
    found = [row["entry/test_lag"] for row in result.history]
    assert found[0] == 0
    np.testing.assert_allclose(found, lag, rtol=1e-9)


def test_sam_takes_the_gradient_at_the_worst_point_nearby():
    digits, rho = Digits(), 0.3
    plan = digits.plan(1)
    stage = Stage(gradient=dict(name="sam", rho=rho))
    given = config(stage, **LINEAR, optim__batch=16, optim__schedule="constant", optim__lr=1.0,
                   optim__weight_decay=0.0)
    result = fit(given, init=[digits.params], plan=plan, steps_per_epoch=[[1]])
    x, label = digits.x[plan[0]], digits.label[plan[0]]
    first = gradient(digits.params, x, label)
    size = np.sqrt(sum((g**2).sum() for g in first.values()))
    second = gradient({k: p + rho / (size + 1e-12) * first[k] for k, p in digits.params.items()}, x, label)
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(digits.params[path] - value, second[path], rtol=1e-8, atol=1e-12, err_msg=path)
    own = -log_probabilities(digits.params, x)[np.arange(16), label].mean()
    assert result.history[0]["loss"] == pytest.approx(own, rel=1e-12)


def test_accumulated_batches_move_the_statistics_one_after_the_other():
    digits = Digits()
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.2, (64, 8))
    plan = digits.plan(3)
    given = config(Stage(), **{**SETS, "run.dtype": "float64", "optim.accumulate": 3, "optim.lr": 0.0})
    result = fit(given, init=[{"trunk/dense1/kernel": kernel}], plan=plan, steps_per_epoch=[[1]])
    mean, var = np.zeros(8), np.ones(8)
    for rows in plan:
        h = digits.x[rows] @ kernel
        mean, var = 0.9 * mean + 0.1 * h.mean(0), 0.9 * var + 0.1 * h.var(0)
    found = tensors(result.model_state)
    [moved] = [v for k, v in found.items() if k.endswith("mean")]
    np.testing.assert_allclose(moved, mean, rtol=1e-10)
    [moved] = [v for k, v in found.items() if k.endswith("var")]
    np.testing.assert_allclose(moved, var, rtol=1e-10)


def test_arrays_that_are_given_survive_the_run():
    given = {"head/bias": jnp.full(10, 0.5, jnp.float32)}
    for _ in range(2):
        run(Stage("first", 1.0), init=[given])
    assert float(given["head/bias"].sum()) == 5
