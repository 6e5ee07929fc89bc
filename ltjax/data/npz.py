"""The user's own arrays, from one .npz file or a folder of .npy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ltjax.data.arrays import open_arrays
from ltjax.data.base import Dataset
from ltjax.data.longtail import BOUNDS, ORDERS, PROFILES, Protocol
from ltjax.data.pool import Pool, assemble, standardized
from ltjax.registry import ConfigError, register

REQUIRED = ("train_x", "train_y", "test_x", "test_y")
OPTIONAL = ("val_x", "val_y", "class_names")


@register("data", "npz", choices={"profile": PROFILES, "order": ORDERS},
          bounds={**BOUNDS, "scale": (0.0, np.inf)})
def npz(*, path: str = "", imbalance: float = 0.0, profile: str = "exp", largest: int = 0,
        subset_seed: int = 0, val_per_class: int = 0, prior_smoothing: float = 0.0, counts: tuple = (),
        order: str = "label", val_share: float = 0.0, val_seed: int = 0, scale: float = 0.0, mean: tuple = (),
        std: tuple = (), standardize: bool = False) -> Dataset:
    """Your own arrays: `train_x`, `train_y`, `test_x`, `test_y` in one .npz file or a folder of .npy files.

    x: uint8 images [n,h,w,c] or [n,h,w] stay bytes; features [n,d] and any other numbers become float32. y:
    whole numbers 0 to C-1. Optional: `val_x` and `val_y`, and `class_names` as fixed-width text [C] (without
    it C is the largest label plus one). Pickled objects are refused.

    Args:
      path: the .npz file, or the folder with train_x.npy and so on.
      imbalance: makes a long tail of this ratio; 0 takes the training rows as they are.
      profile: `exp`, `step` or `pareto`.
      largest: rows of the largest class; 0 takes as many as the classes allow.
      subset_seed: which rows are kept.
      val_per_class: validation rows per class, taken from the long-tailed rows (without `val_x`).
      prior_smoothing: added to every class count by the statistics; above 0 empty classes are allowed.
      counts: explicit training rows per class instead of a profile.
      order: which class gets the largest count: `label`, `size` or `shuffled`.
      val_share: share of every class that goes to validation, instead of `val_per_class`.
      val_seed: which of the kept rows those are.
      scale: x is divided by it; 0 takes 255 for bytes and 1 otherwise.
      mean: per channel (last axis), subtracted after the scale.
      std: per channel, divided by.
      standardize: computes both from the training rows.
    """
    if not path:
        raise ConfigError("data.path is empty. Give the .npz file, or the folder of .npy files, with arrays "
                          f"{', '.join(REQUIRED)}.")
    arrays = open_arrays(Path(path).expanduser(), REQUIRED, OPTIONAL)
    if ("val_x" in arrays) != ("val_y" in arrays):
        raise ConfigError(f"{path}: val_x and val_y go together. Give both, or neither.")
    names = _class_names(path, arrays)
    pools = {split: _pool(f"{path}, {split}", arrays[f"{split}_x"], arrays[f"{split}_y"])
             for split in ("train", "val", "test") if f"{split}_x" in arrays}
    protocol = Protocol(imbalance, profile, largest, tuple(counts), order, subset_seed, val_per_class,
                        val_share, val_seed, prior_smoothing)
    bytes_ = _is_bytes(arrays["train_x"])
    dataset = assemble(
        "npz", train=pools["train"], test=pools["test"], val=pools.get("val"), protocol=protocol,
        class_names=names, scale=scale or (255.0 if bytes_ else 1.0), mean=tuple(mean), std=tuple(std),
        info={"path": str(path)})
    return standardized(dataset) if standardize else dataset


def _is_bytes(x: np.ndarray) -> bool:
    return x.dtype == np.uint8 and x.ndim in (3, 4)


def _pool(where: str, x: np.ndarray, y: np.ndarray) -> Pool:
    if x.dtype.kind not in "buif" or x.ndim not in (2, 3, 4):
        raise ConfigError(f"{where}_x: is {x.dtype} of shape {x.shape}. Accepted: numbers of shape [n,d], "
                          "[n,h,w] or [n,h,w,c].")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise ConfigError(f"{where}_y: is {y.dtype} of shape {y.shape} for {len(x)} examples. "
                          "Give one whole number per example.")

    def read(rows: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # what overflows is found as not finite
            part = np.asarray(x[rows]) if _is_bytes(x) else np.asarray(x[rows]).astype(np.float32)
        return part[..., None] if part.ndim == 3 else part

    return Pool(np.asarray(y).astype(np.int64), read)


def _class_names(path: str, arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    labels = [arrays[key] for key in ("train_y", "val_y", "test_y") if key in arrays]
    largest = max((int(y.max()) for y in labels if y.size and y.dtype.kind in "iu"), default=0)
    if "class_names" not in arrays:
        return tuple(f"class {c}" for c in range(max(largest, 0) + 1))
    names = arrays["class_names"]
    if names.dtype.kind != "U" or names.ndim != 1:
        raise ConfigError(f"{path}: class_names is {names.dtype} of shape {names.shape}. Give one text per "
                          "class: numpy.array(['cat', 'dog']).")
    return tuple(str(name) for name in names)
