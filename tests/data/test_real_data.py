"""The real benchmarks: run with `LTJAX_DATA=FOLDER python -m pytest -m data tests/data`."""

import os

import numpy as np
import pytest

from ltjax.data import found, load, rows_sha256

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("LTJAX_DATA" not in os.environ, reason="LTJAX_DATA names no folder of data"),
]
ROWS = {  # images, first digits of the SHA-256 of the official rows (CIFAR-10 sorted, CIFAR-100 as drawn)
    ("cifar10_lt", 10): (20431, "448d422a25745cda"), ("cifar10_lt", 50): (13996, "620184a2896675c8"),
    ("cifar10_lt", 100): (12406, "f7669c469c9ddf9a"), ("cifar10_lt", 200): (11203, "71da1ec51fc39313"),
    ("cifar100_lt", 10): (19573, "b4fbf1bf0a7f3338"), ("cifar100_lt", 50): (12608, "561fa940cc7d3551"),
    ("cifar100_lt", 100): (10847, "e0d58a4d2700c460"), ("cifar100_lt", 200): (9502, "2f00ccd33da379d5"),
}


def wanted(name):
    if found()[name] is None:
        pytest.skip(f"{name} is not in this folder")
    return name


@pytest.mark.parametrize(("name", "imbalance"), ROWS)
def test_the_kept_rows_are_the_published_ones(name, imbalance):
    data = load({"name": wanted(name), "imbalance": imbalance})
    size, digest = ROWS[name, imbalance]
    rows = data.train["index"]
    assert len(rows) == size
    assert rows_sha256(np.sort(rows) if name == "cifar10_lt" else rows)[:16] == digest
    assert np.bincount(data.test["label"]).tolist() == [10_000 // data.classes] * data.classes


@pytest.mark.parametrize("name", ["cifar10_lt", "cifar100_lt", "fashion_mnist_lt"])
def test_recorded_checksums_hold(name):
    if found()[wanted(name)] != "sheets":
        pytest.skip("only sheet packs carry checksums")
    assert load({"name": name, "verify": True}).info["layout"] == "sheets"


@pytest.mark.parametrize("name", ["cifar100_lt", "fashion_mnist_lt"])
def test_the_whole_training_split_has_about_the_stated_mean_and_deviation(name):
    data = load({"name": wanted(name), "imbalance": 1})
    assert data.counts.sum() == {"cifar100_lt": 50_000, "fashion_mnist_lt": 60_000}[name]
    x = data.train["x"][::5].reshape(-1, data.train["x"].shape[-1]) / data.scale
    assert np.abs(x.mean(axis=0) - data.mean).max() < 0.025  # CIFAR's constants are those of CIFAR-10
    if name == "fashion_mnist_lt":
        assert np.abs(x.std(axis=0) - data.std).max() < 0.005


def test_fashion_mnist_has_the_stated_size():
    assert load({"name": wanted("fashion_mnist_lt"), "imbalance": 100}).counts.sum() == 14_886
