"""The user's own arrays and image folders."""

import numpy as np
import pytest
from PIL import Image

from ltjax.data import load
from ltjax.registry import ConfigError


def arrays(n=(12, 6, 4), shape=(5, 5, 3), dtype=np.uint8, **more):
    rng = np.random.default_rng(0)
    train_y = rng.permutation(np.repeat(np.arange(len(n)), n))
    test_y = np.arange(9) % len(n)
    draw = lambda rows: (rng.integers(0, 256, (rows, *shape)).astype(dtype))
    return {"train_x": draw(len(train_y)), "train_y": train_y, "test_x": draw(9), "test_y": test_y, **more}


def saved(folder, data, kind):
    if kind == "npz":
        np.savez(folder / "mine.npz", **data)
        return str(folder / "mine.npz")
    for name, array in data.items():
        np.save(folder / f"{name}.npy", array)
    return str(folder)


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_images_stay_bytes_and_keep_their_rows(tmp_path, kind):
    given = arrays(class_names=np.array(["ant", "bee", "cat"]))
    data = load({"name": "npz", "path": saved(tmp_path, given, kind)})
    assert data.class_names == ("ant", "bee", "cat")
    assert data.counts.tolist() == [12, 6, 4]
    assert data.scale == 255.0
    assert data.train["x"].dtype == np.uint8
    for split in ("train", "test"):
        part = data.splits[split]
        assert np.array_equal(part["x"], given[f"{split}_x"][part["index"]])
        assert np.array_equal(part["label"], given[f"{split}_y"][part["index"]])
    assert data.info["protocol"] == "as_is"


def test_other_numbers_become_float32_and_can_be_standardised(tmp_path):
    given = arrays(shape=(4,), dtype=np.float64)
    given["train_x"][:, 2] = 7.0
    data = load({"name": "npz", "path": saved(tmp_path, given, "npz"), "standardize": True})
    assert (data.train["x"].dtype, data.scale) == (np.float32, 1.0)
    z = (data.train["x"] - np.array(data.mean)) / np.array(data.std)
    assert np.allclose(z.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(z.std(axis=0), [1, 1, 0, 1], atol=1e-6)


def test_standardised_images_have_mean_0_and_deviation_1_per_channel(tmp_path):
    data = load({"name": "npz", "path": saved(tmp_path, arrays(), "npz"), "standardize": True})
    z = (data.train["x"] / data.scale - np.array(data.mean)) / np.array(data.std)
    assert np.allclose(z.mean(axis=(0, 1, 2)), 0, atol=1e-9)
    assert np.allclose(z.std(axis=(0, 1, 2)), 1)


@pytest.mark.parametrize(("shape", "dtype", "stored"), [
    ((6, 6), np.uint8, (6, 6, 1)), ((6, 6), np.int16, (6, 6, 1)), ((7,), np.uint8, (7,)),
    ((7,), bool, (7,)), ((6, 6, 2), np.float16, (6, 6, 2)),
])
def test_shapes_and_types_that_are_accepted(tmp_path, shape, dtype, stored):
    data = load({"name": "npz", "path": saved(tmp_path, arrays(shape=shape, dtype=dtype), "npz")})
    assert data.test["x"].shape[1:] == stored
    assert data.test["x"].dtype == (np.uint8 if dtype == np.uint8 and len(shape) > 1 else np.float32)


def test_a_long_tail_can_be_made_and_validation_taken(tmp_path):
    path = saved(tmp_path, arrays(n=(40, 40, 40)), "npz")
    data = load({"name": "npz", "path": path, "imbalance": 4, "val_share": 0.2})
    assert data.counts.tolist() == [32, 16, 8]
    assert np.bincount(data.val["label"]).tolist() == [8, 4, 2]
    assert not set(data.val["index"]) & set(data.train["index"])


def test_the_files_own_validation_split_is_kept_whole(tmp_path):
    given = arrays()
    path = saved(tmp_path, {**given, "val_x": given["test_x"][:4], "val_y": given["test_y"][:4]}, "npz")
    assert load({"name": "npz", "path": path}).val["label"].tolist() == [0, 1, 2, 0]
    with pytest.raises(ConfigError, match="brings its own validation split"):
        load({"name": "npz", "path": path, "val_per_class": 1})


def test_labels_in_a_column_are_accepted(tmp_path):
    given = arrays()
    given["train_y"] = given["train_y"][:, None]
    assert load({"name": "npz", "path": saved(tmp_path, given, "npz")}).counts.tolist() == [12, 6, 4]


OBJECTS = np.array([np.zeros(3), np.zeros(4)], dtype=object)
BAD_ARRAYS = {
    "pickles are never read": {"train_x": OBJECTS},
    "one whole number per example": {"train_y": np.zeros(22)},
    "train_y: is int64 of shape (3,) for 22 examples": {"train_y": np.zeros(3, np.int64)},
    "train split: labels run from -1 to 1": {"train_y": np.arange(22) % 3 - 1, "test_y": np.arange(9) % 3},
    "class_names is int64": {"class_names": np.arange(3)},
    "train split: labels run from 0 to 2. Accepted: 0 to 1": {"class_names": np.array(["a", "b"])},
    "test split: labels run from 0 to 3. Accepted: 0 to 2": {
        "class_names": np.array(["a", "b", "c"]), "test_y": np.array([0, 1, 2, 3, 0, 1, 2, 0, 1])},
    "examples differ in shape between splits": {"test_x": np.zeros((9, 4, 5, 3), np.uint8)},
    "train_x: is <U1 of shape": {"train_x": np.full((22, 3), "a")},
    "val_x and val_y go together": {"val_x": np.zeros((3, 5, 5, 3), np.uint8)},
    "1 of 3 classes have no training example": {"train_y": np.arange(22) % 2 * 2},
    "not finite": {"train_x": np.full((22, 3), 1e300), "test_x": np.zeros((9, 3))},
    "train split: is empty": {"train_x": np.zeros((0, 5, 5, 3), np.uint8), "train_y": np.zeros(0, int)},
}


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("sentence", BAD_ARRAYS)
def test_bad_arrays_are_told_in_one_sentence(tmp_path, sentence, kind):
    path = saved(tmp_path, {**arrays(), **BAD_ARRAYS[sentence]}, kind)
    with pytest.raises(ConfigError) as caught:
        load({"name": "npz", "path": path})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"data.path is empty. Give the .npz file"):
        load("npz")
    with pytest.raises(FileNotFoundError, match=r"none.npz: there is no such file"):
        load({"name": "npz", "path": str(tmp_path / "none.npz")})
    with pytest.raises(FileNotFoundError, match=r"train_x.npy: is missing"):
        load({"name": "npz", "path": str(tmp_path)})
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(ConfigError, match=r"broken.npz: is damaged or not an .npz file"):
        load({"name": "npz", "path": str(tmp_path / "broken.npz")})
    np.savez(tmp_path / "part.npz", train_x=np.zeros(3))
    with pytest.raises(ConfigError, match=r"has no array 'train_y'. It holds train_x"):
        load({"name": "npz", "path": str(tmp_path / "part.npz")})


def image_tree(root, counts=None, size=(8, 8), mode="RGB"):
    counts = counts or {"train": {"bee": 6, "ant": 3}, "test": {"ant": 2, "bee": 2}}
    for split, classes in counts.items():
        for name, count in classes.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                value = 10 * k if mode == "L" else (10 * k, 20, 30)
                Image.new(mode, size, value).save(folder / f"{k}.png")
    return {"name": "image_folder", "path": str(root)}


def test_classes_and_rows_are_alphabetical(tmp_path):
    data = load({**image_tree(tmp_path), "size": 0})
    assert data.class_names == ("ant", "bee")
    assert data.counts.tolist() == [3, 6]
    assert data.train["x"].shape == (9, 8, 8, 3)
    assert data.train["x"][:, 0, 0, 0].tolist() == [0, 10, 20, 0, 10, 20, 30, 40, 50]
    assert data.train["index"].tolist() == list(range(9))


def test_images_are_resized_and_turned_grey(tmp_path):
    spec = image_tree(tmp_path)
    assert load({**spec, "size": 4}).test["x"].shape == (4, 4, 4, 3)
    assert load({**spec, "size": 4, "channels": 1}).test["x"].shape == (4, 4, 4, 1)


def test_jpegs_count_and_other_files_do_not(tmp_path):
    spec = image_tree(tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "train" / "ant" / "Z.JPG", "JPEG")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("hello")
    (tmp_path / "train" / "ant" / ".hidden.png").write_text("hello")
    (tmp_path / "train" / ".cache").mkdir()
    assert load(spec).counts.tolist() == [4, 6]


def test_a_folder_can_be_made_long_tailed_and_bring_validation(tmp_path):
    counts = {"train": {"a": 8, "b": 8, "c": 8}, "val": {"a": 1, "c": 1}, "test": {"a": 1, "b": 1, "c": 1}}
    data = load({**image_tree(tmp_path, counts), "imbalance": 4})
    assert data.counts.tolist() == [8, 4, 2]
    assert data.val["label"].tolist() == [0, 2]


def test_the_first_offending_image_is_named(tmp_path):
    spec = image_tree(tmp_path)
    Image.new("RGB", (9, 8)).save(tmp_path / "train" / "bee" / "4.png")
    with pytest.raises(ConfigError, match=r"bee.4.png: has shape \(8, 9, 3\), but 0.png has \(8, 8, 3\)"):
        load({**spec, "size": 0})
    assert load(spec).train["x"].shape == (9, 32, 32, 3)
    (tmp_path / "train" / "ant" / "1.png").write_bytes(b"not an image")
    with pytest.raises(ConfigError, match=r"ant.1.png: is not a readable PNG or JPEG"):
        load(spec)


def test_missing_folders_and_unknown_classes_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.path is empty"):
        load("image_folder")
    with pytest.raises(FileNotFoundError, match=r"train: there is no such folder"):
        load({"name": "image_folder", "path": str(tmp_path)})
    spec = image_tree(tmp_path, {"train": {"ant": 2, "bee": 2}, "test": {"ant": 1, "been": 1}})
    with pytest.raises(ConfigError, match=r"been: this class is not among those of train\. Did you mean"):
        load(spec)
    (tmp_path / "empty" / "train").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds no class folder"):
        load({"name": "image_folder", "path": str(tmp_path / "empty")})
    (tmp_path / "empty" / "train" / "ant").mkdir()
    with pytest.raises(ConfigError, match="holds no image"):
        load({"name": "image_folder", "path": str(tmp_path / "empty")})
