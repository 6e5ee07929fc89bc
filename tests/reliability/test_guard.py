"""A step that is not finite: nothing of it is applied, the run stops or goes on, other seeds do not notice."""

import io
import json

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from ltjax.losses.stable import cross_entropy
from ltjax.methods.base import Entry, Stage
from ltjax.registry import register
from ltjax.terms.base import Term, no_state
from ltjax.train.loop import NonFinite, fit
from ltjax.train.prepare import prepare
from ltjax.train.progress import Bar, Lines
from tests.train.by_hand import LINEAR, Digits, train
from tests.train.setting import assert_runs_equal, column, config, events, fit_with_stops, tensors

AT = 4


def bursting(mode="loss", row=-1):
    """Cross-entropy that is not finite in step 4, for the batch that holds `row` (-1: for any)."""
    @register("term", "test_bursting", value="example", test_logits="train_posterior")
    def test_bursting(*, mode="loss", row=-1):
        """Cross-entropy, once not finite."""
        def apply(state, outputs, batch, ctx):
            z = outputs["logits"]
            ce = cross_entropy(z, batch["label"])
            hit = (ctx.step == AT) & (ctx.across.total((batch["index"] == row).sum()) > 0 if row >= 0 else True)
            if mode == "loss":
                return jnp.where(hit, jnp.nan, ce), state, {}
            size = jnp.square(z).sum(-1)
            return ce + 0 * jnp.sqrt(jnp.where(hit, 0 * size, 1 + size)), state, {}  # there a gradient of 0 / 0

        return Term(no_state, apply)

    return Stage(objective=(Entry(dict(name="test_bursting", mode=mode, row=row)),))


@pytest.mark.parametrize("mode", ["loss", "gradient"])
@pytest.mark.parametrize("chunk", [1, 0])
def test_stop_ends_the_run_at_the_step_and_its_log_with_it(tmp_path, mode, chunk):
    given = config(bursting(mode), run__root=str(tmp_path), run__log_every=3, run__chunk_steps=chunk,
                   optim__epochs=2)
    with pytest.raises(NonFinite, match=r"step 4 \(seed 0\).*optim.lr.*optim.clip.*on_nonfinite=skip"):
        fit(given)
    [log] = tmp_path.rglob("metrics.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(r["step"], r.get("skipped", 0)) for r in rows] == [(3, 0), (5, 1)]
    assert all(np.isfinite(r["loss"]) for r in rows)
    assert [e["step"] for e in events(log.parent, "nonfinite")] == [AT]
    assert not (log.parent / "DONE").exists()
    assert not (log.parent / "test.json").exists()


@pytest.mark.parametrize("mode", ["loss", "gradient"])
def test_skip_leaves_the_step_out_of_parameters_momentum_and_log(mode):
    digits, steps = Digits(), 8
    plan = digits.plan(steps)
    given = config(bursting(mode), **LINEAR, **{
        "optim.batch": 16, "optim.lr": 0.2, "optim.weight_decay": 0.0, "run.on_nonfinite": "skip", "run.log_every": 4,
        "optim.schedule": dict(name="cosine", per="step")})
    result = fit(given, init=[digits.params], plan=plan, steps_per_epoch=[[steps]])
    rates = 0.2 * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    params, losses, _ = train(digits, np.delete(plan, AT, 0), np.delete(rates, AT))
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(value, params[path], rtol=1e-9, atol=1e-12, err_msg=path)
    np.testing.assert_allclose(column(result, "loss"), [losses[:4].mean(), losses[4:].mean()], rtol=1e-10)
    assert [r.get("skipped") for r in result.history] == [None, 1]
    assert result.history[-1]["step"] == steps


def test_under_shared_seeds_only_the_one_that_is_not_finite_stops(tmp_path):
    exp = prepare(config())
    batches = [set(exp.sampler(exp.stages[0], s, 0).plan(AT, 1)[0].tolist()) for s in (0, 1, 2)]
    row = min(batches[1] - batches[0] - batches[2])
    stage = bursting(row=row)
    sets = dict(optim__epochs=2, data__val_per_class=0, run__log_every=3)
    given = config(stage, **sets, run__root=str(tmp_path))
    with pytest.raises(NonFinite, match=r"step 4 \(seed 1\)"):
        fit(given, seeds=[0, 1, 2])
    folders = {f.name: f for f in tmp_path.rglob("seed*")}
    assert [(folders[s] / "DONE").exists() for s in ("seed0", "seed1", "seed2")] == [True, False, True]
    rows = [json.loads(line) for line in (folders["seed1"] / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == [3, 5]
    healthy = fit(given, seeds=[0, 2])
    for result in healthy:
        alone = fit({**given, "seed": result.seed, "run": {**given["run"], "root": ""}})
        assert result.history == alone.history
        assert result.metrics == alone.metrics
    with pytest.raises(NonFinite, match=r"step 4 \(seed 1\)"):
        fit(given, seeds=[0, 1, 2])


def test_a_run_that_skips_resumes_to_the_same_bits(tmp_path):
    sets = dict(optim__epochs=2, run__on_nonfinite="skip", run__log_every=3, run__chunk_steps=1)
    whole = fit(config(bursting(), **sets, run__root=str(tmp_path / "a")))
    assert_runs_equal(fit_with_stops(config(bursting(), **sets, run__root=str(tmp_path / "b")), [5, 6]), whole)


@pytest.mark.parametrize("make", [lambda: Bar(Console(file=io.StringIO(), force_terminal=True)), Lines])
def test_a_row_without_a_finite_loss_can_be_shown(make):
    progress = make()
    progress.start("run", 2, 32)
    progress.step(1, {"loss": None, "accuracy": None})
    progress.step(2, {"loss": 1.0, "accuracy": 0.5})
    progress.close()


@pytest.mark.parametrize(("window", "last"), [(dict(after=0.5), 5), (dict(until=0.5), 5)])
def test_an_entry_outside_its_window_cannot_spoil_the_gradient(window, last):
    """Its gradient is not finite there: a plain `where` around its value would let 0 times infinity through."""
    @register("term", "test_singular", value="example", test_logits="train_posterior")
    def test_singular():
        """Zero, with an infinite gradient in the steps outside the window."""
        def apply(state, outputs, batch, ctx):
            size = jnp.square(outputs["logits"]).sum(-1)
            outside = ctx.step < last if "after" in window else ctx.step >= last
            return 0 * jnp.sqrt(jnp.where(outside, 0 * size, 1 + size)), state, {}

        return Term(no_state, apply)

    digits = Digits()
    plan = digits.plan(10)
    given = config(Stage(objective=(Entry("ce"), Entry("test_singular", **window))), **LINEAR, optim__batch=16)
    result = fit(given, init=[digits.params], plan=plan, steps_per_epoch=[[10]])
    assert np.isfinite(column(result, "grad_norm")).all()
