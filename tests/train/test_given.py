"""What a caller hands to `fit` in place of the library's own draws is checked in one sentence, before a step."""

import numpy as np
import pytest

from ltjax.methods.base import Stage
from ltjax.registry import ConfigError
from ltjax.train.loop import fit
from tests.train.setting import ROWS, compilations, config

BATCH = 8
ROW = list(range(BATCH))
BIAS = np.zeros(10)


def told(match, stages=(), sets=None, **arguments):
    """`fit` refuses the arguments in a sentence and compiles nothing."""
    arguments = {"steps_per_epoch": [[1]] * max(len(stages), 1), **arguments}
    with compilations() as seen, pytest.raises(ConfigError, match=match) as raised:
        fit(config(*stages, **(sets or {})), **arguments)
    assert not seen
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


TWO = (Stage("whole", 0.5), Stage("head", 0.5, train="head/.*", reset="head/.*"))
SCALED = (Stage("whole", 0.5), Stage("scales", 0.5, head="scaled", train="head/scale"))


@pytest.mark.parametrize(("init", "match"), [
    ({"head/bias": BIAS}, r"init must be a list with one dict of tensors \(or None\) per stage"),
    ([BIAS], r"init must be a list with one dict"),
    ([{"head/bias": [[0.0], [1.0, 2.0]]}], r"stage 'main': 'head/bias' must be an array of numbers"),
    ([{"head/bias": list("abcdefghij")}], r"stage 'main': 'head/bias' must be an array of numbers"),
    ([{"head/bias": BIAS + 1e300}], r"'head/bias' holds values that are not finite"),
    ([{"head": {"bais": BIAS}}], r"'head/bais' is no parameter here. Did you mean 'head/bias'\?"),
])
def test_initial_tensors_of_the_wrong_kind_are_named(init, match):
    told(match, init=init)


@pytest.mark.parametrize(("stages", "late", "match"), [
    (TWO, {"head/bias": np.zeros(9)}, r"init of stage 'head': 'head/bias' has shape \(9,\), expected \(10,\)"),
    (TWO, {"head/scale": np.ones(10)}, r"init of stage 'head': 'head/scale' is no parameter here"),
    (TWO, {"head/bias": BIAS}, r"init of stage 'head': without 'head/kernel', which starts anew here as 'head/bias'"),
    (SCALED, {"head/scale": np.ones((1, 10))}, r"init of stage 'scales': 'head/scale' has shape \(1, 10\)"),
])
def test_tensors_of_a_later_stage_are_checked_before_the_first_is_trained(stages, late, match):
    told(match, stages, init=[None, late])


def test_tensors_that_a_later_stage_keeps_may_be_given_alone():
    still = config(*SCALED, optim__lr=0.0)
    result = fit(still, init=[None, {"head/bias": BIAS + 3}], steps_per_epoch=[[1], [1]])
    assert (np.asarray(result.params["head"]["bias"]) == 3).all()
    assert (np.asarray(result.params["head"]["scale"]) == 1).all()


@pytest.mark.parametrize(("arguments", "match"), [
    (dict(plan=[[0] * BATCH, [-2, *ROW[1:]]], steps_per_epoch=[[2]]), r"plan: row -2 at step 1 is out of range"),
    (dict(plan=[ROW, [-1] * BATCH], steps_per_epoch=[[2]]), r"plan: step 1 has only empty slots \(-1\)"),
    (dict(plan=np.zeros((1, 0), int)), r"plan: expected whole numbers of shape \[1, batch\].*shape \(1, 0\)"),
    (dict(plan=[ROW, ROW[1:]]), r"plan: expected whole numbers of shape \[1, batch\]"),
    (dict(plan=[ROW], other=[ROW]), r"other: no stage of this method has partners"),
])
def test_rows_that_do_not_fit_are_told_with_their_step(arguments, match):
    told(match, **arguments)


def test_rows_of_a_later_stage_are_told_with_the_step_of_the_run():
    told(r"plan: row 331 at step 2 is out of range", TWO, steps_per_epoch=[[2], [1]], plan=[ROW, ROW, [ROWS] * BATCH])


def test_under_accumulation_a_row_is_told_with_its_step_and_batch():
    plan = [ROW, ROW, ROW, [ROWS, *ROW[1:]]]
    told(r"row 331 at step 1 \(batch 2 of 2\)", sets={"optim.accumulate": 2}, steps_per_epoch=[[2]], plan=plan)
    told(r"shape \[4, batch\], one row per batch of each step", sets={"optim.accumulate": 2}, steps_per_epoch=[[2]],
         plan=plan[:2])


def test_a_plan_that_devices_cannot_share_is_told_as_such():
    told(r"plan: batch=8 cannot be divided by 3 devices; use 6", sets={"run.devices": 3}, plan=[ROW])


@pytest.mark.parametrize(("given", "match"), [
    (5, r"steps_per_epoch=5 must be a list with one list of step counts per stage"),
    ([5], r"steps_per_epoch=\[5\] must be a list with one list"),
    ("5", r"steps_per_epoch='5' must be a list"),
    ([[True]], r"steps_per_epoch\[0\]=\[True\] must be a list of positive whole numbers"),
    ([[2.0]], r"steps_per_epoch\[0\]=\[2.0\] must be a list of positive whole numbers"),
])
def test_step_counts_of_the_wrong_form_are_told(given, match):
    told(match, steps_per_epoch=given)


MIXED = (Stage(mixer="mixup"),)
PARTNERS = dict(plan=[ROW], other=[ROW])


@pytest.mark.parametrize(("draws", "match"), [
    ([0.5], r"draws must be a dict of dicts"),
    ({"mixup": [0.5]}, r"draws must be a dict of dicts"),
    ({"mixpu": {"ratio": [0.5]}}, r"draws\['mixpu'\]: no part .* Did you mean 'mixup'\? Parts that draw: mixup"),
    ({"ce": {"noise": [0.5]}}, r"draws\['ce'\]: no part of this method draws under that name"),
    ({"mixup": {"ratoi": [0.5]}}, r"draws\['mixup'\]\['ratoi'\] is unknown. Did you mean 'ratio'\?"),
    ({"mixup": {"on": [True]}}, r"draws\['mixup'\]\['ratio'\] is missing"),
    ({"mixup": {"ratio": 0.5}}, r"draws\['mixup'\]\['ratio'\] must be an array of numbers with one entry per batch"),
    ({"mixup": {"ratio": ["half"]}}, r"draws\['mixup'\]\['ratio'\] must be an array of numbers"),
    ({"mixup": {"ratio": [0.5, 0.5]}}, r"draws\['mixup'\]\['ratio'\] has 2 entries for 1 batches"),
    ({"mixup": {"ratio": [[0.5, 0.5]]}}, r"draws\['mixup'\]\['ratio'\]: an entry has shape \(2,\), expected \(\)"),
    ({"mixup": {"ratio": [np.nan]}}, r"draws\['mixup'\]\['ratio'\] holds values that are not finite, .* step 0"),
])
def test_draws_of_a_mixer_that_do_not_fit_are_named(draws, match):
    told(match, MIXED, draws=draws, **PARTNERS)


def test_partners_of_another_number_are_told():
    told(r"other: expected one partner for each of a batch's 8 rows, got 2", MIXED, plan=[ROW], other=[[0, 1]])


@pytest.mark.parametrize(("mixer", "shape", "match"), [
    (None, (1, BATCH, 10), r"draws\['gcl'\]\['noise'\]: an entry has shape \(8, 10\), expected \(1, 8, 10\)"),
    (None, (1, 1, BATCH, 9), r"an entry has shape \(1, 8, 9\), expected \(1, 8, 10\)"),
    ("mixup", (1, 1, BATCH, 10), r"expected \(2, 8, 10\), a draw for each call of the loss"),
])
def test_noise_of_a_loss_has_an_entry_for_each_call_row_and_column(mixer, shape, match):
    told(match, (Stage(objective="gcl", mixer=mixer),), plan=[ROW], draws={"gcl": {"noise": np.zeros(shape)}})


def test_a_run_with_a_plan_of_its_own_is_another_run(tmp_path):
    given = config(run__root=str(tmp_path), optim__epochs=1)
    ordinary = fit(given)
    rows = np.zeros((ordinary.history[-1]["step"], given["optim"]["batch"]), int)
    planned, again = fit(given, plan=rows), fit(given, plan=rows.tolist())
    assert ordinary.path != planned.path == again.path
    assert planned.history[-1]["loss"] != ordinary.history[-1]["loss"]
