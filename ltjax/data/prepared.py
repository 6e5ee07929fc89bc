"""Benchmarks prepared by TensorFlow Datasets, read without TensorFlow and without any download.

TFDS shuffles when it writes. Where the records carry an `id` that ends in the official row (`train_16399`,
the CIFARs), the official order is restored and the long-tailed rows are the benchmark's own; where they do
not (Fashion-MNIST), the position in the prepared files stands for the row, and the record says so.
"""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.data.pool import Pool
from ltjax.registry import ConfigError

READABLE = ("array_record", "parquet")
"""File formats with random access; the default of TFDS, tfrecord, has none."""
CHUNK = 1000


def default_root() -> Path:
    """Where TFDS puts data of itself."""
    return Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets").expanduser()


def prepare_command(name: str, root: str = "FOLDER") -> str:
    """The command that prepares a data set in a format that can be read here."""
    return (f"python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}', data_dir='{root}', "
            "file_format='array_record').download_and_prepare()\"")


def versions(root: Path, name: str) -> dict[str, str]:
    """Prepared versions of a data set, newest last, with their file format; imports nothing."""
    found = {}
    for path in (root / name).glob("*/dataset_info.json"):
        if re.fullmatch(r"\d+\.\d+\.\d+", path.parent.name):
            try:
                found[path.parent.name] = str(json.loads(path.read_text(encoding="utf8")).get("fileFormat"))
            except (ValueError, AttributeError):
                found[path.parent.name] = "damaged"
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def has_prepared(root: Path, name: str) -> bool:
    """Whether a version is there that can be read."""
    return any(file_format in READABLE for file_format in versions(root, name).values())


def read_prepared(root: Path, name: str) -> tuple[dict[str, Pool], dict[str, Any]]:
    """The pools of the train and test split of the newest readable version."""
    there = versions(root, name)
    readable = [version for version, file_format in there.items() if file_format in READABLE]
    if not readable:
        formats = ", ".join(sorted(set(there.values())))
        fault = f"is prepared as {formats}, which has no random access" if there else "holds no prepared data"
        raise FileNotFoundError(f"{root / name}: {fault}. Prepare it (needs the extra ltjax[prepare]): "
                                f"{prepare_command(name, str(root))}")
    splits = {split: _read(root, f"{name}:{readable[-1]}", split) for split in ("train", "test")}
    official = all(pool.index is not None for pool in splits.values())
    return splits, {"version": readable[-1], "rows": "official" if official else "position in the TFDS files"}


def _read(root: Path, name: str, split: str) -> Pool:
    import tensorflow_datasets as tfds

    try:
        source = tfds.data_source(name, data_dir=root, split=split, download=False,
                                  decoders={"image": tfds.decode.SkipDecoding()})
    except Exception as error:
        raise ConfigError(f"TensorFlow Datasets cannot open {name} in {root} ({_line(error)}). Prepare it "
                          f"again: {prepare_command(name.split(':')[0], str(root))}") from error
    label, encoded, ids = [], [], []
    for first in range(0, len(source), CHUNK):
        for record in source.__getitems__(range(first, min(first + CHUNK, len(source)))):
            label.append(record["label"])
            encoded.append(record["image"])
            ids.append(record.get("id"))
    index = _official_rows(ids)
    order = np.arange(len(label)) if index is None else np.argsort(index, kind="stable")

    def images(rows: np.ndarray) -> np.ndarray:
        return np.stack([_decode(encoded[k]) for k in order[rows]])

    return Pool(np.array(label, np.int32)[order], images, index=None if index is None else index[order])


def _line(error: Exception) -> str:
    """The first line of what another library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _official_rows(ids: list[Any]) -> np.ndarray | None:
    """The numbers at the ends of the ids, or None where some record has no such id or two share one."""
    texts = [value.decode("utf8", "replace") if isinstance(value, bytes) else str(value) for value in ids]
    ends = [re.search(r"(\d+)$", text) for text in texts]
    numbers = np.array([int(end.group(1)) for end in ends if end], np.int64)
    return numbers if len(np.unique(numbers)) == len(ids) else None


def _decode(encoded: bytes) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded), formats=["PNG", "JPEG"]) as image:
            pixels = np.asarray(image)
    except Exception as error:
        raise ConfigError(f"an image of the prepared data is damaged ({error}). Prepare it again.") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels
