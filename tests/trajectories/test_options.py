"""Options of the trainer that the trajectories brought: optimisers per stage, windows, draws, weights inside terms."""

import numpy as np
import pytest

from ltjax.registry import ConfigError
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare

from . import parts  # noqa: F401 (registers the digits rows)

DIGITS = {"name": "digits_lt", "largest": 30, "imbalance": 10.0}


def config(method, devices=1, **optim):
    return {"data": DIGITS, "model": {"name": "mlp", "hidden": (8,)}, "method": method,
            "optim": {"epochs": 4, "batch": 16, **optim},
            "run": {"root": "", "dtype": "float64", "devices": devices, "log_every": 1}}


def test_options_of_one_stage_beat_those_of_all_stages_and_of_the_method():
    stages = prepare(config({"name": "crt", "head_share": 0.5}, lr=0.3, stages={"head": {"lr": 0.05}})).stages
    assert [stage.optim["lr"] for stage in stages] == [0.3, 0.05]
    assert stages[1].optim["schedule"]["name"] == "cosine"


@pytest.mark.parametrize(("stages", "told"), [
    ({"haed": {"lr": 0.1}}, "optim.stages.haed: the method has no such stage. Did you mean 'head'"),
    ({"head": {"rate": 0.1}}, "optim.stages.head.rate is unknown"),
    ({"head": {"lr": -1.0}}, "optim.stages.head.lr=-1.0 is out of range"),
    ({"head": 0.1}, "optim.stages.head=0.1 must be a dict"),
])
def test_a_wrong_option_of_one_stage_is_named(stages, told):
    with pytest.raises(ConfigError, match=told):
        prepare(config("crt", stages=stages))


def test_the_window_of_a_mixer_is_a_share_of_the_stage_and_reaches_it_in_steps():
    stage = prepare(config({"name": "cmo", "mix_after": 0.25, "mix_until": 0.75})).stages[0]
    assert (stage.mixer[1]["after"], stage.mixer[1]["until"]) == (stage.steps // 4, 3 * stage.steps // 4)


def test_a_term_that_is_no_sum_over_examples_takes_no_class_weights():
    with pytest.raises(ConfigError, match="'lade' is not per example; it takes no class weights"):
        prepare(config({"name": "erm", "loss": "lade", "weights": "inverse"}))


def test_a_loss_draws_the_same_numbers_on_any_number_of_devices():
    runs = [fit(config({"name": "erm", "loss": "gcl", "head": "cosine"}, devices=d, epochs=1)) for d in (1, 8)]
    one, eight = ([row["loss"] for row in run.history] for run in runs)
    np.testing.assert_allclose(eight, one, rtol=1e-9)


def test_draws_must_have_one_entry_per_batch():
    with pytest.raises(ConfigError, match=r"draws\['mixup'\]\['ratio'\] has 3 entries for \d+ batches"):
        fit(config("mixup"), draws={"mixup": {"ratio": np.ones(3)}})
