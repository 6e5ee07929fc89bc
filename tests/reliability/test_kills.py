"""A run that is killed outright, at random moments and again and again, ends with the bits of an unbroken one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.train.setting import events

pytestmark = pytest.mark.slow

CODE = """
import sys
import tests.conftest
from ltjax.methods.base import Entry, Stage
from ltjax.train.loop import fit
from tests.train.setting import config

first = Stage("first", 0.5, objective=(Entry("seesaw"), Entry("class_means", weight=0.1)), mixer="mixup")
second = Stage("second", 0.5, sampler="class_balanced", train="head/.*", reset="head/.*")
given = config(first, second, **{
    "run.root": sys.argv[1], "run.chunk_steps": 2, "run.checkpoint_minutes": 0.0, "run.log_every": 7,
    "optim.epochs": 40, "data.val_per_class": 1, "data.imbalance": 20.0, "eval.every_epochs": 3})
print("ready", flush=True)
fit(given, seeds=[0, 1])
"""


def start(root: Path):
    return subprocess.Popen([sys.executable, "-c", CODE, str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONWARNINGS": "ignore"})


@pytest.mark.timeout(1500)
def test_kills_at_random_moments_change_no_bit(tmp_path):
    whole = start(tmp_path / "whole")
    _, told = whole.communicate()
    assert whole.returncode == 0, told.decode()[-2000:]
    generator = random.Random(0)
    for _ in range(6):
        process = start(tmp_path / "killed")
        process.stdout.readline()
        before = time.monotonic()
        log = next(iter((tmp_path / "killed").rglob("metrics.jsonl")), None)
        size = log.stat().st_size if log else 0
        while time.monotonic() - before < 120 and process.poll() is None:  # wait until it trains, then a while
            log = log or next(iter((tmp_path / "killed").rglob("metrics.jsonl")), None)
            if log and log.stat().st_size > size:
                break
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = start(tmp_path / "killed")
    _, told = last.communicate()
    assert last.returncode == 0, told.decode()[-2000:]
    left, right = (sorted(root.rglob("seed*")) for root in (tmp_path / "killed", tmp_path / "whole"))
    assert len(left) == len(right) == 2
    assert len(events(left[0], "resume")) >= 2
    for a, b in zip(left, right):
        for name in ("metrics.jsonl", "test.json", "outputs.npz"):
            assert (a / name).read_bytes() == (b / name).read_bytes(), name
