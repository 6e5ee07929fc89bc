"""What the tests of the front door share: a command line run in this process, and small data on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pytest

from ltjax.cli import main
from tests.cli.plugins import forgotten

_compiled: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: _compiled.append(event) if event.endswith("backend_compile_duration") else None)


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    code: int
    out: str
    err: str
    compiled: int


@pytest.fixture(autouse=True)
def _forget(tmp_path):
    with forgotten(tmp_path):
        yield


@pytest.fixture
def ltjax(capsys, monkeypatch, tmp_path):
    """Runs `ltjax WORDS...` in a fresh folder and returns its outcome."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LTJAX_DATA", raising=False)

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        before = len(_compiled)
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err, len(_compiled) - before)

    return run


@pytest.fixture
def arrays(tmp_path):
    """Writes arrays for `data.name=npz` with some of them replaced, and returns the path."""

    def write(name: str = "data.npz", **changed) -> Path:
        generator = np.random.default_rng(0)
        good = {"train_x": generator.normal(size=(64, 5)).astype(np.float32), "train_y": np.arange(64) % 3,
                "test_x": generator.normal(size=(30, 5)).astype(np.float32), "test_y": np.arange(30) % 3}
        np.savez(tmp_path / name, **{**good, **changed})
        return tmp_path / name

    return write
