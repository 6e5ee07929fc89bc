"""Named arrays from one .npz file or from .npy files; pickles are never read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
            with reading(file, name):
                arrays[name] = np.load(file, "r", allow_pickle=False)
        elif name not in optional:
            raise FileNotFoundError(f"{file}: is missing. Save the array there with numpy.save.")
    return arrays


def _from_npz(path: Path, names: list[str], optional: list[str]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file. Save the arrays there with numpy.savez.")
    with open_npz(path) as file:
        missing = [name for name in names if name not in file.files]
        if missing:
            raise ConfigError(f"{path}: has no array {missing[0]!r}. It holds {', '.join(file.files)}; "
                              f"needed are {', '.join(names)}.")
        present = [name for name in [*names, *optional] if name in file.files]
        arrays = {}
        for name in present:
            with reading(path, name):
                arrays[name] = file[name]
        return arrays


@contextmanager
def open_npz(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """An open .npz file, closed whatever happens; pickles in it are never read."""
    with path.open("rb") as handle:
        try:
            file = np.load(handle, allow_pickle=False)
        except Exception as error:
            raise ConfigError(f"{path}: is damaged or not an .npz file ({error}). Save or copy it "
                              "again.") from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ConfigError(f"{path}: holds a single array, not an .npz file. Save it with numpy.savez.")
        with file:
            yield file


@contextmanager
def reading(path: Path, name: str) -> Iterator[None]:
    """Turns what goes wrong while an array is read into one sentence that names it."""
    try:
        yield
    except Exception as error:
        pickled = any(word in str(error) for word in ("pickle", "Python objects"))
        reason = "it holds Python objects, and pickles are never read" if pickled else str(error)
        raise ConfigError(f"{path}: array {name!r} cannot be read: {reason}. Save it as plain numbers of one "
                          "shape (names: fixed-width text).") from error
