"""PyTorch's convention for the running variance: our runs, converted, are those of the authors' own modules."""

import jax
import numpy as np
import pytest

from ltjax.layers.norm import unbiased_variance
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare
from ltjax.train.program import network_of
from ltjax.train.state import flat, nested
from ltjax.train.step import normalise

from . import cases, recipes, replay

CASES = [c for c in cases.load() if c.key in recipes.ADAPTERS and c.key != "train_remix" and (c.plan >= 0).all()]
FIRST = ("train_cross_entropy", "train_crt", "train_mislas")
POSITIONS = {"mlp_bn": {"bn1": 1}, "cnn_bn": {"bn1": 64, "bn2": 16}}


def shown(case):
    """All cases are slow but one of three keys."""
    default = case.key in FIRST and case is next(c for c in CASES if c.key == case.key)
    return pytest.param(case, id=case.id, marks=() if default else pytest.mark.slow)


def moves(case, stages) -> int:
    """How often the statistics moved in some stages: once per forward pass of a training batch."""
    return sum(len(case.plan) if len(case.stages) == 1 else s["to_step"] - s["from_step"]
               for s in stages if s["batchnorm"] != "frozen")


def converted(case, statistics, updates: int) -> dict[str, np.ndarray]:
    """Our statistics with variances in PyTorch's form, by path."""
    rows = case.inputs["batch"]
    out = {}
    for path, value in flat(statistics).items():
        layer = path.split("/")[-2]
        n = rows * POSITIONS[case.inputs["network"]][layer]
        out[path] = np.asarray(unbiased_variance(value, updates, n) if path.endswith("var") else value)
    return out


@pytest.mark.parametrize("case", [shown(c) for c in CASES if "loss" not in c.expected["unbiased"]])
def test_converted_statistics_give_the_logits_of_the_authors_modules(case):
    want, recipe = case.expected["unbiased"], recipes.ADAPTERS[case.key](case)
    with jax.enable_x64(True):
        result = replay.replayed(case)
        statistics = converted(case, result.model_state["batch_stats"], moves(case, case.stages))
        for name, (total, norm) in want["batch_stats"].items():
            mine = next(v for k, v in statistics.items() if k.endswith(name))
            np.testing.assert_allclose([mine.sum(), np.linalg.norm(mine)], [total, norm], rtol=1e-8)
        exp = prepare(replay.config_of(case, recipe), steps_per_epoch=replay.given(case, recipe)["steps_per_epoch"])
        x = normalise(jax.numpy.asarray(exp.dataset.test["x"][:20]), exp.dataset, jax.numpy.float64)
        out = network_of(exp, exp.stages[-1]).apply({"params": result.params, "batch_stats": nested(statistics)}, x)
        logits, expected = np.asarray(out["logits"]), np.asarray(want["eval_logits"])
        assert np.abs(logits[:, : expected.shape[1]] - expected).max() <= 1e-8 * np.abs(expected).max()


@pytest.mark.parametrize("case", [shown(c) for c in CASES if "loss" in c.expected["unbiased"]])
def test_a_frozen_stage_that_starts_from_converted_statistics_has_the_authors_losses(case):
    want, recipe = case.expected["unbiased"], recipes.ADAPTERS[case.key](case)
    given, config, first = replay.given(case, recipe), replay.config_of(case, recipe), want["loss_from_step"]
    stage = next(k for k, s in enumerate(case.stages) if s["from_step"] == first)
    with jax.enable_x64(True):
        biased = replay.replayed(case)
        statistics = converted(case, biased.model_state["batch_stats"], moves(case, case.stages[:stage]))
        overlay = {f"batch_stats/{path}": value for path, value in statistics.items()}
        given["init"] = [*given["init"]]
        given["init"][stage] = {**(given["init"][stage] or {}), **overlay}
    result = fit(config, **given)
    losses = [row["loss"] for row in result.history if row["kind"] == "train"][first:]
    np.testing.assert_allclose(losses, want["loss"], rtol=1e-8)
