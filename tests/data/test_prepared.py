"""Benchmarks prepared by TensorFlow Datasets: tiny real builders, run offline and without TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ltjax.data import found, load
from ltjax.data.longtail import class_counts, subset_rows
from ltjax.registry import ConfigError

PREPARE = r'''
import io, sys
import numpy as np, tensorflow_datasets as tfds
from PIL import Image

root, name, with_id, file_format = sys.argv[1], sys.argv[2], sys.argv[3] == "id", sys.argv[4]
shape = (32, 32, 3) if name == "Cifar10" else (28, 28, 1)

def image(split, row):
    return np.random.default_rng([len(split), row]).integers(0, 256, shape, np.uint8)

def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels if shape[2] == 3 else pixels[..., 0]).save(buffer, "PNG")
    buffer.seek(0)
    return buffer

def info(self):
    features = {"image": tfds.features.Image(shape=shape, dtype=np.uint8),
                "label": tfds.features.ClassLabel(num_classes=10)}
    if with_id:
        features["id"] = tfds.features.Text()
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

def examples(split, rows):
    for row in range(rows):
        example = {"image": png(image(split, row)), "label": row * 7 % 10}
        yield row, {**example, "id": f"{split}_{row:05d}"} if with_id else example

def splits(self, manager):
    return {"train": examples("train", 100), "test": examples("test", 20)}

with tfds.core.registered.skip_registration():
    builder = type(name, (tfds.core.GeneratorBasedBuilder,), {
        "VERSION": tfds.core.Version("3.0.2"), "_info": info, "_split_generators": splits,
        "_generate_examples": lambda self: None, "__module__": __name__})
builder(data_dir=root, file_format=file_format).download_and_prepare()
assert "tensorflow" not in sys.modules
'''


def prepare(root, name, ids, file_format="array_record"):
    command = [sys.executable, "-c", PREPARE, str(root), name, ids, file_format]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    prepare(folder, "Cifar10", "id")
    prepare(folder, "FashionMnist", "none")
    return folder


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch, tmp_path):
    monkeypatch.delenv("LTJAX_DATA", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))


def image(split, row, shape):
    return np.random.default_rng([len(split), row]).integers(0, 256, shape, np.uint8)


def test_ids_restore_the_official_order_and_so_the_protocols_rows(root):
    data = load({"name": "cifar10_lt", "root": str(root), "largest": 10, "imbalance": 5})
    labels = np.arange(100) * 7 % 10
    assert np.array_equal(data.train["index"], subset_rows(labels, class_counts(10, 10, 5)))
    assert np.array_equal(data.train["label"], labels[data.train["index"]])
    for split in ("train", "test"):
        for row, pixels in zip(data.splits[split]["index"], data.splits[split]["x"]):
            assert np.array_equal(pixels, image(split, row, (32, 32, 3)))
    assert data.info["layout"] == "tfds"
    assert (data.info["version"], data.info["rows"]) == ("3.0.2", "official")
    assert "tensorflow" not in sys.modules


def test_without_ids_the_position_is_the_row_and_the_record_says_so(root):
    data = load({"name": "fashion_mnist_lt", "root": str(root), "largest": 10, "imbalance": 5})
    known = {image("train", row, (28, 28, 1)).tobytes(): row * 7 % 10 for row in range(100)}
    assert [known[x.tobytes()] for x in data.train["x"]] == data.train["label"].tolist()
    assert data.info["rows"] == "position in the TFDS files"


def test_the_folder_of_tfds_itself_is_found_too(root, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    assert found() == {"cifar10_lt": "tfds", "cifar100_lt": None, "fashion_mnist_lt": "tfds"}
    assert load({"name": "cifar10_lt", "largest": 10, "imbalance": 5}).info["layout"] == "tfds"


def test_a_format_without_random_access_is_told_with_the_command(tmp_path):
    version = tmp_path / "cifar10" / "3.0.2"
    version.mkdir(parents=True)
    (version / "dataset_info.json").write_text(json.dumps({"fileFormat": "tfrecord"}))
    assert found(tmp_path)["cifar10_lt"] is None
    with pytest.raises(FileNotFoundError) as caught:
        load({"name": "cifar10_lt", "root": str(tmp_path), "source": "tfds"})
    for words in ("is prepared as tfrecord, which has no random access", "ltjax[prepare]",
                  f"tfds.builder('cifar10', data_dir='{tmp_path}', file_format='array_record')"):
        assert words in str(caught.value)


def test_nothing_prepared_is_told_with_the_command_and_nothing_is_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no prepared data"):
        load({"name": "cifar100_lt", "root": str(tmp_path), "source": "tfds"})
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_preparation_is_told_in_one_sentence(tmp_path):
    version = tmp_path / "cifar10" / "3.0.2"
    version.mkdir(parents=True)
    (version / "dataset_info.json").write_text(json.dumps({"fileFormat": "array_record"}))
    with pytest.raises(ConfigError, match=r"TensorFlow Datasets cannot open cifar10:3\.0\.2"):
        load({"name": "cifar10_lt", "root": str(tmp_path), "largest": 10})
