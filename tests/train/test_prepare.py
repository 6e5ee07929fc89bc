"""Bad experiments are told in one sentence before anything compiles; what logits mean; what makes a run another one."""

import json
import time

import pytest

from ltjax.config import literal
from ltjax.methods.base import Entry, Stage
from ltjax.registry import ConfigError
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare
from tests.train.setting import ROWS, compilations, config

BAD_OPTIONS = {
    "model.name=mpl": r"config.model.name='mpl' is not a registered model. Did you mean 'mlp'\?",
    "data.name=digits": r"config.data.name='digits' is not a registered data. Did you mean 'digits_lt'\?",
    "method.name=crtt": r"config.method.name='crtt' is not a registered method. Did you mean 'crt'\?",
    "model.hiden=(8,)": r"config.model.hiden: model 'mlp' has no option 'hiden'. Did you mean 'hidden'\?",
    "data.imbalanse=2": r"data 'digits_lt' has no option 'imbalanse'. Did you mean 'imbalance'\?",
    "data.imbalance=0.5": r"config.data.imbalance=0.5 is out of range: data 'digits_lt' accepts 1 to inf",
    "data.profile=exponential": r"config.data.profile='exponential' is not accepted",
    "method.loss=focall": r"stage 'main'.objective.name='focall' is not a registered loss. Did you mean 'focal'\?",
    "method.weights=inverze": r"stage 'main'.weights.name='inverze' is not a registered weights",
    "method.sampler=shufle": r"stage 'main'.sampler.name='shufle' is not a registered sampler. Did you mean 'shuffle'",
    "method.mixer=mixupp": r"stage 'main'.mixer.name='mixupp' is not a registered mixer. Did you mean 'mixup'",
    "method.head=cosin": r"stage 'main'.head.name='cosin' is not a registered head. Did you mean 'cosine'",
    "method.normaliser=mean": r"config.method.normaliser='mean' is not accepted. Accepted: batch, weight_sum",
    "data.augment=crap": r"stage 'main'.augment.name='crap' is not a registered augment. Did you mean 'crop'",
    "optim.epocs=3": r"config.optim.epocs is unknown. Did you mean 'epochs'\?",
    "optim.epochs=0": r"config.optim.epochs=0 is out of range: 1 to 1e\+06 is accepted",
    "optim.epochs=2.5": r"config.optim.epochs=2.5 must be a whole number",
    "optim.batch=400": rf"config.optim.batch=400 is larger than the training split \({ROWS} rows\)",
    "optim.lr=-1": r"config.optim.lr=-1.0 is out of range",
    "optim.lr=inf": r"config.optim.lr=inf is out of range|must be a number",
    "optim.lr=fast": r"config.optim.lr='fast' must be a number",
    "optim.name=sdg": r"config.optim.name='sdg' is not a registered optimizer. Did you mean 'sgd'\?",
    "optim.schedule=cosin": r"config.optim.schedule.name='cosin' is not a registered schedule. Did you mean 'cosine'\?",
    "optim.groups=(('head/.*',),)": r"optim.groups.*pairs of a regular expression and a factor",
    "optim.groups=(('head/(', 2.0),)": r"optim.groups.*'head/\(' is no regular expression",
    "optim.decay=kernel(": r"optim.decay='kernel\(' is no regular expression",
    "optim.stages={'heads': {'lr': 0.1}}": r"config.optim.stages.heads: the method has no such stage.*Its stages: main",
    "optim.stages={'main': {'epochs': 1}}": r"config.optim.stages.main.epochs is unknown",
    "optim.stages={'main': {'lr': -1}}": r"config.optim.stages.main.lr=-1.0 is out of range",
    "eval.select=best": r"config.eval.select='best' is not accepted. Did you mean 'best_val'\?",
    "eval.select=best_val": r"eval.select='best_val' needs a validation split",
    "eval.groups=(20, 100)": r"config.eval.groups=\(20, 100\) must be",
    "eval.groups=20": r"config.eval.groups=20 must be",
    "eval.shifts=(0.5,)": r"config.eval.shifts has 0.5",
    "eval.shifts=('forward',)": r"config.eval.shifts has 'forward'",
    "eval.posthoc=logit_adjus": r"config.eval.posthoc.name='logit_adjus' is not a registered posthoc. Did you mean",
    "run.on_nonfinite=halt": r"config.run.on_nonfinite='halt' is not accepted",
    "run.dtype=bfloat16": r"config.run.dtype='bfloat16' is not accepted.*float32, float64",
    "run.keep=0": r"config.run.keep=0 is out of range",
    "run.rot=x": r"config.run.rot is unknown. Did you mean 'root'\?",
    "seed=-1": r"config.seed=-1 is out of range",
    "seed=first": r"config.seed='first' must be a whole number",
}


@pytest.mark.parametrize("line", BAD_OPTIONS)
def test_a_bad_option_is_told_in_one_sentence(line):
    key, _, text = line.partition("=")
    with pytest.raises(ConfigError, match=BAD_OPTIONS[line]):
        prepare(config(**{key: literal(text)}))


CE = Entry("ce")
BAD_STAGES = {
    r"shares of its stages must sum to 1, got a=0.5, b=0.4": (Stage("a", 0.5), Stage("b", 0.4)),
    r"stage 'b' with a share of 0.01 gets no whole epoch": (Stage("a", 0.99), Stage("b", 0.01)),
    r"batchnorm='frozen' must be 'batch' or 'running'": (Stage(batchnorm="frozen"),),
    r"objective is empty": (Stage(objective=()),),
    r"no entry of the objective is active at its last step": (Stage(objective=(Entry("ce", until=0.5),)),),
    r"normaliser='mean' must be 'batch' or 'weight_sum'": (Stage(objective=(Entry("ce", normaliser="mean"),)),),
    r"pairs='both'": (Stage(objective=(Entry("ce", pairs="both"),)),),
    r"after=1.5 must be a share of the stage": (Stage(objective=(CE, Entry("ce", after=1.5))),),
    r"weights.after=160 must be a share": (Stage(objective=(Entry("ce", weights=dict(name="inverse", after=160)),)),),
    r"after=5 must be a share": (Stage(mixer=dict(name="mixup", after=5)),),
    r"'feature_queue' is not per example and does not read a mixed batch": (
        Stage(objective=(CE, Entry("feature_queue")), mixer="mixup"),),
    r"'lade' is not per example; it takes no class weights": (Stage(objective=(Entry("lade", weights="inverse"),)),),
    r"loss 'focal' takes its weights inside": (Stage(objective=(Entry("focal", normaliser="weight_sum"),)),),
    r"names view 1; the stage has 1": (Stage(objective=(CE, Entry("ce", views=(1,)))),),
    r"optim.learning_rate is unknown": (Stage(optim=dict(learning_rate=0.1)),),
    r"networks.*'emma' is unknown. Did you mean 'ema'\?": (Stage(networks=dict(emma=0.9)),),
    r"networks.*ema=1.5": (Stage(networks=dict(ema=1.5)),),
    r"train='head/\('.*no regular expression": (Stage(train="head/("),),
    r"reset='\*'.*no regular expression": (Stage(reset="*"),),
    r"gradient.name='sham' is not a registered gradient. Did you mean 'sam'\?": (Stage(gradient="sham"),),
    r"gradient.rho=-1.0 is out of range": (Stage(gradient=dict(name="sam", rho=-1.0)),),
    r"project.name='maxnorm' is not a registered project. Did you mean 'max_norm'\?": (Stage(project="maxnorm"),),
}


@pytest.mark.parametrize("told", BAD_STAGES)
def test_a_bad_stage_is_told_in_one_sentence(told):
    with pytest.raises(ConfigError, match=told):
        prepare(config(*BAD_STAGES[told]))


@pytest.mark.parametrize(("stage", "told"), [
    (Stage(train="heads/.*"), r"train='heads/\.\*' matches no parameter. Parameters: head/bias, head/kernel, trunk"),
    (Stage(objective=(CE, Entry(dict(name="feature_queue", size=8)))), r"size=8 must be at least the global batch"),
])
def test_what_only_the_network_tells_is_told_before_a_step(stage, told):
    with pytest.raises(ConfigError, match=told):
        fit(config(stage))


@pytest.mark.parametrize(("arguments", "told"), [
    (dict(init=[]), r"init has 0 entries, the method has 1 stages"),
    (dict(init=[{"head/kernal": [1.0]}]), r"'head/kernal' is no parameter here"),
    (dict(init=[{"head/bias": [1.0]}]), r"'head/bias' has shape \(1,\), expected \(10,\)"),
    (dict(init=[{"head/bias": [float("nan")] * 10}]), r"'head/bias' holds values that are not finite"),
    (dict(plan=[[0, 1]], steps_per_epoch=[[2]]), r"plan: expected whole numbers of shape \[2, batch\]"),
    (dict(plan=[[0.0] * 8], steps_per_epoch=[[1]]), r"plan: expected whole numbers"),
    (dict(plan=[[0, ROWS] * 4], steps_per_epoch=[[1]]), rf"row {ROWS} at step 0 is out of range"),
    (dict(steps_per_epoch=[[1], [1]]), r"steps_per_epoch has 2 entries"),
    (dict(steps_per_epoch=[[0]]), r"steps_per_epoch\[0\].*positive whole numbers"),
    (dict(steps_per_epoch=[[]]), r"steps_per_epoch\[0\].*positive whole numbers"),
    (dict(draws={"mixup": {"ratio": [0.5]}}), r"draws\['mixup'\]: no part of this method draws under that name"),
    (dict(extend="nowhere"), r"no run folder with checkpoints"),
    (dict(seeds=[0, 1], extend="nowhere"), r"one seed"),
])
def test_bad_arguments_of_fit_are_told_in_one_sentence(arguments, told, tmp_path):
    with pytest.raises(ConfigError, match=told):
        fit(config(run__root=str(tmp_path)), **arguments)


@pytest.mark.parametrize(("batch", "devices", "told"), [
    (30, 8, r"batch=30 cannot be divided by 8 devices; use 24, another multiple of 8, or run.devices=k"),
    (32, 9, r"config.run.devices=9: this machine has 8 cpu device"),
])
def test_devices_that_do_not_fit_are_told(batch, devices, told):
    with pytest.raises(ConfigError, match=told):
        fit(config(optim__batch=batch, run__devices=devices))


def test_everything_is_checked_in_two_seconds_and_compiles_nothing():
    given = config(method={"name": "crt"}, optim__epochs=100)
    with compilations() as seen:
        begin = time.perf_counter()
        exp = prepare(given)
        spent = time.perf_counter() - begin
    assert not seen
    assert spent < 2
    json.dumps(exp.config, allow_nan=False)


INVERSE = dict(weights="inverse")
MEANINGS = [
    (Stage(), "train_posterior"),
    (Stage(sampler="class_balanced"), "balanced"),
    (Stage(sampler="class_aware"), "balanced"),
    (Stage(sampler="square_root"), "neither"),
    (Stage(sampler="deferred_resample"), "neither"),
    (Stage(objective=(Entry("ce", **INVERSE),)), "balanced"),
    (Stage(objective=(Entry("ce", weights=dict(name="inverse", after=0.8)),)), "balanced"),
    (Stage(objective=(Entry("ce", weights=dict(name="inverse", after=1.0)),)), "train_posterior"),
    (Stage(objective=(Entry("ce", weights="effective_number"),)), "neither"),
    (Stage(objective=(Entry("ce", **INVERSE),), sampler="class_balanced"), "neither"),
    (Stage(objective="balanced_softmax"), "balanced"),
    (Stage(objective="balanced_softmax", sampler="class_balanced"), "neither"),
    (Stage(objective=(Entry("balanced_softmax", **INVERSE),)), "neither"),
    (Stage(objective="ldam"), "neither"),
    (Stage(objective=(Entry("ce", until=0.5), Entry("balanced_softmax", after=0.5))), "balanced"),
    (Stage(objective=(CE, Entry("balanced_softmax"))), "neither"),
    (Stage(objective=(CE, Entry("feature_queue"))), "train_posterior"),
    (Stage(objective=(Entry("balanced_softmax"), Entry("feature_queue"))), "balanced"),
    (Stage(objective="lade"), "balanced"),
]


@pytest.mark.parametrize(("stage", "meaning"), MEANINGS)
def test_what_logits_mean_follows_from_loss_weights_and_sampler(stage, meaning):
    assert prepare(config(stage)).test_logits == meaning
    adjusted = dict(eval__posthoc=("logit_adjust",))
    if meaning == "train_posterior":
        prepare(config(stage, **adjusted))
        return
    with pytest.raises(ConfigError, match=f"trains '{meaning}' logits: it would adjust twice"):
        prepare(config(stage, **adjusted))
    forced = prepare(config(stage, **adjusted, eval__force=True))
    assert forced.config["eval"]["force"]
    assert forced.test_logits == meaning


def test_smoothed_counts_do_not_hide_the_natural_prior():
    assert prepare(config(data__prior_smoothing=1.0)).test_logits == "train_posterior"


def test_adjusting_twice_in_a_row_is_refused():
    with pytest.raises(ConfigError, match="adjust twice"):
        prepare(config(method={"name": "logit_adjust"}, eval__posthoc=("logit_adjust",)))


def identity(**sets):
    return prepare(config(**sets)).identity


SAME = [dict(seed=3), {"run.devices": 8}, {"run.root": "elsewhere"}, {"run.chunk_steps": 5}, {"run.keep": 9},
        {"run.checkpoint_minutes": 1.0}, {"run.checkpoint_epochs": 2}, {"run.vmap_seeds": 2}, {"optim.lr": 0.1},
        {"optim.weight_decay": 2e-4}, {"method": {"name": "erm", "loss": None}}]
OTHER = [{"optim.epochs": 4}, {"optim.batch": 16}, {"optim.lr": 0.2}, {"optim.momentum": 0.8}, {"optim.nesterov": True},
         {"optim.weight_decay": 0.0}, {"optim.decay": ".*kernel"}, {"optim.clip": 1.0}, {"optim.accumulate": 2},
         {"optim.groups": (("head/.*", 2.0),)}, {"optim.schedule": "cosine"}, {"optim.name": "adamw"},
         {"optim.schedule": {"name": "steps", "warmup": 0.1}}, {"data.imbalance": 20.0}, {"data.subset_seed": 1},
         {"data.augment": ("flip",)}, {"data.val_per_class": 1}, {"model.hidden": (8,)}, {"model.norm_groups": 8},
         {"method": {"name": "erm", "loss": "focal"}},
         {"method": {"name": "erm", "loss": {"name": "focal", "gamma": 2.0}}},
         {"run.dtype": "float64"}, {"run.on_nonfinite": "skip"}, {"run.log_every": 7}, {"eval.posthoc": ("tau_norm",)},
         {"eval.bins": 10}, {"optim.stages": {"main": {"lr": 0.3}}}]


@pytest.mark.parametrize("sets", SAME, ids=str)
def test_what_cannot_change_a_number_keeps_the_identity(sets):
    assert identity(**sets) == identity()


def test_whatever_can_change_a_number_makes_another_identity():
    known = {identity()}
    for sets in OTHER:
        found = identity(**sets)
        assert found not in known, sets
        known.add(found)
