"""Benchmarks from plain arrays and from sheet packs, and what is said when there are none."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from ltjax.data import found, layouts, load
from ltjax.data.longtail import class_counts, subset_rows
from ltjax.registry import ConfigError


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch, tmp_path):
    monkeypatch.delenv("LTJAX_DATA", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))


def toy(per_class=20, classes=10, shape=(32, 32, 3), tests=2):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(classes), per_class)).astype(np.uint8)
    draw = lambda rows: rng.integers(0, 256, (rows, *shape), np.uint8)
    return {"train_x": draw(len(y)), "train_y": y, "test_x": draw(classes * tests),
            "test_y": np.repeat(np.arange(classes), tests).astype(np.uint8)}


def save_arrays(root, name, data, kind="npy"):
    if kind == "npz":
        np.savez(root / f"{name}.npz", **data)
    else:
        for key, array in data.items():
            np.save(root / f"{name}_{key}.npy", array)


def webp(tiles):
    rgb = tiles if tiles.ndim == 4 else np.repeat(tiles[..., None], 3, axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(rgb.reshape(-1, rgb.shape[2], 3)).save(buffer, "WEBP", lossless=True, exact=True)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def save_pack(root, name, data, others=None):
    """A pack whose train split is cut into two files of two sheets, tiles in another order than images."""
    splits = {}
    for split, files in (("train", 2), ("test", 1)):
        x, y = data[f"{split}_x"], data[f"{split}_y"]
        extra = (others or {}) if split == "train" else {}
        order = np.random.default_rng(1).permutation(len(x)).astype(np.uint16)
        sheets = [webp(part) for part in np.array_split(x[order], 2 * files)]
        names = [f"{name}_{split}_{k}.npz" for k in range(files)]
        for k, file in enumerate(names):
            content = {f"webp_{j:03d}": sheet for j, sheet in enumerate(sheets[2 * k:2 * k + 2])}
            np.savez(root / file, **content, **({"order": order, "labels": y, **extra} if k == 0 else {}))
        splits[split] = {"files": names, "shape": list(x.shape), "dtype": "uint8", "sha256": sha(x),
                         "labels_sha256": sha(y), "other_arrays": {key: {} for key in extra}}
    description = {"name": name, "codec": "webp-sheets", "splits": splits}
    (root / f"{name}.json").write_text(json.dumps(description))
    return description


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_plain_arrays_give_the_protocols_rows(tmp_path, kind):
    data = toy()
    save_arrays(tmp_path, "cifar10", data, kind)
    loaded = load({"name": "cifar10_lt", "root": str(tmp_path), "imbalance": 10, "largest": 20})
    rows = subset_rows(data["train_y"], class_counts(10, 20, 10))
    assert np.array_equal(loaded.train["index"], rows)
    assert np.array_equal(loaded.train["x"], data["train_x"][rows])
    assert np.array_equal(loaded.test["x"], data["test_x"])
    assert loaded.info["layout"] == "arrays"
    assert loaded.info["pool_rows"] == {"train": 200, "test": 20}
    assert loaded.mean == (0.4914, 0.4822, 0.4465)
    assert loaded.class_names[:2] == ("airplane", "automobile")


def test_grey_images_get_a_channel_and_label_columns_are_accepted(tmp_path):
    data = toy(shape=(28, 28))
    data["train_y"] = data["train_y"][:, None]
    save_arrays(tmp_path, "fashion_mnist", data)
    loaded = load({"name": "fashion_mnist_lt", "root": str(tmp_path), "largest": 20, "imbalance": 5})
    assert loaded.train["x"].shape[1:] == (28, 28, 1)
    assert loaded.std == (0.3530,)


def test_a_sheet_pack_equals_the_arrays_it_was_made_of(tmp_path):
    data = toy()
    save_pack(tmp_path, "cifar10", data)
    spec = {"name": "cifar10_lt", "root": str(tmp_path), "largest": 20, "imbalance": 10}
    loaded = load({**spec, "verify": True})
    assert np.array_equal(loaded.train["x"], data["train_x"][loaded.train["index"]])
    assert np.array_equal(loaded.test["x"], data["test_x"])
    (tmp_path / "plain").mkdir()
    save_arrays(tmp_path / "plain", "cifar10", data)
    plain = load({**spec, "root": str(tmp_path / "plain")})
    assert plain.info["train_sha256"] == loaded.info["train_sha256"]
    assert loaded.info["layout"] == "sheets"


def test_a_grey_sheet_pack_equals_its_arrays(tmp_path):
    data = toy(shape=(28, 28))
    save_pack(tmp_path, "fashion_mnist", data)
    loaded = load({"name": "fashion_mnist_lt", "root": str(tmp_path), "largest": 20, "verify": True,
                   "imbalance": 2})
    assert np.array_equal(loaded.train["x"][..., 0], data["train_x"][loaded.train["index"]])


def test_a_pack_of_one_imbalance_serves_larger_ones_with_the_rows_of_the_whole_set(tmp_path):
    data = toy()
    counts = class_counts(10, 20, 5)
    kept = subset_rows(data["train_y"], counts)
    rank = np.concatenate([np.arange(count) for count in counts])
    stored = np.argsort(kept)
    kept, rank = kept[stored], rank[stored]
    exact = np.ones(len(kept), bool)
    exact[3] = False
    part = {**data, "train_x": data["train_x"][kept], "train_y": data["train_y"][kept]}
    save_pack(tmp_path, "cifar10", part, {"rank": rank.astype(np.uint16), "exact": exact,
                                          "official_index": kept.astype(np.uint16)})
    spec = {"name": "cifar10_lt", "root": str(tmp_path), "largest": 20}
    for imbalance in (5, 10, 20):
        loaded = load({**spec, "imbalance": imbalance})
        whole = subset_rows(data["train_y"], class_counts(10, 20, imbalance))
        assert np.array_equal(loaded.train["index"], whole)
        assert np.array_equal(loaded.train["x"], data["train_x"][whole])
    assert loaded.info["re_encoded_images"] == {"train": 1}
    with pytest.raises(ConfigError, match="raise the imbalance"):
        load({**spec, "imbalance": 4})
    with pytest.raises(ConfigError, match="rows of seed 0 only"):
        load({**spec, "imbalance": 10, "subset_seed": 1})


def test_the_environment_variable_names_the_folder_and_the_option_beats_it(tmp_path, monkeypatch):
    save_arrays(tmp_path, "cifar10", toy())
    monkeypatch.setenv("LTJAX_DATA", str(tmp_path))
    assert found() == {"cifar10_lt": "arrays", "cifar100_lt": None, "fashion_mnist_lt": None}
    assert load({"name": "cifar10_lt", "largest": 20, "imbalance": 5}).counts.sum() > 0
    assert found(tmp_path / "elsewhere") == dict.fromkeys(found())
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load({"name": "cifar10_lt", "root": str(tmp_path / "elsewhere")})


def test_missing_data_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        load("cifar100_lt")
    text = str(caught.value)
    for words in ("cifar100: no data found", "LTJAX_DATA is not set", "NAME_train_x.npy", "NAME.json",
                  "file_format='array_record'", "data.root"):
        assert words in text
    assert layouts() in text
    for source in ("arrays", "sheets"):
        with pytest.raises(FileNotFoundError, match="no data found"):
            load({"name": "cifar100_lt", "source": source, "root": str(tmp_path)})


def test_too_few_rows_for_the_official_protocol_are_refused(tmp_path):
    save_arrays(tmp_path, "cifar10", toy())
    with pytest.raises(ConfigError, match=r"class 0 has 20, asked 5000"):
        load({"name": "cifar10_lt", "root": str(tmp_path)})


def test_wrong_arrays_are_refused_in_one_sentence(tmp_path):
    save_arrays(tmp_path, "cifar10", toy(shape=(3, 32, 32)))
    with pytest.raises(ConfigError, match="channels last"):
        load({"name": "cifar10_lt", "root": str(tmp_path)})
    save_arrays(tmp_path, "cifar10", {**toy(), "train_y": np.array([None] * 200)})
    with pytest.raises(ConfigError, match="pickles are never read"):
        load({"name": "cifar10_lt", "root": str(tmp_path)})
    save_arrays(tmp_path, "cifar10", {**toy(), "train_y": np.zeros(7, int)})
    with pytest.raises(ConfigError, match="200 examples and 7 labels"):
        load({"name": "cifar10_lt", "root": str(tmp_path)})
    save_arrays(tmp_path, "cifar10", {**toy(), "test_y": np.full(20, 0.5)})
    with pytest.raises(ConfigError, match="test split: labels are float64"):
        load({"name": "cifar10_lt", "root": str(tmp_path), "largest": 20, "imbalance": 2})
    save_arrays(tmp_path, "cifar10", toy())
    with pytest.raises(ConfigError, match="carries no checksums"):
        load({"name": "cifar10_lt", "root": str(tmp_path), "verify": True})


def damage(root, name):
    """Changes to a good pack, each with the words of the sentence that must come."""
    description = json.loads((root / f"{name}.json").read_text())
    train = description["splits"]["train"]

    def change(**entries):
        changed = {**description, "splits": {**description["splits"], "train": {**train, **entries}}}
        (root / f"{name}.json").write_text(json.dumps(changed))

    first = root / train["files"][0]
    arrays = dict(np.load(first))

    def rewrite(**entries):
        np.savez(first, **{**arrays, **entries})

    yield "recorded is 0000000000000000", lambda: change(sha256="0" * 64)
    yield "the labels have SHA-256", lambda: change(labels_sha256="0" * 64)
    yield "Accepted: plain names ending in .npz", lambda: change(files=["../other.npz"])
    yield "is not a complete description", lambda: (root / f"{name}.json").write_text("{}")
    yield "is not a complete description", lambda: (root / f"{name}.json").write_text("{not json")
    yield "images of shape (30, 32, 3) were recorded", lambda: change(shape=[200, 30, 32, 3])
    yield "labels is uint8 of shape (200,), expected unsigned of", lambda: change(shape=[201, 32, 32, 3])
    yield "has no array 'rank'", lambda: change(other_arrays={"rank": {}})
    yield "100 images were found, 200 were recorded", lambda: change(files=train["files"][:1])
    yield "order is int64 of shape (200,), expected unsigned", lambda: rewrite(order=np.arange(200) - 1)
    yield "is not a complete description", lambda: change(files=[])
    yield "order is not a permutation", lambda: rewrite(order=np.zeros(200, np.uint16))
    yield "sheet webp_000 cannot be decoded", lambda: rewrite(webp_000=np.zeros(50, np.uint8))
    yield "does not fit", lambda: rewrite(webp_000=webp(np.zeros((3, 16, 16, 3), np.uint8)))
    yield "pickles are never read", lambda: rewrite(labels=np.array([None] * 200))
    yield "is damaged or not an .npz file", lambda: first.write_bytes(b"PK\x03\x04 nonsense")


@pytest.mark.parametrize("case", range(16))
def test_a_damaged_pack_is_told_in_one_sentence(tmp_path, case):
    save_pack(tmp_path, "cifar10", toy())
    sentence, spoil = list(damage(tmp_path, "cifar10"))[case]
    spoil()
    with pytest.raises(ConfigError) as caught:
        load({"name": "cifar10_lt", "root": str(tmp_path), "largest": 20, "imbalance": 2, "verify": True})
    assert sentence in str(caught.value)


def test_a_missing_file_of_a_pack_is_named(tmp_path):
    save_pack(tmp_path, "cifar10", toy())
    (tmp_path / "cifar10_train_1.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"cifar10_train_1.npz: is missing"):
        load({"name": "cifar10_lt", "root": str(tmp_path), "largest": 20, "imbalance": 2})
