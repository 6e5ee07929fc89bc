"""The learned sampler inside a run: it learns, and devices do not matter."""

import jax
import numpy as np
import pytest

from ltjax import config as configs
from ltjax.optim.learners import meta_sampler
from ltjax.train.given import Given
from ltjax.train.loop import Trainer, fit
from ltjax.train.prepare import prepare
from ltjax.train.progress import Silent
from ltjax.types import ClassStats


def config(**run):
    given = configs.load("digits_lt:ir=50", ["method.name=balms", "method.head_share=0.5", "model.hidden=(8,)",
                                             "optim.epochs=2", "run.root=", "run.dtype=float64"])
    given["run"] |= run
    return given


@pytest.mark.slow
def test_learned_rates_and_losses_are_the_same_on_one_and_on_eight_devices():
    one, eight = fit(config(devices=1)), fit(config(devices=8))
    for a, b in zip(one.history, eight.history, strict=True):
        np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-9)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(eight.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_theta_moves_while_the_head_trains_and_starts_at_equal_rates():
    with jax.enable_x64(True):
        exp = prepare(config())
        trainer = Trainer(exp, [0], Given(exp), None, Silent())
        trainer.open_for_measuring()
        stage = exp.stages[1]
        program, state = trainer._program(stage), trainer._started(stage, None)
        start = np.asarray(state.learner["theta"])
        np.testing.assert_array_equal(start, np.zeros(10))
        given = trainer._feed(program, trainer._plans(stage), 0, 5)
        log = program.empty_log(trainer._names(stage, state), trainer.dtype)
        state, _ = program(state, log, given, 5, trainer.data)
        moved = np.asarray(state.learner["theta"])
        assert np.isfinite(moved).all()
        assert np.abs(moved).max() > 1e-3


def test_a_draw_follows_the_rates():
    stats = ClassStats([90, 10])
    learner, labels = meta_sampler(), np.repeat([0, 1], [90, 10])
    with jax.enable_x64(True):
        own = {"theta": np.array([0.0, np.log(9 / (10 - 9))])}
        keys = jax.random.split(jax.random.key(0), 4000)
        rows, _ = learner.draw(own, jax.numpy.asarray(labels), keys)
    share = labels[np.asarray(rows)].mean()
    expected = 10 * 0.9 / (90 * 0.5 + 10 * 0.9)
    assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / 4000)
    assert stats.classes == 2
