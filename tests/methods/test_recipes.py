"""What single recipes do, read from their checked stages: rows, rates, weights, what is trained. Nothing compiles."""

import re

import numpy as np
import pytest

from ltjax import config as configs
from ltjax.train.prepare import prepare

DIGITS = {"name": "digits_lt", "val_per_class": 2, "imbalance": 10.0}
TAIL, HEAD = 9, 0


def prepared(name, epochs=200, **options):
    config = configs.plain(configs.base())
    config |= {"data": DIGITS, "model": {"name": "small_cnn"}, "method": {"name": name, **options}}
    config["optim"] |= {"epochs": epochs, "batch": 16}
    return prepare(config)


def classes_drawn(exp, stage, first, count, stream=0):
    """Shares of the classes in some steps of a stage's plan."""
    rows = exp.sampler(stage, 0, stream).plan(first, count)
    return np.bincount(exp.dataset.train["label"][rows].ravel(), minlength=10) / rows.size


def rate(stage, epoch):
    return stage.rates[epoch * stage.epoch_steps[0]]


def test_unimix_takes_its_partners_from_the_very_batch_in_favour_of_rare_classes():
    exp = prepared("unimix", power=-2.0)
    stage = exp.stages[0]
    main, other = (exp.sampler(stage, 3, stream).plan(5, 40) for stream in (0, 1))
    assert all(set(partners) <= set(rows) for rows, partners in zip(main, other))
    assert classes_drawn(exp, stage, 0, 200, 1)[TAIL] > 3 * classes_drawn(exp, stage, 0, 200)[TAIL]


def test_deferred_resampling_leaves_the_data_alone_until_the_rate_drops():
    exp = prepared("drs")
    stage, shuffled = exp.stages[0], prepared("erm")
    late = round(0.8 * stage.steps)
    plans = [e.sampler(e.stages[0], 0, 0).plan(0, late) for e in (exp, shuffled)]
    np.testing.assert_array_equal(*plans)
    assert classes_drawn(exp, stage, late, 400)[TAIL] > 3 * classes_drawn(exp, stage, 0, late)[TAIL]
    assert rate(stage, 159) > rate(stage, 160)


@pytest.mark.parametrize("name", ["drw", "mamix"])
def test_deferred_weights_start_where_the_rate_drops(name):
    stage = prepared(name).stages[0]
    assert stage.entries[0].weights_after == round(0.8 * stage.steps)
    assert rate(stage, 160) == pytest.approx(0.001)


def test_two_phases_are_balanced_first_and_natural_last():
    exp = prepared("two_phase")
    balanced, natural = exp.stages
    np.testing.assert_allclose(classes_drawn(exp, balanced, 0, 2000), np.full(10, 0.1), atol=0.01)
    np.testing.assert_allclose(classes_drawn(exp, natural, 0, natural.steps), exp.stats.prior, atol=0.02)
    assert (natural.train, natural.reset, natural.batchnorm) == ("head/.*", None, "running")
    assert exp.test_logits == "train_posterior"


def test_decoupled_balanced_softmax_redraws_the_head_and_corrects_for_the_prior_once():
    exp = prepared("decoupled_balanced_softmax", epochs=100)
    features, head = exp.stages
    assert [len(s.epoch_steps) for s in exp.stages] == [87, 13]
    assert (features.entries[0].part.name, head.entries[0].part.name) == ("ce", "balanced_softmax")
    assert (head.train, head.reset, head.batchnorm) == ("head/.*", "head/.*", "batch")
    assert exp.test_logits == "balanced"
    assert prepared("decoupled_balanced_softmax", epochs=100, sampler="class_balanced").test_logits == "neither"
    assert rate(features, 0) == pytest.approx(0.05)
    assert max(features.rates) == pytest.approx(0.1, rel=1e-3)
    assert (rate(head, 0), rate(head, 12)) == (pytest.approx(0.05 * (1 + np.cos(np.pi / 13))), pytest.approx(0))


@pytest.mark.parametrize("name", ["class_balanced_focal", "class_balanced_sigmoid"])
def test_the_last_bias_of_sigmoids_starts_rare_and_is_not_decayed(name):
    stage = prepared(name).stages[0]
    assert stage.head["bias_init"] == "rare"
    decayed = [path for path in ("head/bias", "head/kernel", "trunk/norm1/bias", "trunk/head/bias2")
               if re.fullmatch(stage.optim["decay"], path)]
    assert decayed == ["head/kernel", "trunk/norm1/bias", "trunk/head/bias2"]


def test_the_rates_of_bias_loss_fall_after_80_and_122_of_160_epochs():
    stage = prepared("bias_loss", epochs=160).stages[0]
    assert [round(float(rate(stage, e)), 9) for e in (0, 79, 80, 121, 122, 159)] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


@pytest.mark.parametrize("name", ["pc_softmax", "causal_tde", "lade"])
def test_one_recipe_serves_the_methods_of_one_code_base(name):
    stage = prepared(name).stages[0]
    assert stage.optim["weight_decay"] == 5e-4
    assert [round(float(rate(stage, e)), 9) for e in (10, 118, 119, 158, 159)] == [0.2, 0.2, 0.002, 0.002, 0.00002]


def test_head_and_rule_of_the_causal_classifier_have_the_same_options():
    exp = prepared("causal_tde", heads=4, scale=8.0, gamma=0.1, alpha=2.0)
    part, options = exp.posthoc[0]
    assert (part.name, options["alpha"]) == ("causal_tde", 2.0)
    assert all(options[name] == exp.stages[0].head[name] for name in ("heads", "scale", "gamma"))
