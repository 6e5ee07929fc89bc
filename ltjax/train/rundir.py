"""The run folder: atomic files, append-only logs, a lock, and DONE last."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.registry import ConfigError

PACKAGES = ("ltjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class RunFolder:
    """One run's folder; with `path=None` nothing is written (a run in memory)."""

    def __init__(self, path: Path | None):
        self.path = path
        self._lock: Any = None

    def __truediv__(self, name: str) -> Path:
        assert self.path is not None
        return self.path / name

    @property
    def done(self) -> bool:
        return self.path is not None and (self / "DONE").is_file()

    def open(self, config: dict[str, Any]) -> None:
        """Creates or re-enters the folder; refuses another config's folder and a second process."""
        if self.path is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ConfigError(f"{self.path}: another process is training into this run folder. Wait for it, "
                              "or stop it; the run resumes where it stopped.") from None
        old = read_json(self / "config.json")
        if old is not None and old.get("identity") != config["identity"]:
            self.close()
            raise ConfigError(f"{self.path} is the run folder of another config (identity {old.get('identity')}, this "
                              f"config has {config['identity']}). Choose another run.root, or remove the folder.")
        if old is None:
            self.write("config.json", config)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(self, name: str, value: Any) -> None:
        """A JSON file, whole or not at all."""
        if self.path is not None:
            write_atomic(self / name, json.dumps(clean(value), indent=1, sort_keys=True).encode())

    def append(self, name: str, rows: list[dict[str, Any]]) -> None:
        if self.path is not None and rows:
            with (self / name).open("a+b") as file:
                if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                    file.write(b"\n")  # a kill left half a line
                file.write("".join(json.dumps(clean(row)) + "\n" for row in rows).encode())

    def event(self, name: str, **values) -> None:
        self.append("events.jsonl", [{"event": name, "time": time.time(), **values}])

    def history(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl; a half-written last line is left out."""
        if self.path is None or not (self / "metrics.jsonl").is_file():
            return []
        rows = []
        for line in (self / "metrics.jsonl").read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

    def truncate(self, step: int) -> list[dict[str, Any]]:
        """Drops log rows later than `step`; returns those that stay."""
        rows = [r for r in self.history() if r["step"] <= step]
        if self.path is not None and (self / "metrics.jsonl").is_file():
            write_atomic(self / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in rows).encode())
        return rows

    def save_arrays(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        if self.path is None:
            return
        partial = self / f".{name}.partial.npz"
        np.savez_compressed(partial, allow_pickle=False, **arrays)
        os.replace(partial, self / name)

    def finish(self) -> None:
        """The last write of a run: only folders with DONE are read by tables."""
        if self.path is not None:
            write_atomic(self / "DONE", b"")


def write_atomic(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None if the file is missing or broken."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def clean(value: Any) -> Any:
    """NumPy and JAX values as plain JSON data; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if hasattr(value, "tolist"):
        return clean(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def folder_of(config: dict[str, Any], identity: str, label: str, seed: int) -> Path | None:
    """runs/<data>/<method>/<identity>/seed<k>; None for an empty root."""
    root = config["run"]["root"]
    if not root:
        return None
    slug = re.sub(r"[^A-Za-z0-9_.=-]+", "-", label).strip("-")[:80]
    return Path(root) / config["data"]["name"] / slug / identity[:8] / f"seed{seed}"


def versions() -> dict[str, str]:
    """Installed versions of this library and of what its numbers depend on; `not installed` for a bare checkout."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def environment(mesh) -> dict[str, Any]:
    """What the numbers depend on besides the config: versions, device, flags, command."""
    device = mesh.devices.flat[0]
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "device": {"platform": device.platform, "kind": device.device_kind, "count": int(mesh.devices.size)},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "flags": {k: os.environ[k] for k in ("XLA_FLAGS", "JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES") if k in os.environ},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
