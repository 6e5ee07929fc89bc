"""What must not change a run: the number of devices, an interruption; and what float32 may change of it."""

import signal

import numpy as np
import pytest
from jax import numpy as jnp

from ltjax.train.progress import Silent
from ltjax.train.signals import Interrupted
from ltjax.train.state import flat

from . import cases, recipes, replay

CASES = cases.load()
FIRST = {case.key: case for case in reversed(CASES) if case.key in recipes.ADAPTERS}
QUICK = ("train_cross_entropy",)


def of_each_key():
    """The first case of every key; that of one key runs by default."""
    return [pytest.param(case, id=case.id, marks=() if key in QUICK else pytest.mark.slow)
            for key, case in sorted(FIRST.items())]


def losses(result):
    return np.array([row["loss"] for row in result.history if row["kind"] == "train"])


def tensors(result):
    """Everything that a run ends with, by name."""
    found = {**flat(result.params), **flat(result.model_state), "logits": result.outputs["test_logits"]}
    return {name: np.asarray(value) for name, value in found.items()}


@pytest.mark.parametrize("case", of_each_key())
def test_several_devices_give_the_numbers_of_one(case):
    devices = next(n for n in (8, 4, 2, 1) if case.inputs["batch"] % n == 0)
    one, several = replay.replayed(case), replay.replay(case, devices=devices)
    np.testing.assert_allclose(losses(several), losses(one), rtol=1e-9)
    for name, value in tensors(one).items():
        error = np.abs(tensors(several)[name] - value).max()
        assert error <= 1e-9 * np.linalg.norm(value), name


@pytest.mark.parametrize("case", of_each_key())
def test_float32_follows_for_ten_steps(case):
    result = replay.replay(case, dtype="float32")
    assert flat(result.params)["head/kernel"].dtype == jnp.float32
    np.testing.assert_allclose(losses(result)[:10], case.expected["loss"][:10], rtol=1e-5)


class StopAfter(Silent):
    """Asks the run to stop, as a terminal would, once it has done some steps."""

    def __init__(self, step: int):
        self.at = step

    def step(self, step, row):
        if step >= self.at:
            self.at = np.inf
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("case", of_each_key())
def test_an_interrupted_run_goes_on_bitwise(case, tmp_path):
    run = {"root": str(tmp_path), "chunk_steps": 5}
    whole = replay.replayed(case)
    late = case.stages[-1]["from_step"] + case.steps_of(case.stages[-1]) // 2
    for step in (7, late):
        with pytest.raises(Interrupted):
            replay.replay(case, progress=StopAfter(step), **run)
    resumed = replay.replay(case, **run)
    assert resumed.history == whole.history
    for name, value in tensors(whole).items():
        np.testing.assert_array_equal(tensors(resumed)[name], value, err_msg=name)


@pytest.mark.skipif(QUICK[0] not in FIRST, reason="the golden folder holds no run of cross-entropy")
def test_a_run_that_is_off_by_a_little_is_noticed():
    case = FIRST[QUICK[0]]
    result = replay.replayed(case)
    wrong = cases.Case(case.key, case.name, case.inputs, case.params, {
        **case.expected, "loss": [v * (1 + 2e-8) for v in case.expected["loss"]],
        "correct": [1 + case.expected["correct"][0], *case.expected["correct"][1:]], "extra": [1.0],
    })
    found = replay.differences(wrong, result)
    assert [line.split(":")[0] for line in found] == ["loss", "correct", "extra"]
