"""The embedded digits."""

import subprocess
import sys

import numpy as np
import pytest

from ltjax.data import load
from ltjax.registry import ConfigError


def test_the_default_has_120_to_2_images_and_50_test_images_per_class():
    data = load("digits_lt")
    assert data.counts.tolist() == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    assert np.bincount(data.test["label"]).tolist() == [50] * 10
    assert data.val is None
    assert data.train["x"].dtype == np.uint8
    assert data.train["x"].shape == (331, 8, 8, 1)
    assert data.train["x"].max() == 16 == data.scale


def test_rows_are_those_of_the_source_and_no_split_shares_one():
    from sklearn.datasets import load_digits

    source = load_digits()
    data = load({"name": "digits_lt", "imbalance": 20, "val_share": 0.2})
    seen = np.concatenate([split["index"] for split in data.splits.values()])
    assert len(np.unique(seen)) == len(seen)
    for split in data.splits.values():
        assert np.array_equal(split["x"][..., 0], source.images[split["index"]])
        assert np.array_equal(split["label"], source.target[split["index"]])


def test_the_test_set_is_the_same_in_every_setting():
    reference = load("digits_lt").test["index"]
    for options in ({"imbalance": 10}, {"subset_seed": 3}, {"profile": "step"}, {"val_per_class": 1}):
        assert np.array_equal(load({"name": "digits_lt", **options}).test["index"], reference)


def test_taking_validation_rows_out_leaves_the_other_rows_alone():
    whole, part = load("digits_lt"), load({"name": "digits_lt", "val_per_class": 1})
    assert set(part.train["index"]) | set(part.val["index"]) == set(whole.train["index"])
    assert part.info["counts"] == (whole.counts - 1).tolist()


@pytest.mark.parametrize(("options", "sentence"), [
    ({"imbalance": 100, "val_per_class": 1}, "class 9 has 1 rows"),
    ({"imbalance": 500}, "have no training example"),
    ({"largest": 130}, "have fewer rows than asked for"),
    ({"test_per_class": 174}, "leaves no training image"),
    ({"counts": [10] * 9 + [999]}, "class 9 has 130, asked 999"),
    ({"counts": [10] * 9}, "9 counts were given for 10 classes"),
    ({"profile": "expo"}, "Did you mean 'exp'"),
])
def test_what_cannot_be_done_is_refused_in_one_sentence(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load({"name": "digits_lt", **options})


def test_empty_classes_are_allowed_with_prior_smoothing():
    data = load({"name": "digits_lt", "imbalance": 500, "prior_smoothing": 0.5})
    assert data.counts[-1] == 0
    assert data.info["prior_smoothing"] == 0.5


def test_the_data_do_not_depend_on_the_process():
    code = "from ltjax.data import load; print(load('digits_lt').info['train_sha256'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == load("digits_lt").info["train_sha256"]
