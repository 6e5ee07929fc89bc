"""Named arrays from one .npz file or from .npy files; pickles are never read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ltjax.registry import ConfigError


def open_arrays(path: Path, names: Iterable[str], optional: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of these names.

    Args:
      path: an .npz file; or a folder of NAME.npy files; or a prefix that such names are appended to (its last
        part is not a folder). Arrays of .npy files are mapped, so that only the rows used are read.
      names: required arrays.
      optional: arrays taken where they are there.
    """
    if path.suffix == ".npz":
        return _from_npz(path, list(names), list(optional))
    prefix = f"{path}/" if path.is_dir() else str(path)
    arrays = {}
    for name in [*names, *optional]:
        file = Path(f"{prefix}{name}.npy")
        if file.is_file():
            arrays[name] = _checked(file, name, lambda file=file: np.load(file, "r", allow_pickle=False))
        elif name not in optional:
            raise FileNotFoundError(f"{file}: is missing. Save the array there with numpy.save.")
    return arrays


def _from_npz(path: Path, names: list[str], optional: list[str]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file. Save the arrays there with numpy.savez.")
    try:
        file = np.load(path, allow_pickle=False)
    except Exception as error:
        raise ConfigError(f"{path}: is not a readable .npz file ({error}).") from error
    with file:
        missing = [name for name in names if name not in file.files]
        if missing:
            raise ConfigError(f"{path}: has no array {missing[0]!r}. It holds {', '.join(file.files)}; "
                              f"needed are {', '.join(names)}.")
        present = [name for name in [*names, *optional] if name in file.files]
        return {name: _checked(path, name, lambda name=name: file[name]) for name in present}


def _checked(path: Path, name: str, load) -> np.ndarray:
    try:
        return load()
    except Exception as error:
        reason = "holds Python objects, and pickles are never read" if "pickle" in str(error) else str(error)
        raise ConfigError(f"{path}: array {name!r} cannot be read: {reason}. Save it as plain numbers of one "
                          "shape (names: fixed-width text).") from error
