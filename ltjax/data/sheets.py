"""Sheet packs: NAME.json beside .npz files of lossless WebP sheets, a compact form of small images.

A sheet is one tile wide. Tile k of all sheets of a split, put one after the other, is image `order[k]`. The
first .npz file of a split also holds `labels` and, where the pack has them, `official_index` (the row in the
official split), `rank` (the place in the class's shuffle of seed 0, for packs that hold only the rows of one
imbalance) and `exact` (False for the few images that are a re-encoding).
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.data.arrays import open_npz, reading
from ltjax.data.pool import Pool
from ltjax.registry import ConfigError

CODEC = "webp-sheets"


def has_pack(root: Path, name: str) -> bool:
    """Whether the pack's description is there."""
    return (root / f"{name}.json").is_file()


def read_pack(root: Path, name: str, shape: tuple[int, int, int], verify: bool = False
              ) -> tuple[dict[str, Pool], dict[str, Any]]:
    """The pools of a pack's splits and what is to be recorded about them.

    Args:
      root: the folder.
      name: of the pack.
      shape: of one image, [h,w,c].
      verify: compare the decoded images and labels with the recorded SHA-256.
    """
    path = root / f"{name}.json"
    try:
        description = json.loads(path.read_text(encoding="utf8"))
        entries, codec = description["splits"], description["codec"]
        splits = {split: _Split(root, entries[split], shape, verify) for split in ("train", "test")}
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: is not a complete description of a sheet pack ({error}).") from error
    if codec != CODEC:
        raise ConfigError(f"{path}: codec {codec!r} is not known. Accepted: {CODEC!r}.")
    pools = {split: part.pool() for split, part in splits.items()}
    inexact = {split: int(part.inexact) for split, part in splits.items() if part.inexact}
    return pools, {"re_encoded_images": inexact} if inexact else {}


class _Split:
    """One split of a pack: arrays at once, images when they are asked for."""

    def __init__(self, root: Path, entry: dict[str, Any], shape: tuple[int, int, int], verify: bool):
        self.paths = [_file(root, name) for name in entry["files"]]
        self.rows, self.shape, self.verify = int(entry["shape"][0]), shape, verify
        self.sha256, self.labels_sha256 = entry["sha256"], entry["labels_sha256"]
        others = set(entry.get("other_arrays", ()))
        stored = tuple(entry["shape"][1:])
        if stored not in (shape, shape[:2]) or (stored == shape[:2] and shape[2] != 1):
            raise ConfigError(f"{self.paths[0]}: images of shape {stored} were recorded, expected {shape}.")
        wanted = {"labels", "order"} | (others & {"official_index", "rank", "exact"})
        self.arrays = self._load(wanted)
        for key, array in self.arrays.items():
            if array.shape != (self.rows,) or array.dtype.kind != ("b" if key == "exact" else "u"):
                raise ConfigError(f"{self.paths[0]}: {key} is {array.dtype} of shape {array.shape}, expected "
                                  f"{'bool' if key == 'exact' else 'unsigned'} of shape ({self.rows},).")
        if verify:
            _compare(self.paths[0], "labels", self.arrays["labels"], self.labels_sha256)

    def _load(self, keys: set[str]) -> dict[str, np.ndarray]:
        path = self.paths[0]
        with open_npz(path) as file:
            missing = sorted(keys - set(file.files))
            if missing:
                raise ConfigError(f"{path}: has no array {missing[0]!r}, which the description names.")
            arrays = {}
            for key in sorted(keys):
                with reading(path, key):
                    arrays[key] = file[key]
            return arrays

    @property
    def inexact(self) -> int:
        return int(np.sum(~self.arrays["exact"])) if "exact" in self.arrays else 0

    def pool(self) -> Pool:
        def signed(key: str) -> np.ndarray | None:
            return self.arrays[key].astype(np.int64) if key in self.arrays else None

        return Pool(self.arrays["labels"].astype(np.int32), lambda rows: self.images()[rows],
                    index=signed("official_index"), rank=signed("rank"))

    def images(self) -> np.ndarray:
        """All images of the split, decoded, [n,h,w,c]."""
        height, width, channels = self.shape
        images, order, k = np.empty((self.rows, *self.shape), np.uint8), self.arrays["order"], 0
        if not np.array_equal(np.bincount(order, minlength=self.rows), np.ones(self.rows)):
            raise ConfigError(f"{self.paths[0]}: order is not a permutation of {self.rows} images.")
        for path in self.paths:
            with open_npz(path) as file:
                for key in sorted(key for key in file.files if key.startswith("webp_")):
                    with reading(path, key):
                        data = file[key]
                    sheet = _decode(path, key, data)
                    tiles = sheet.reshape(-1, height, width, 3) if sheet.shape[1] == width else sheet[:0]
                    if not len(tiles) or k + len(tiles) > self.rows:
                        raise ConfigError(f"{path}: sheet {key} of shape {sheet.shape} does not fit.")
                    images[order[k:k + len(tiles)]] = tiles if channels == 3 else tiles[..., 1:2]
                    k += len(tiles)
        if k != self.rows:
            raise ConfigError(f"{self.paths[-1]}: {k} images were found, {self.rows} were recorded.")
        if self.verify:
            _compare(self.paths[0], "images", images, self.sha256)
        return images


def _file(root: Path, name: Any) -> Path:
    """A file that the description names: in this folder, and there."""
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".npz"):
        raise ConfigError(f"{root}: the pack names the file {name!r}. Accepted: plain names ending in .npz.")
    if not (root / name).is_file():
        raise FileNotFoundError(f"{root / name}: is missing, but the pack's description names it. "
                                "Copy it there.")
    return root / name


def _decode(path: Path, key: str, data: np.ndarray) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data.tobytes()), formats=["WEBP"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:
        raise ConfigError(f"{path}: sheet {key} cannot be decoded ({error}). Copy the file again.") from error


def _compare(path: Path, what: str, array: np.ndarray, recorded: str) -> None:
    found = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    if found != recorded:
        raise ConfigError(f"{path}: the {what} have SHA-256 {found[:16]}..., recorded is {recorded[:16]}.... "
                          "Copy the pack again.")
