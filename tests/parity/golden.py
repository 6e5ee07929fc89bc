"""Golden files: reading them, the cases they hold, comparing with the stated tolerances."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from ltjax.types import ClassStats

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("LTJAX_GOLDEN") or HERE.parent / "golden")
OURS = "losses.json"
"""First losses of our own methods, which tests/contract keeps beside the values of other code."""


@dataclass(frozen=True)
class Case:
    """One case of a golden file, and the type in which to compute it ("float64" or "float32")."""

    key: str
    name: str
    inputs: dict[str, Any]
    params: dict[str, Any]
    expected: dict[str, Any]
    dtype: str

    def array(self, name: str):
        """An input as a device array of the case's type."""
        return jnp.asarray(np.asarray(self.inputs[name], np.float64), self.dtype)

    def ints(self, name: str):
        """An input as a device array of whole numbers (labels, masks, permutations)."""
        return jnp.asarray(np.asarray(self.inputs[name], np.int64), "int32")

    def numbers(self, name: str) -> np.ndarray:
        """An input as a host array in float64 (counts, priors)."""
        return np.asarray(self.inputs[name], np.float64)

    def param(self, name: str, default: Any = None):
        """A parameter; one that is absent or null is off, that is at its default."""
        value = self.params.get(name)
        return default if value is None else value

    @cached_property
    def stats(self) -> ClassStats:
        """The case's class counts."""
        return ClassStats(self.inputs["class_counts"])

    @cached_property
    def uniform(self) -> ClassStats:
        """One example in every column of the logits, for what does not look at counts."""
        return ClassStats(np.ones(np.shape(self.inputs["logits"])[-1]))


def files(folder: Path = FOLDER) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.json") if path.name != OURS)
    if not found:
        raise FileNotFoundError(f"no golden files below {folder}: set LTJAX_GOLDEN to a folder that holds "
                                "<family>/<key>.json, or unset it to use tests/golden.")
    return found


def keys(folder: Path = FOLDER) -> list[str]:
    return sorted({_key(json.loads(path.read_text()), path) for path in files(folder)})


def cases(dtype: str, folder: Path = FOLDER) -> list[Case]:
    """Every case below the folder."""
    out = []
    for path in files(folder):
        content = json.loads(path.read_text())
        key, reduction = _key(content, path), content.get("reduction")
        for case in content["cases"]:
            params = {"reduction": reduction, **case.get("params", {})}
            out.append(Case(key, case["name"], case.get("inputs", {}), params, case["expected"], dtype))
    return out


def _key(content: dict, path: Path) -> str:
    return f"{content.get('family', path.parent.name)}/{content.get('key', path.stem)}"


def differences(expected: Any, got: Any, dtype: str, where: str = "") -> list[str]:
    """What does not agree, one line each.

    float64: 1e-6 relative, 1e-12 absolute. float32: 1e-4 relative, 1e-6 times the array's largest entry
    absolute, 1e-5 for an array of zeros. Shapes, names and whole numbers must be equal.
    """
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return [f"{where}: expected fields {sorted(expected)}, got {type(got).__name__}"]
        missing = [f"{where}: the adapter returns no {name!r}" for name in expected if name not in got]
        return missing + [line for name in expected if name in got
                          for line in differences(expected[name], got[name], dtype, f"{where}.{name}")]
    if expected is None or isinstance(expected, str | bool):
        plain = got.item() if hasattr(got, "item") else got
        same = _is_null(got) if expected is None else expected == plain
        return [] if same else [f"{where}: expected {expected!r}, got {got!r}"]
    if isinstance(expected, list) and not _is_numeric(expected):
        if len(expected) != len(got):
            return [f"{where}: expected {len(expected)} entries, got {len(got)}"]
        return [line for i, (a, b) in enumerate(zip(expected, got))
                for line in differences(a, b, dtype, f"{where}[{i}]")]
    return _numeric_differences(np.asarray(expected, np.float64), np.asarray(got, np.float64), dtype, where)


def _numeric_differences(want: np.ndarray, have: np.ndarray, dtype: str, where: str) -> list[str]:
    if want.shape != have.shape:
        return [f"{where}: expected shape {want.shape}, got {have.shape}"]
    largest = np.max(np.abs(want[np.isfinite(want)]), initial=0.0)
    relative, absolute = (1e-6, 1e-12) if dtype == "float64" else (1e-4, 1e-6 * largest or 1e-5)
    close = np.isclose(have, want, rtol=relative, atol=absolute, equal_nan=True)
    if close.all():
        return []
    worst = np.argmax(np.where(close, 0, np.nan_to_num(np.abs(have - want), nan=np.inf)))
    return [f"{where}: {np.sum(~close)} of {want.size} entries differ, at worst {have.flat[worst]!r} "
            f"for {want.flat[worst]!r}"]


def _is_numeric(value: Any) -> bool:
    """A rectangular nest of numbers (no null, text or true/false inside)."""
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.dtype.kind in "iuf"


def _is_null(value: Any) -> bool:
    return value is None or (np.ndim(value) == 0 and np.isnan(np.asarray(value, np.float64)))
