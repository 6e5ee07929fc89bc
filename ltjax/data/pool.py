"""From a source's own splits to a checked data set: every source ends here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ltjax.data.base import Dataset, Split, rows_sha256, validate
from ltjax.data.longtail import Protocol, ranked_rows, split_validation, subset_rows
from ltjax.registry import ConfigError


@dataclass(frozen=True, eq=False)
class Pool:
    """One split as its source holds it: labels in memory, examples read only for the rows asked for.

    Attributes:
      label: labels of all rows, [n].
      read: rows -> their examples; `lambda rows: x[rows]` for an array.
      index: the row in the official split, where the source holds them in another order.
      rank: the row's place in its class's shuffle of seed 0, for sources that hold a part of the rows only.
    """

    label: np.ndarray
    read: Callable[[np.ndarray], np.ndarray]
    index: np.ndarray | None = None
    rank: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Split:
        """The arrays of these rows in the types that a data set promises."""
        index = rows if self.index is None else self.index[rows]
        label = self.label[rows].astype(np.int32)
        return {"x": self.read(rows), "label": label, "index": index.astype(np.int64)}

    def all(self) -> Split:
        return self.take(np.arange(len(self.label)))


def of_array(x: np.ndarray, label: np.ndarray, **more: Any) -> Pool:
    """A pool over an array in memory or mapped from a file."""
    if len(x) != len(label):
        raise ConfigError(f"data: lengths differ: {len(x)} examples and {len(label)} labels.")
    return Pool(np.asarray(label), lambda rows: np.asarray(x[rows]), **more)


def assemble(name: str, *, train: Pool, test: Pool, protocol: Protocol, class_names: tuple[str, ...],
             val: Pool | None = None, info: Mapping[str, Any] | None = None, **description: Any) -> Dataset:
    """Keeps the long-tailed rows of the training pool, takes validation out of them, checks everything.

    Args:
      name: of the source.
      train: where the training rows, and the validation rows if the protocol wants some, come from.
      test: kept whole.
      protocol: the long tail and the validation split.
      class_names: one per class; their number is the number of classes.
      val: the source's own validation split, kept whole.
      info: what the source adds to the record.
      **description: `scale`, `mean`, `std`, `truth` of the data set.
    """
    where, classes = f"data {name!r}", len(class_names)
    for split, pool in (("train", train), ("val", val), ("test", test)):
        if pool is not None:
            _check_labels(f"{where}, {split} split", pool.label, classes)
    if val is not None and (protocol.val_per_class or protocol.val_share):
        raise ConfigError(f"{where}: brings its own validation split. Set val_per_class and val_share to 0.")
    rows = _training_rows(where, train, protocol, classes)
    kept, held = split_validation(train.label[rows], per_class=protocol.val_per_class,
                                  share=protocol.val_share, seed=protocol.val_seed, where=where)
    taken = train.take(rows)
    part = {key: array[kept] for key, array in taken.items()} if held.size else taken
    own = val.all() if val is not None else {k: a[held] for k, a in taken.items()} if held.size else None
    record = {
        "source": name, **protocol.record(), **(info or {}),
        "counts": np.bincount(train.label[rows[kept]], minlength=classes).tolist(),
        "train_sha256": rows_sha256(part["index"]),
    }
    return validate(Dataset(name, part, own, test.all(), classes, class_names, info=record, **description))


def standardized(dataset: Dataset) -> Dataset:
    """The data set with mean and std per channel from its training rows; a constant channel keeps std 1."""
    x = dataset.train["x"]
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64)
    squares = sum(((part - mean) ** 2).sum(axis=axes) for part in np.array_split(x, -(-len(x) // 1024)))
    std = np.sqrt(squares / (x.size // x.shape[-1]))
    std = np.where(std > 0, std, dataset.scale)
    return validate(replace(dataset, mean=tuple((mean / dataset.scale).tolist()),
                            std=tuple((std / dataset.scale).tolist())))


def _check_labels(where: str, labels: np.ndarray, classes: int) -> None:
    if not len(labels):
        raise ConfigError(f"{where}: is empty. Give it at least one example.")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ConfigError(f"{where}: labels are {labels.dtype} of shape {labels.shape}. "
                          f"Give whole numbers 0 to {classes - 1}, one per example.")
    if labels.min() < 0 or labels.max() >= classes:
        raise ConfigError(f"{where}: labels run from {labels.min()} to {labels.max()}. "
                          f"Accepted: 0 to {classes - 1}.")


def _training_rows(where: str, train: Pool, protocol: Protocol, classes: int) -> np.ndarray:
    counts = protocol.class_counts(np.bincount(train.label, minlength=classes))
    if train.rank is None:
        if protocol.kind == "as_is":
            return np.argsort(train.label, kind="stable")
        return subset_rows(train.label, counts, protocol.subset_seed, where)
    if protocol.subset_seed != 0:
        raise ConfigError(f"{where}: subset_seed={protocol.subset_seed}, but these files hold the rows of "
                          "seed 0 only. Use subset_seed=0, or the complete data.")
    return ranked_rows(train.label, train.rank, counts, where)
