"""Every bad input ends in one sentence on standard error and exit code 2, before anything compiles or is written."""

from __future__ import annotations

import json
import secrets

import jax
import numpy as np
import pytest
from PIL import Image

TRAIN = ("train", "--config", "digits_lt:ir=50,smoke")

SENTENCES = {
    "unknown verb": (("trian",), ["'trian'", "Did you mean 'train'?"]),
    "unknown flag": ((*TRAIN, "--extnd", "x"), ["--extnd", "Did you mean '--extend'?", "--help"]),
    "flag without value": (("train", "--config"), ["--config", "expected one argument"]),
    "seeds that are no number": ((*TRAIN, "--seeds", "few"), ["--seeds", "'few'", "whole number of at least 1"]),
    "no config": (("train",), ["--config is missing", "digits_lt"]),
    "unknown config": (("train", "--config", "digit_lt"), ["Did you mean 'digits_lt'?", "cifar100_lt"]),
    "missing config file": (("train", "--config", "configs/mine.py"), ["no such file"]),
    "unknown argument of a config": (("train", "--config", "digits_lt:irr=5"), ["'irr'", "Did you mean 'ir'?"]),
    "argument of the wrong type": (("train", "--config", "digits_lt:ir=steep"), ["ir='steep'", "a number"]),
    "line without value": ((*TRAIN, "--set", "optim.epochs"), ["section.option=value"]),
    "unknown section": ((*TRAIN, "--set", "optm.epochs=3"), ["'optm'", "Did you mean 'optim'?"]),
    "unknown option": ((*TRAIN, "--set", "optim.epoch=3"), ["optim.epoch", "Did you mean 'epochs'?"]),
    "unknown option, other spelling": ((*TRAIN, "--config.optim.epoch=3"), ["Did you mean 'epochs'?"]),
    "text for a whole number": ((*TRAIN, "--set", "optim.epochs=many"), ["optim.epochs='many'", "a whole number"]),
    "fraction for a whole number": ((*TRAIN, "--set", "optim.epochs=1.5"), ["optim.epochs=1.5", "a whole number"]),
    "text for a number": ((*TRAIN, "--set", "optim.lr=fast"), ["optim.lr='fast'", "a number"]),
    "number for a switch": ((*TRAIN, "--set", "run.deterministic=1"), ["run.deterministic=1", "true or false"]),
    "negative seed": ((*TRAIN, "--set", "seed=-1"), ["seed=-1", "out of range"]),
    "seed that is no number": ((*TRAIN, "--set", "seed=one"), ["seed='one'", "a whole number"]),
    "momentum above one": ((*TRAIN, "--set", "optim.momentum=2"), ["optim.momentum=2", "0 to 1"]),
    "unknown loss": ((*TRAIN, "--loss", "focl"), ["'focl'", "Did you mean 'focal'?"]),
    "unknown option of a loss": ((*TRAIN, "--loss", "focal(gama=1)"), ["'gama'", "Did you mean 'gamma'?"]),
    "loss option out of range": ((*TRAIN, "--loss", "focal(gamma=-1)"), ["gamma", "-1", "out of range"]),
    "unreadable loss": ((*TRAIN, "--loss", "focal(gamma="), ["cannot be read", "ldam(max_margin=0.3)"]),
    "code in place of a value": ((*TRAIN, "--loss", "focal(gamma=1+open('x'))"), ["no plain value"]),
    "unknown method": ((*TRAIN, "--set", "method.name=emr"), ["'emr'", "Did you mean 'erm'?"]),
    "method named twice": ((*TRAIN, "--loss", "focal", "--method", "erm"), ["both name the method"]),
    "unknown model": ((*TRAIN, "--set", "model.name=resnet23"), ["'resnet23'", "Did you mean 'resnet32'"]),
    "unknown option of a model": ((*TRAIN, "--set", "model.depth=3"), ["'depth'", "Options"]),
    "batch larger than the data": ((*TRAIN, "--set", "optim.batch=4096"), ["optim.batch=4096", "larger"]),
    "batch not divisible by the devices": ((*TRAIN, "--set", "optim.batch=30"), ["30", "8 devices", "use 24"]),
    "more devices than there are": ((*TRAIN, "--set", "run.devices=99"), ["run.devices=99", "8 cpu device"]),
    "best epoch without validation": ((*TRAIN, "--set", "eval.select=best_val"), ["validation", "val_per_class"]),
    "validation that empties a class": ((*TRAIN, "--set", "data.val_per_class=2"), ["class 9", "too few"]),
    "counts for other classes": ((*TRAIN, "--set", "data.counts=(9,8,7)"), ["3 counts", "10 classes"]),
    "counts above what there is": ((*TRAIN, "--set", f"data.counts={(999,) * 10}"), ["999", "fewer rows"]),
    "class without example": ((*TRAIN, "--set", "data.imbalance=500"), ["no training example", "[7, 8, 9]"]),
    "adjusting balanced logits": (
        (*TRAIN, "--method", "balanced_softmax", "--set", "eval.posthoc=['logit_adjust']"),
        ["'logit_adjust'", "twice", "eval.force=true"]),
    "missing benchmark data": (("train", "--config", "cifar10_lt"), ["no data found", "LTJAX_DATA", "cifar10"]),
    "missing arrays": (("train", "--config", "npz:path=none.npz"), ["none.npz", "no such file", "numpy.savez"]),
    "missing image folder": (("train", "--config", "folder:path=none"), ["none/train", "CLASS/*.png"]),
    "missing plugin": ((*TRAIN, "--plugin", "none.py"), ["none.py", "no such file"]),
    "extending nothing": ((*TRAIN, "--extend", "none"), ["--extend none"]),
    "comparison of nothing": (("compare", "--config", "digits_lt"), ["--methods is missing", "@quickstart"]),
    "unknown method of a comparison": (("compare", "--config", "digits_lt", "--methods", "erm,mixu"),
                                       ["'mixu'", "Did you mean 'mixup'?"]),
    "unknown set": (("compare", "--config", "digits_lt", "--methods", "@rebalnce"), ["Did you mean 'rebalance'?"]),
    "against without loss": (("compare", "--config", "digits_lt", "--against", "all"), ["goes with --loss"]),
    "unknown column": (("compare", "--config", "digits_lt", "--methods", "erm", "--sort", "tail"), ["'tail'", "few"]),
    "missing published figures": (("compare", "--config", "digits_lt", "--methods", "erm", "--published", "no.csv"),
                                  ["no.csv is missing", "method, split, value"]),
    "report of nothing": (("report", "nowhere"), ["nowhere is not a folder"]),
    "evaluation of nothing": (("evaluate", "."), ["no finished run"]),
    "unknown rule": (("evaluate", ".", "--posthoc", "logit_ajust"), ["Did you mean 'logit_adjust'?"]),
    "groups that are one number": (("evaluate", ".", "--groups", "100"), ["'100'", "2 numbers"]),
    "unknown part": (("list", "focl"), ["Did you mean 'focal'?"]),
    "unknown part of a kind": (("list", "loss", "focl"), ["Did you mean 'focal'?"]),
}
LISTS = {"missing benchmark data"}
"""Whose sentence is followed by the layouts of data."""


def refused(outcome, *fragments: str, lines: int = 1) -> None:
    assert outcome.code == 2
    assert outcome.compiled == 0
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("ltjax: ")
    assert len(outcome.err.rstrip("\n").split("\n")) <= lines
    for fragment in fragments:
        assert fragment in outcome.err


def test_a_compilation_is_noticed(ltjax, monkeypatch):
    from ltjax.commands import list as verb

    seed = secrets.randbits(20)  # a program that no cache holds
    monkeypatch.setattr(verb, "run", lambda args: int(jax.jit(lambda x: x * 0 + seed * 1.5)(1.0) < 0))
    assert ltjax("list").compiled > 0


@pytest.mark.parametrize("case", SENTENCES)
def test_a_bad_value_is_told_in_one_sentence(case, ltjax, tmp_path):
    words, fragments = SENTENCES[case]
    refused(ltjax(*words), *fragments, lines=30 if case in LISTS else 1)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("changed", "fragments"), [
    ({"train_y": np.arange(64) % 3 - 1}, ["labels run from -1 to 1", "0 to 2"]),
    ({"test_y": np.arange(30) % 4, "class_names": np.array(["a", "b", "c"])}, ["labels run from 0 to 3", "0 to 2"]),
    ({"train_y": np.arange(64) % 2 * 2}, ["no training example", "[1]"]),
    ({"test_x": np.zeros((30, 6), np.float32)}, ["differ in shape"]),
    ({"train_x": np.zeros((64, 5, 2, 2, 2), np.float32)}, ["train_x", "[n,d]"]),
    ({"train_y": np.arange(60) % 3}, ["train_y", "64 examples"]),
    ({"train_x": np.full((64, 5), np.nan, np.float32)}, ["not finite"]),
    ({"train_y": np.array([None] * 64)}, ["pickles are never read"]),
], ids=["label below zero", "label without class", "class without example", "other test shape", "five axes",
        "other number of labels", "nan", "pickle"])
def test_bad_arrays_are_told_in_one_sentence(changed, fragments, ltjax, arrays):
    path = arrays(**changed)
    refused(ltjax("train", "--config", f"npz:path={path},smoke", "--set", "optim.batch=8"), *fragments)


def test_images_of_unequal_shape_are_told_in_one_sentence(ltjax, tmp_path):
    for split in ("train", "test"):
        for number, side in enumerate((8, 8, 9)):
            folder = tmp_path / "images" / split / "cat"
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (side, side)).save(folder / f"{number}.png")
    outcome = ltjax("train", "--config", f"folder:path={tmp_path / 'images'},size=0,smoke", "--set", "optim.batch=1")
    refused(outcome, "2.png", "(9, 9, 3)", "Set data.size")


def test_shares_that_do_not_sum_to_one_are_told_in_one_sentence(ltjax, tmp_path):
    (tmp_path / "halves.py").write_text(
        "from ltjax.methods.base import Method, Stage\nfrom ltjax.registry import register\n\n\n"
        "@register('method', 'test_halves')\ndef test_halves():\n    '''Two stages that are too short.'''\n"
        "    return Method(stages=(Stage('a', 0.5), Stage('b', 0.4)))\n")
    outcome = ltjax(*TRAIN, "--plugin", "halves.py", "--method", "test_halves")
    refused(outcome, "shares", "sum to 1", "a=0.5, b=0.4", "0.9")


@pytest.mark.parametrize(("text", "fragments"), [
    ("def get_config(arg=None):\n    return 1 / 0\n", ["line 2", "ZeroDivisionError", "    return 1 / 0"]),
    ("import ltjax.nothing\n", ["line 1", "ModuleNotFoundError", "    import ltjax.nothing"]),
    ("def get_config(arg=None)\n    pass\n", ["line 1", "SyntaxError", "    def get_config(arg=None)"]),
    ("x = 1\n", ["no function get_config(arg)"]),
    ("def get_config(arg=None):\n    return dict(optm={})\n", ["'optim'"]),
], ids=["raises", "imports nothing", "syntax", "no function", "unknown section"])
def test_a_config_file_that_fails_shows_its_own_line(text, fragments, ltjax, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    refused(ltjax("train", "--config", "mine.py"), *fragments, lines=2)


def test_a_plugin_that_fails_shows_its_own_line(ltjax, tmp_path):
    (tmp_path / "broken.py").write_text("import ltjax\n\nltjax.register('los', 'x')\n")
    refused(ltjax(*TRAIN, "--plugin", "broken.py"), "Did you mean 'loss'?")


def test_the_run_folder_of_another_config_is_refused(ltjax, tmp_path):
    from ltjax import config as configs
    from ltjax.train.prepare import prepare
    from ltjax.train.rundir import folder_of

    config = configs.load("digits_lt:ir=50,smoke")
    exp = prepare(config)
    folder = folder_of(exp.config, exp.identity, exp.label, 0)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"identity": "0" * 16}))
    outcome = ltjax(*TRAIN, "--root", tmp_path / "runs")
    refused(outcome, "another config", "0000000000000000", "run.root")


def test_a_file_in_place_of_the_root_is_told_in_one_sentence(ltjax, tmp_path):
    (tmp_path / "file").write_text("")
    refused(ltjax(*TRAIN, "--root", tmp_path / "file"), "file")
