"""Eight devices train as one: every kind of part, in float64, over some thirty steps."""

import numpy as np
import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.methods.crt import crt
from ltjax.train.loop import fit
from tests.train.parts import register_parts
from tests.train.setting import ROWS, assert_runs_close, column, config


def mixed_batches():
    entry = Entry("ce", weights=dict(name="inverse", after=0.3), normaliser="weight_sum")
    return (Stage(objective=(entry,), mixer="mixup", optim=dict(nesterov=True)),), dict(
        model__name="small_cnn", model__widths=(4, 8), data__augment=(dict(name="crop", padding=1), "flip"),
        optim__accumulate=2, optim__clip=0.5, optim__epochs=6)


def sharpness_with_average():
    entries = (Entry("test_noisy"), Entry("test_consistency", weight=0.5, after=0.2))
    return (Stage(objective=entries, networks=dict(ema=0.9), gradient="sam"),), {}


def two_stages():
    return crt(head_share=0.4).stages, dict(optim__epochs=5, optim__stages={"head": {"lr": 0.05}})


def terms_with_state():
    entries = (Entry("ce"), Entry(dict(name="feature_queue", size=64), weight=0.3),
               Entry("class_means", weight=0.2), Entry("test_batch_level", weight=0.1), Entry("lade", weight=0.5))
    return (Stage(objective=entries, project=dict(name="max_norm", threshold=0.5)),), {}


def two_views():
    entries = (Entry("ce", views=(1,)), Entry("ldam"), Entry("test_batch_level", weight=0.1, views=(0,)))
    return (Stage(objective=entries, views=(("crop",), (dict(name="crop", padding=2), "flip")), sampler="class_aware",
                  mixer="remix"),), dict(model__name="small_cnn", model__widths=(4,))


def second_sampler():
    entry = Entry("logit_adjusted", weights="effective_number", pairs="each", normaliser="weight_sum")
    return (Stage(objective=(entry,), other="class_balanced", mixer=dict(name="cutmix", probability=0.5)),), dict(
        model__name="small_cnn", model__widths=(4,))


CASES = [pytest.param(case, id=case.__name__, marks=() if case is two_stages else pytest.mark.slow) for case in (
    two_stages, terms_with_state, mixed_batches, sharpness_with_average, two_views, second_sampler)]


@pytest.mark.parametrize("case", CASES)
def test_eight_devices_train_as_one(case):
    register_parts()
    stages, sets = case()
    one, eight = (fit(config(*stages, **sets, run__devices=n, run__dtype="float64")) for n in (1, 8))
    assert len(column(one, "loss")) >= 30
    assert_runs_close(one, eight)
    for name in one.history[0]:
        if name.startswith("entry/"):
            np.testing.assert_allclose(column(one, name), column(eight, name), rtol=1e-9, err_msg=name)


def test_empty_slots_count_nowhere_on_any_number_of_devices():
    rng = np.random.default_rng(0)
    plan = rng.integers(0, ROWS, (12, 16))
    plan[::2, 5:] = -1
    plan[1, 1:3] = -1
    short = [row[row >= 0] for row in plan]
    entries = (Entry("ce", weights="inverse", normaliser="weight_sum"), Entry(dict(name="feature_queue", size=32)))
    stage = Stage(objective=entries)
    given = config(stage, run__dtype="float64", optim__batch=16)
    one, eight = (fit({**given, "run": {**given["run"], "devices": n}}, plan=plan, steps_per_epoch=[[12]])
                  for n in (1, 8))
    assert_runs_close(one, eight)
    # an epoch of full batches of the same rows: the first step must not see the padding at all
    alone = fit({**given, "optim": {**given["optim"], "batch": 5}}, plan=short[0][None], steps_per_epoch=[[1]])
    assert column(alone, "loss")[0] == pytest.approx(column(one, "loss")[0], rel=1e-12)
    assert column(alone, "grad_norm")[0] == pytest.approx(column(one, "grad_norm")[0], rel=1e-12)
    assert column(one, "accuracy")[0] == column(alone, "accuracy")[0]
