"""A folder of image files, one folder per class."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ltjax.data.base import Dataset
from ltjax.data.longtail import BOUNDS, ORDERS, PROFILES, Protocol
from ltjax.data.pool import Pool, assemble, standardized
from ltjax.registry import ConfigError, nearest, register

ENDINGS = (".png", ".jpg", ".jpeg")


@register("data", "image_folder", choices={"profile": PROFILES, "order": ORDERS, "channels": (1, 3)},
          bounds={**BOUNDS, "size": (0, 4096)})
def image_folder(*, path: str = "", size: int = 32, channels: int = 3, imbalance: float = 0.0,
                 profile: str = "exp", largest: int = 0, subset_seed: int = 0, val_per_class: int = 0,
                 prior_smoothing: float = 0.0, counts: tuple = (), order: str = "label",
                 val_share: float = 0.0, val_seed: int = 0, standardize: bool = False) -> Dataset:
    """Your own image files: `path/train/CLASS/*.png` (or jpg), `path/test/CLASS/*`, optionally `path/val`.

    Classes are the folders of `train` in alphabetical order; rows are its files in alphabetical order of
    class and name. Only the files that are kept are opened. Hidden files and other endings are ignored.

    Args:
      path: the folder that holds `train` and `test`.
      size: height and width after bilinear resizing (whatever the shape before); 0 leaves the images as they
        are, and then all must have one shape.
      channels: 3 for colour, 1 for grey; files of the other sort are converted.
      imbalance: makes a long tail of this ratio; 0 takes the training files as they are.
      profile: `exp`, `step` or `pareto`.
      largest: images of the largest class; 0 takes as many as the classes allow.
      subset_seed: which images are kept.
      val_per_class: validation images per class, taken from the long-tailed rows (without `path/val`).
      prior_smoothing: added to every class count by the statistics; above 0 empty classes are allowed.
      counts: explicit training images per class instead of a profile.
      order: which class gets the largest count: `label`, `size` or `shuffled`.
      val_share: share of every class that goes to validation, instead of `val_per_class`.
      val_seed: which of the kept images those are.
      standardize: computes mean and std per channel from the training images.
    """
    if not path:
        raise ConfigError("data.path is empty. Give the folder that holds train/CLASS/*.png and "
                          "test/CLASS/*.png.")
    root = Path(path).expanduser()
    names = _classes(root / "train")
    splits = {split: _files(root / split, names) for split in ("train", "test", "val")
              if split != "val" or (root / split).is_dir()}
    pools = {split: _pool(files, label, size, channels) for split, (files, label) in splits.items()}
    listing = "\n".join(file.relative_to(root).as_posix() for file in splits["train"][0])
    protocol = Protocol(imbalance, profile, largest, tuple(counts), order, subset_seed, val_per_class,
                        val_share, val_seed, prior_smoothing)
    dataset = assemble(
        "image_folder", train=pools["train"], test=pools["test"], val=pools.get("val"), protocol=protocol,
        class_names=tuple(names), scale=255.0,
        info={"path": str(path), "files_sha256": hashlib.sha256(listing.encode()).hexdigest()})
    return standardized(dataset) if standardize else dataset


def _classes(train: Path) -> list[str]:
    if not train.is_dir():
        raise FileNotFoundError(f"{train}: there is no such folder. Put the images into {train}/CLASS/*.png.")
    folders = (entry.name for entry in train.iterdir() if entry.is_dir())
    names = sorted(name for name in folders if not name.startswith("."))
    if not names:
        raise ConfigError(f"{train}: holds no class folder. Put the images into {train}/CLASS/*.png.")
    return names


def _files(folder: Path, names: list[str]) -> tuple[list[Path], np.ndarray]:
    """All image files of a split and their labels, in alphabetical order of class and name."""
    unknown = sorted(set(_classes(folder)) - set(names))
    if unknown:
        raise ConfigError(f"{folder / unknown[0]}: this class is not among those of train. "
                          f"{nearest(unknown[0], names)}Known: {', '.join(names[:20])}.")
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        entries = sorted((folder / name).iterdir()) if (folder / name).is_dir() else []
        kept = [file for file in entries if file.suffix.lower() in ENDINGS and not file.name.startswith(".")]
        files += kept
        labels += [label] * len(kept)
    if not files:
        raise ConfigError(f"{folder}: holds no image. Accepted endings: {', '.join(ENDINGS)}.")
    return files, np.array(labels, np.int64)


def _pool(files: list[Path], labels: np.ndarray, size: int, channels: int) -> Pool:
    def read(rows: np.ndarray) -> np.ndarray:
        first = _open(files[rows[0]], size, channels) if len(rows) else np.zeros((1, 1, channels), np.uint8)
        images = np.empty((len(rows), *first.shape), np.uint8)
        for k, row in enumerate(rows):
            image = _open(files[row], size, channels)
            if image.shape != first.shape:
                raise ConfigError(
                    f"{files[row]}: has shape {image.shape}, but {files[rows[0]].name} has {first.shape}. "
                    "Set data.size to resize all images, or make them equal.")
            images[k] = image
        return images

    return Pool(labels, read)


def _open(file: Path, size: int, channels: int) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file, formats=["PNG", "JPEG"]) as opened:
            image = opened.convert("RGB" if channels == 3 else "L")
    except Exception as error:
        raise ConfigError(f"{file}: is not a readable PNG or JPEG image ({error}). "
                          "Replace or remove it.") from error
    if size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels if channels == 3 else pixels[..., None]
