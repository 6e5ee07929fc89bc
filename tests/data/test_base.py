"""The checks that every data set passes, records, lazy imports."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ltjax.data import Dataset, load, rows_sha256, split_record, validate
from ltjax.registry import ConfigError


def split(n=6, classes=3, dtype=np.uint8, shape=(4, 4, 1)):
    label = (np.arange(n) % classes).astype(np.int32)
    return {"x": np.ones((n, *shape), dtype), "label": label, "index": np.arange(n, dtype=np.int64)}


def dataset(**changes):
    good = Dataset("toy", split(), None, split(9), 3, ("a", "b", "c"))
    return replace(good, **changes)


def with_(base, **arrays):
    return {**base, **arrays}


def test_a_good_data_set_passes_and_is_returned():
    good = dataset(val=split(3), mean=(0.5,), std=(0.2,))
    assert validate(good) is good
    assert list(good.splits) == ["train", "val", "test"]
    features = split(dtype=np.float32, shape=(5,))
    assert validate(dataset(train=features, test=features)).counts.tolist() == [2, 2, 2]


BAD = {
    "train split: 1 labels are out of range (row 0 has 3). Accepted: 0 to 2":
        {"train": with_(split(), label=np.array([3, 1, 2, 0, 1, 2], np.int32))},
    "1 of 3 classes have no training example (first: [2])":
        {"train": with_(split(), label=np.array([0, 1, 0, 1, 0, 1], np.int32))},
    "examples are of unequal shape": {"test": with_(split(), x=np.empty(6, object))},
    "examples differ in shape between splits": {"test": split(shape=(5, 4, 1))},
    "train split: lengths differ": {"train": with_(split(), label=np.zeros(5, np.int32))},
    "test split: 1 examples hold numbers that are not finite (first: row 4)":
        {"train": split(dtype=np.float32, shape=(2,)),
         "test": with_(split(), x=np.where(np.arange(6) == 4, np.nan, 0)[:, None].repeat(2, 1).astype("f4"))},
    "test split: is empty": {"test": split(0)},
    "val split: is empty": {"val": split(0)},
    "has shape (6, 0)": {"train": split(dtype=np.float32, shape=(0,))},
    "x is float64 of shape (6, 4, 4, 1)": {"train": split(dtype=np.float64)},
    "x is uint8 of shape (6, 4)": {"train": split(shape=(4,))},
    "label is int64": {"train": with_(split(), label=np.arange(6) % 3)},
    "has no array 'index'": {"train": {k: v for k, v in split().items() if k != "index"}},
    "2 class names for 3 classes": {"class_names": ("a", "b")},
    "scale=0": {"scale": 0.0},
    "mean has 3 values for 1 channels": {"mean": (1.0, 2.0, 3.0), "std": (1.0, 1.0, 1.0)},
    "mean and std go together": {"mean": (1.0,)},
    "must be positive": {"mean": (1.0,), "std": (0.0,)},
}


@pytest.mark.parametrize("sentence", BAD)
def test_each_fault_is_told_in_one_sentence(sentence):
    with pytest.raises(ConfigError) as caught:
        validate(dataset(**BAD[sentence]))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_class_is_allowed_with_prior_smoothing():
    train = with_(split(), label=np.array([0, 1, 0, 1, 0, 1], np.int32))
    assert validate(dataset(train=train, info={"prior_smoothing": 1.0})).counts.tolist() == [3, 3, 0]


def test_the_hash_is_that_of_little_endian_int64():
    rows = np.array([3, 1, 2], np.int32)
    assert rows_sha256(rows) == hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    assert rows_sha256(rows) != rows_sha256(np.sort(rows))


def test_the_split_record_is_fit_for_json():
    data = load({"name": "digits_lt", "imbalance": 20, "val_per_class": 2})
    record = json.loads(json.dumps(split_record(data)))
    assert record["counts"] == [118, 84, 59, 42, 29, 20, 14, 9, 6, 4]
    assert record["val_counts"] == [2] * 10
    assert record["test_counts"] == [50] * 10
    assert record["classes"] == 10
    assert len(record["train_sha256"]) == 64
    assert split_record(load("digits_lt"))["val_counts"] is None


def test_load_checks_names_and_options_first():
    with pytest.raises(ConfigError, match="Did you mean 'digits_lt'"):
        load("digit_lt")
    with pytest.raises(ConfigError, match="Did you mean 'imbalance'"):
        load({"name": "digits_lt", "imbalanc": 3})
    with pytest.raises(ConfigError, match="out of range"):
        load({"name": "digits_lt", "imbalance": 0.5})


def test_importing_the_package_and_all_its_sources_imports_neither_jax_nor_a_reader():
    code = ("import sys, ltjax.registry as r; import ltjax.data; r.names('data'); "
            "print([m for m in ('jax', 'sklearn', 'scipy', 'PIL', 'tensorflow_datasets', 'tensorflow') "
            "if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
