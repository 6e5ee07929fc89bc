"""Where benchmark data may lie on disk, in which layouts, and what to do when there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.data.arrays import open_arrays
from ltjax.data.pool import Pool, of_array
from ltjax.data.prepared import default_root, has_prepared, prepare_command, read_prepared
from ltjax.data.sheets import has_pack, read_pack
from ltjax.registry import ConfigError, nearest

VARIABLE = "LTJAX_DATA"
SOURCES = ("auto", "arrays", "sheets", "tfds")
BENCHMARKS = {"cifar10_lt": "cifar10", "cifar100_lt": "cifar100", "fashion_mnist_lt": "fashion_mnist"}
"""Data set -> the name that its files carry."""
ARRAYS = ("train_x", "train_y", "test_x", "test_y")


def folder(root: str | os.PathLike = "") -> Path | None:
    """The data folder: the option, or the environment variable, or None."""
    given = str(root) or os.environ.get(VARIABLE, "")
    return Path(given).expanduser() if given else None


def found(root: str | os.PathLike = "") -> dict[str, str | None]:
    """Benchmark -> the layout in which it is there (`arrays`, `sheets`, `tfds`), or None."""
    return {data: _find(folder(root), name) for data, name in BENCHMARKS.items()}


def _find(root: Path | None, name: str) -> str | None:
    if root is not None and (_array_path(root, name) is not None):
        return "arrays"
    if root is not None and has_pack(root, name):
        return "sheets"
    return "tfds" if has_prepared(root or default_root(), name) else None


def layouts() -> str:
    """How benchmark data is found, for `ltjax doctor` and for errors."""
    return f"""\
Benchmark data ({', '.join(BENCHMARKS)}) is read from the folder data.root, or else
from the one that the environment variable {VARIABLE} names, in any of three layouts.
NAME is one of {', '.join(BENCHMARKS.values())}.
  arrays  NAME_train_x.npy, NAME_train_y.npy, NAME_test_x.npy, NAME_test_y.npy, or one NAME.npz with
          train_x, train_y, test_x, test_y: uint8 images [n,h,w,c] in the official order, labels as
          whole numbers [n]. Pickles are never read.
  sheets  NAME.json beside its .npz files of lossless WebP sheets.
  tfds    Prepared by TensorFlow Datasets as array_record (pip install 'ltjax[prepare]'). Without
          data.root and {VARIABLE} it is looked for in {default_root()}.
          {prepare_command('NAME')}"""


def read_benchmark(name: str, shape: tuple[int, int, int], *, root: str = "", source: str = "auto",
                   verify: bool = False) -> tuple[dict[str, Pool], dict[str, Any]]:
    """The pools `train` and `test` of a benchmark and the record of where they came from.

    Args:
      name: that the files carry, such as `cifar100`.
      shape: of one image, [h,w,c].
      root: folder; empty takes the environment variable.
      source: `auto` takes the first of `arrays`, `sheets`, `tfds` that is there.
      verify: compare with recorded checksums; only sheet packs carry some.
    """
    if source not in SOURCES:
        raise ConfigError(f"data.source={source!r} is not known. {nearest(source, SOURCES)}"
                          f"Accepted: {', '.join(SOURCES)}.")
    place = folder(root)
    layout = _find(place, name) if source == "auto" else source
    if verify and layout in ("arrays", "tfds"):
        raise ConfigError(f"data.verify=true: {name} was found as {layout}, which carries no checksums. "
                          "Set verify=false, or use a sheet pack.")
    info: dict[str, Any] = {}
    if layout == "tfds":
        pools, info = read_prepared(place or default_root(), name)
    elif layout == "arrays" and place is not None and (path := _array_path(place, name)) is not None:
        pools = _read_arrays(path, shape)
    elif layout == "sheets" and place is not None and has_pack(place, name):
        pools, info = read_pack(place, name, shape, verify)
    else:
        raise FileNotFoundError(_missing(name, place))
    return pools, {"layout": layout, **info,
                   "pool_rows": {split: len(pool.label) for split, pool in pools.items()}}


def _array_path(root: Path, name: str) -> Path | None:
    """The .npz file, or the prefix of the .npy files, if it is complete."""
    if (root / f"{name}.npz").is_file():
        return root / f"{name}.npz"
    return root / f"{name}_" if all((root / f"{name}_{key}.npy").is_file() for key in ARRAYS) else None


def _read_arrays(path: Path, shape: tuple[int, int, int]) -> dict[str, Pool]:
    arrays = open_arrays(path, ARRAYS)
    pools = {}
    for split in ("train", "test"):
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
        if x.ndim == 3 and shape[2] == 1:
            x = x[..., None]
        if x.dtype != np.uint8 or x.shape[1:] != shape:
            raise ConfigError(f"{path}: {split}_x is {x.dtype} of shape {x.shape}. Give uint8 of shape "
                              f"{('n', *shape)}, channels last.")
        pools[split] = of_array(x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else np.asarray(y))
    return pools


def _missing(name: str, place: Path | None) -> str:
    looked = f"in {place}" if place is not None else f"(data.root is empty and {VARIABLE} is not set)"
    return f"{name}: no data found {looked}. Put it into one of these layouts.\n{layouts()}"
