"""Checkpoints: Orbax, asynchronous and atomic, with our own checksum per tensor. Only this module imports Orbax."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

logging.getLogger("absl").setLevel(logging.ERROR)


class CheckpointError(RuntimeError):
    """No step of a run can be continued from; the message says why each was refused and what to do."""


def digest(tree) -> dict[str, str]:
    """Content hash of every leaf by path."""
    return {path: hashlib.blake2b(np.ascontiguousarray(a).tobytes(), digest_size=16).hexdigest()
            for path, a in _leaves(tree).items()}


def describe(tree) -> dict[str, list]:
    """Type and shape of every leaf by path: what a restore must find unchanged."""
    return {path: [str(a.dtype), list(a.shape)] for path, a in _leaves(tree).items()}


def checksum(record: dict[str, Any]) -> str:
    """Content hash of a JSON record."""
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def _leaves(tree) -> dict[str, np.ndarray]:
    def host(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x = jax.random.key_data(x)
        return np.asarray(x)

    return {jax.tree_util.keystr(path, simple=True, separator="/"): host(x)
            for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def _collect_quietly() -> None:
    """Frees what a failed read left, whose own complaints would bury the reason."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook


class Checkpoints:
    """The checkpoints of one run folder, by global step; `keep` newest ones stay. `read_only` touches no file."""

    def __init__(self, path: Path, keep: int = 2, read_only: bool = False):
        self.path = path.absolute()
        self._keep, self._read_only = keep, read_only
        if not read_only:
            self.path.mkdir(parents=True, exist_ok=True)
        self.quarantined = self._quarantine() if self.path.is_dir() else {}
        self._manager = self._open()

    def _open(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = ocp.CheckpointManagerOptions(
                max_to_keep=self._keep, cleanup_tmp_directories=not self._read_only, read_only=self._read_only)
            return ocp.CheckpointManager(self.path, options=options)

    def _quarantine(self) -> dict[int, str]:
        """Renames step folders that Orbax would stumble over; it takes them for steps and then fails."""
        aside = [d.name.partition(".broken") for d in self.path.iterdir()]
        bad = {int(step): "it was set aside as damaged" for step, mark, _ in aside if mark and step.isdigit()}
        for folder in [d for d in self.path.iterdir() if d.name.isdigit()]:
            try:
                whole = min((folder / f).stat().st_size for f in ("state/manifest.ocdbt", "meta/metadata")) > 0
            except OSError:
                whole = False
            if not whole:
                bad[int(folder.name)] = "its files are incomplete"
                if not self._read_only:
                    self._set_aside(folder)
        return bad

    @staticmethod
    def _set_aside(folder: Path) -> None:
        target = folder.with_name(folder.name + ".broken")
        while target.exists():
            target = target.with_name(target.name + "_")
        folder.rename(target)

    def drop_after(self, step: int) -> None:
        """Sets later steps aside, which a restore refused: beside them Orbax would skip the saves of a resumed run."""
        later = [s for s in self.steps() if s > step]
        if later:
            self._manager.close()
            for s in later:
                self._set_aside(self.path / str(s))
            self._manager = self._open()

    def steps(self) -> list[int]:
        return sorted(self._manager.all_steps())

    def save(self, step: int, state, meta: dict[str, Any]) -> None:
        """Starts saving; the caller may donate `state` at once. `meta` is JSON data."""
        if step in self._manager.all_steps():
            return
        record = {**meta, "digest": digest(state), "spec": describe(state)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._manager.save(step, args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                meta=ocp.args.JsonSave({"record": record, "checksum": checksum(record)})))

    def wait(self) -> None:
        self._manager.wait_until_finished()

    def close(self) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    def meta(self, step: int) -> dict[str, Any] | None:
        """The JSON record of a step, or None if it cannot be read."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stored = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
            return stored["record"] if checksum(stored["record"]) == stored["checksum"] else None
        except Exception:
            return None

    def restore(self, step: int, like, meta: dict[str, Any]):
        """(state, None) if the step loads and equals its checksums, else (None, reason); another shape raises."""
        wanted, stored = describe(like), meta["spec"]
        for name in sorted(wanted.keys() | stored.keys()):
            if wanted.get(name) != stored.get(name):
                raise CheckpointError(
                    f"checkpoint {self.path.parent} step {step}: tensor {name!r} is stored as "
                    f"{_told(stored.get(name))} and wanted as {_told(wanted.get(name))}. It belongs to another network "
                    "or precision; train the changed config into a folder of its own.")

        def abstract(a):
            return jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding)

        state, reason = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                state = self._manager.restore(step, args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(jax.tree.map(abstract, like))))["state"]
        except Exception as error:
            reason = f"{type(error).__name__}: {(str(error).splitlines() or ['unreadable'])[0][:120]}"
        if reason is not None:
            _collect_quietly()  # only here, behind the handler, is what the failed read holds free
            return None, reason
        got = digest(state)
        bad = [name for name, value in meta["digest"].items() if got.get(name) != value]
        if not jax.tree.all(jax.tree.map(lambda a, b: a.dtype == b.dtype, state, like)):
            return None, "a tensor came back in another type"
        return (None, f"content differs from its checksum: {', '.join(bad[:3])}") if bad else (state, None)

    def newest_readable(self) -> list[tuple[int, dict[str, Any] | None]]:
        """(step, meta) from the newest on; meta is None where it cannot be read."""
        return [(step, self.meta(step)) for step in reversed(self.steps())]


def _told(spec) -> str:
    return "nothing" if spec is None else f"{spec[0]}{json.dumps(spec[1])}"
