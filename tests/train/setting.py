"""Small experiments for the tests of the trainer: configs in one line, methods from stages, comparison of runs."""

import contextlib
import json
import os
import signal
from pathlib import Path

import jax
import numpy as np

from ltjax import config as configs
from ltjax import registry
from ltjax.methods.base import Method, Stage
from ltjax.registry import register
from ltjax.train.loop import fit
from ltjax.train.progress import Silent
from ltjax.train.signals import Interrupted
from ltjax.train.state import flat

ROWS = 331
"""Training rows of `digits_lt` with its default long tail."""

DEFAULTS = {
    "model.name": "mlp", "model.hidden": (16,), "optim.epochs": 3, "optim.batch": 32, "run.root": "",
    "run.devices": 1, "run.log_every": 1,
}
SECTIONS = ("data", "model", "method", "optim", "eval", "run")


def config(*stages: Stage, head="linear", posthoc=(), **sets) -> dict:
    """The library's config with a tiny network; `run__devices=8` sets `run.devices`.

    Args:
      stages: of a method that is registered for the occasion; none keeps `method.name=erm`.
    """
    out = configs.plain(configs.base())
    out["data"], out["model"], out["method"] = {"name": "digits_lt"}, {}, {"name": "erm"}
    given = {key.replace("__", ".", 1): value for key, value in sets.items()}
    if "model.name" in given:
        out["model"] = {"name": given["model.name"]}
    defaults = {k: v for k, v in DEFAULTS.items() if not (k.startswith("model.") and "model.name" in given)}
    for key, value in {**defaults, **given}.items():
        section, _, option = key.partition(".")
        if option:
            out[section][option] = value
        else:
            out[section] = value
    if stages:
        out["method"] = {"name": method_of(*stages, head=head, posthoc=posthoc)}
    return out


def method_of(*stages: Stage, head="linear", posthoc=()) -> str:
    """Registers a method of these stages (until the test's end) and returns its name."""
    made = Method(stages=stages, head=head, posthoc=tuple(posthoc))

    @register("method", "made_for_a_test")
    def made_for_a_test():
        """A method that a test puts together."""
        return made

    return "made_for_a_test"


@contextlib.contextmanager
def forgotten_parts():
    """Whatever is registered inside is forgotten afterwards."""
    for kind in registry.PACKAGES:
        registry.discover(kind)
    before = dict(registry._parts)
    try:
        yield
    finally:
        registry._parts.clear()
        registry._parts.update(before)


def tensors(tree) -> dict[str, np.ndarray]:
    """{"a/b/c": array}, copied to the host."""
    return {name: np.array(value) for name, value in flat(tree).items()} if tree else {}


def assert_equal(left, right, what=""):
    """Two trees of parameters or outputs hold the same bits."""
    left, right = tensors(left), tensors(right)
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype, f"{what} {name}"
        assert left[name].tobytes() == right[name].tobytes(), f"{what} {name} differs by {_worst(left, right, name)}"


def assert_close(left, right, tolerance=1e-9, what=""):
    """Two trees agree, relative to the largest number of each tensor."""
    left, right = tensors(left), tensors(right)
    assert left.keys() == right.keys()
    for name in left:
        size = max(np.abs(left[name]).max(initial=0), 1e-30)
        assert _worst(left, right, name) <= tolerance * size, f"{what} {name}: {_worst(left, right, name) / size:.1e}"


def _worst(left, right, name) -> float:
    return float(np.abs(left[name].astype(np.float64) - right[name].astype(np.float64)).max(initial=0))


def column(result, name: str, kind: str = "train") -> np.ndarray:
    """One column of a run's log."""
    return np.array([row[name] for row in result.history if row["kind"] == kind], np.float64)


def assert_runs_close(left, right, tolerance=1e-9):
    """Losses, gradient norms, parameters and statistics of two runs agree."""
    for name in ("loss", "grad_norm"):
        np.testing.assert_allclose(column(left, name), column(right, name), rtol=tolerance, err_msg=name)
    assert_close(left.params, right.params, tolerance, "parameters")
    assert_close(left.model_state, right.model_state, tolerance, "statistics")
    assert_close(left.outputs, right.outputs, tolerance, "outputs")


def assert_runs_equal(left, right):
    """Two finished runs hold the same bits: log, parameters, statistics, outputs, test metrics."""
    assert left.history == right.history
    assert_equal(left.params, right.params, "parameters")
    assert_equal(left.model_state, right.model_state, "statistics")
    assert_equal(left.outputs, right.outputs, "outputs")
    assert left.metrics == right.metrics
    assert left.raw == right.raw
    if left.path and right.path:
        for name in ("metrics.jsonl", "test.json"):
            assert (left.path / name).read_bytes() == (right.path / name).read_bytes(), name


class StopAfter(Silent):
    """Sends SIGTERM to this process once `step` steps are done, as a scheduler would."""

    def __init__(self, step: int):
        self._step, self._sent = step, False

    def step(self, step, row):
        if step >= self._step and not self._sent:
            self._sent = True
            os.kill(os.getpid(), signal.SIGTERM)


def fit_with_stops(given: dict, stops, **arguments):
    """Trains with an interruption after each of the given steps; returns the last call's result."""
    for step in stops:
        try:
            fit(given, progress=StopAfter(step), **arguments)
        except Interrupted:
            continue
        raise AssertionError(f"the run did not stop after step {step}")
    return fit(given, **arguments)


def events(folder: Path, name: str | None = None) -> list[dict]:
    """The events of a run folder, or those of one name."""
    rows = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [row for row in rows if name is None or row["event"] == name]


@contextlib.contextmanager
def compilations():
    """A list that gets one entry for each program that XLA is asked for inside."""
    seen: list[str] = []

    def listen(event, duration, **told):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(str(told.get("fun_name", "")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
