"""However a run is cut into chunks, and however often it is stopped, it leaves the same bits."""

import numpy as np
import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.train.loop import fit
from ltjax.train.signals import Interrupted
from tests.train.setting import StopAfter, assert_close, assert_runs_equal, config, events, fit_with_stops

STAGES = (
    Stage("first", 0.6, objective=(Entry("seesaw"), Entry("class_means", weight=0.1, after=0.3)), mixer="mixup"),
    Stage("second", 0.4, objective=(Entry("ce", weights=dict(name="inverse", after=0.5)),
                                    Entry(dict(name="feature_queue", size=64), weight=0.1)), sampler="class_balanced",
          train="head/.*", reset="head/.*", networks=dict(ema=0.9)),
)
"""Memory, a refresh each epoch, mixing; then a redrawn head on another sampler beside an averaged network."""


def two_stages(root, **sets):
    """Three epochs of ten steps, then two; log rows of 7 steps and epochs do not divide each other."""
    return config(*STAGES, **{
        "run.root": str(root), "optim.epochs": 5, "run.log_every": 7, "run.dtype": "float32", "run.keep": 3,
        "data.val_per_class": 1, "data.imbalance": 20.0, "eval.every_epochs": 2, "eval.select": "best_val", **sets})


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return fit(two_stages(tmp_path_factory.mktemp("unbroken")))


@pytest.fixture(scope="module")
def unbroken_seeds(tmp_path_factory):
    return fit(two_stages(tmp_path_factory.mktemp("unbroken")), seeds=[0, 1, 2])


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_any_length_of_chunks_gives_the_same_bits(tmp_path, unbroken, chunk):
    assert_runs_equal(fit(two_stages(tmp_path, **{"run.chunk_steps": chunk})), unbroken)


def test_a_run_that_is_stopped_again_and_again_leaves_the_same_bits(tmp_path, unbroken):
    """Inside an open log row, at an epoch's end, at the stage's end, at the first step and inside of stage 2."""
    steps = [s["epoch_steps"] for s in unbroken.config["stages"]]
    ends = np.cumsum([n for stage in steps for n in stage])
    stage_end = sum(steps[0])
    stops = [1, 5, int(ends[0]), 17, stage_end, stage_end + 1, stage_end + 9]
    resumed = fit_with_stops(two_stages(tmp_path, **{"run.chunk_steps": 1}), stops)
    assert_runs_equal(resumed, unbroken)
    assert [row["step"] for row in events(resumed.path, "resume")] == stops
    assert not any(row["refused"] for row in events(resumed.path, "resume"))


def test_checkpoints_at_fixed_epochs_and_at_every_chunk_change_nothing(tmp_path, unbroken):
    sets = {"run.checkpoint_epochs": 2, "run.checkpoint_minutes": 0.0, "run.keep": 1}
    assert_runs_equal(fit_with_stops(two_stages(tmp_path, **sets), [13]), unbroken)


def test_seeds_that_share_a_program_resume_to_the_same_bits(tmp_path, unbroken_seeds):
    given = two_stages(tmp_path, **{"run.chunk_steps": 4})
    resumed = fit_with_stops(given, [6, 22], seeds=[0, 1, 2])
    assert [r.seed for r in resumed] == [0, 1, 2]
    for left, right in zip(resumed, unbroken_seeds):
        assert_runs_equal(left, right)


@pytest.mark.slow
def test_a_stop_after_any_single_step_leaves_the_same_bits(tmp_path, unbroken):
    total = sum(sum(s["epoch_steps"]) for s in unbroken.config["stages"])
    for step in range(1, total):
        given = two_stages(tmp_path / str(step), **{"run.chunk_steps": 1})
        assert_runs_equal(fit_with_stops(given, [step]), unbroken)


@pytest.mark.slow
def test_seeds_that_are_stopped_after_any_step_leave_the_same_bits(tmp_path, unbroken_seeds):
    total = sum(sum(s["epoch_steps"]) for s in unbroken_seeds[0].config["stages"])
    given = two_stages(tmp_path, **{"run.chunk_steps": 1})
    for left, right in zip(fit_with_stops(given, range(1, total), seeds=[0, 1, 2]), unbroken_seeds):
        assert_runs_equal(left, right)


@pytest.mark.slow
def test_a_run_resumes_on_another_number_of_devices(tmp_path):
    sets = {"run.dtype": "float64", "run.chunk_steps": 1}
    whole = fit(two_stages(tmp_path / "whole", **sets))
    with pytest.raises(Interrupted, match="stopped at step 12 of"):
        fit(two_stages(tmp_path / "moved", **sets), progress=StopAfter(12))
    moved = fit(two_stages(tmp_path / "moved", **sets, **{"run.devices": 8}))
    assert events(moved.path, "resume")[0]["step"] == 12
    assert_close(moved.params, whole.params)
    assert_close(moved.model_state, whole.model_state)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 8])
def test_convolutions_on_any_devices_resume_to_the_same_bits(tmp_path, devices):
    sets = {"model.name": "small_cnn", "model.widths": (4, 8), "run.devices": devices, "run.root": str(tmp_path / "a"),
            "data.augment": ("crop", "flip"), "optim.epochs": 2, "run.log_every": 3}
    whole = fit(config(Stage(mixer="mixup", gradient="sam"), **sets))
    sets["run.root"] = str(tmp_path / "b")
    assert_runs_equal(fit_with_stops(config(Stage(mixer="mixup", gradient="sam"), **sets), [1, 7]), whole)
