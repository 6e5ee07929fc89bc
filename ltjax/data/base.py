"""What every data source returns, and the checks that it passes (NumPy only)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ltjax.registry import ConfigError, bind

Split = dict[str, np.ndarray]
"""The arrays of one split, of equal length: `x` (uint8 images [n,h,w,c], or float32 [n,d] or [n,h,w,c]),
`label` int32 [n], `index` int64 [n] (the row in the source's own split)."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A task: its splits, what its numbers mean, and how the long tail was made.

    A network reads `(x / scale - mean) / std`, with `mean` and `std` per channel (last axis), or `x / scale`
    where they are empty.

    Attributes:
      train: the training split, class after class; its class counts are the long tail.
      val: the validation split, or None.
      test: the test split.
      info: what was done, fit for JSON: `protocol`, `profile`, `imbalance`, seeds, `source`, `counts` (of the
        training split) and `train_sha256` (of its int64 `index`, in the order of the split).
      truth: what is known exactly about the task, such as the accuracy that no classifier can beat.
    """

    name: str
    train: Split
    val: Split | None
    test: Split
    classes: int
    class_names: tuple[str, ...]
    scale: float = 255.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    truth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> np.ndarray:
        """Training rows per class, int64 [C]."""
        return np.bincount(self.train["label"], minlength=self.classes)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}


def rows_sha256(rows: np.ndarray) -> str:
    """SHA-256 of row numbers as little-endian int64, in their order."""
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()


def split_record(dataset: Dataset) -> dict[str, Any]:
    """What a run folder keeps of its splits, fit for JSON: class counts and the hash of the training rows."""

    def counts(split: Split | None) -> list[int] | None:
        return None if split is None else np.bincount(split["label"], minlength=dataset.classes).tolist()

    return {
        "counts": counts(dataset.train),
        "class_names": list(dataset.class_names),
        "classes": dataset.classes,
        "train_sha256": rows_sha256(dataset.train["index"]),
        "val_counts": counts(dataset.val),
        "test_counts": counts(dataset.test),
    }


def load(spec: Any, where: str = "data") -> Dataset:
    """The data set of a spec: a name, or a dict with `name` and options, checked before anything is read.

    Args:
      spec: such as `dict(name="digits_lt", imbalance=20)`.
      where: what errors call it.
    """
    part, options = bind("data", spec, where)
    return validate(part.fn(**options))


def validate(dataset: Dataset) -> Dataset:
    """The same data set, or one sentence that names the split, the fault and the fix.

    Raises:
      ConfigError: empty splits, lengths that differ, images of unequal shape, wrong types, numbers that are
        not finite, labels out of range, a class without training example (allowed where the info holds a
        positive `prior_smoothing`), names or normalisation that do not fit.
    """
    for split, arrays in dataset.splits.items():
        _check_split(f"data {dataset.name!r}, {split} split", arrays, dataset.classes)
    shapes = {split: arrays["x"].shape[1:] for split, arrays in dataset.splits.items()}
    if len(set(shapes.values())) > 1:
        raise ConfigError(f"data {dataset.name!r}: examples differ in shape between splits: {shapes}. "
                          "Give all splits one shape.")
    _check_description(dataset)
    empty = np.flatnonzero(dataset.counts == 0)
    if empty.size and not dataset.info.get("prior_smoothing", 0) > 0:
        raise ConfigError(
            f"data {dataset.name!r}: {empty.size} of {dataset.classes} classes have no training example "
            f"(first: {empty[:5].tolist()}). Lower data.imbalance, drop the classes, or set "
            "data.prior_smoothing > 0.")
    return dataset


def _check_split(where: str, split: Split, classes: int) -> None:
    missing = [name for name in ("x", "label", "index") if name not in split]
    if missing:
        raise ConfigError(f"{where}: has no array {missing[0]!r}. Give x, label and index.")
    x, label, index = split["x"], split["label"], split["index"]
    if x.dtype == object:
        raise ConfigError(f"{where}: examples are of unequal shape. Give one array with one shape for all.")
    image = x.dtype == np.uint8 and x.ndim == 4
    if not image and not (x.dtype == np.float32 and x.ndim in (2, 4)):
        raise ConfigError(f"{where}: x is {x.dtype} of shape {x.shape}. "
                          "Accepted: uint8 images [n,h,w,c], or float32 [n,d] or [n,h,w,c].")
    if label.shape != (len(x),) or index.shape != (len(x),):
        raise ConfigError(f"{where}: lengths differ: {len(x)} examples, labels of shape {label.shape}, "
                          f"index of shape {index.shape}. Give one label and one row number per example.")
    if not len(x):
        raise ConfigError(f"{where}: is empty. Give it at least one example.")
    if x.size == 0:
        raise ConfigError(f"{where}: x has shape {x.shape} and so no values. Give examples of positive size.")
    if label.dtype != np.int32 or index.dtype != np.int64:
        raise ConfigError(f"{where}: label is {label.dtype} and index {index.dtype}. Give int32 and int64.")
    outside = np.flatnonzero((label < 0) | (label >= classes))
    if outside.size:
        raise ConfigError(f"{where}: {outside.size} labels are out of range (row {outside[0]} has "
                          f"{label[outside[0]]}). Accepted: 0 to {classes - 1}.")
    if not image:
        bad = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
        if bad.size:
            raise ConfigError(f"{where}: {bad.size} examples hold numbers that are not finite (first: row "
                              f"{bad[0]}). Fill or drop them.")


def _check_description(dataset: Dataset) -> None:
    if len(dataset.class_names) != dataset.classes:
        raise ConfigError(f"data {dataset.name!r}: {len(dataset.class_names)} class names for "
                          f"{dataset.classes} classes. Give one name per class.")
    if not (np.isfinite(dataset.scale) and dataset.scale > 0):
        raise ConfigError(f"data {dataset.name!r}: scale={dataset.scale} must be a positive number.")
    channels = dataset.train["x"].shape[-1]
    for name, values in (("mean", dataset.mean), ("std", dataset.std)):
        if len(values) not in (0, channels):
            raise ConfigError(f"data {dataset.name!r}: {name} has {len(values)} values for {channels} "
                              "channels. Give one per channel, or none.")
    if bool(dataset.mean) != bool(dataset.std):
        raise ConfigError(f"data {dataset.name!r}: mean and std go together. Give both, or neither.")
    if not np.isfinite([*dataset.mean, *dataset.std]).all() or any(value <= 0 for value in dataset.std):
        raise ConfigError(f"data {dataset.name!r}: std={dataset.std} must be positive and mean finite.")
