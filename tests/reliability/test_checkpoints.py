"""Damaged checkpoints: the newest good one is used, a bad one never mistaken for it, nothing starts anew silently."""

import gc
import json
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.train.checkpoint import CheckpointError, Checkpoints
from ltjax.train.loop import fit
from ltjax.train.signals import Interrupted
from tests.train.setting import StopAfter, assert_runs_equal, config, events, fit_with_stops

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Threads of Orbax that read a damaged file leave unfinished coroutines, whenever they end."""

STATE = {"w": (20, 30), "b": (3,)}


@pytest.fixture(autouse=True)
def _collected():
    """What a failed read leaves is freed here, not during the next test."""
    yield
    time.sleep(0.05)
    gc.collect()


def tree(value, dtype=jnp.float32, shapes=STATE):
    arrays = {k: jnp.asarray(value + np.arange(np.prod(shape)).reshape(shape), dtype) for k, shape in shapes.items()}
    state = {**arrays, "key": jax.random.key(3), "step": jnp.int32(value)}
    return {"state": state, "log": {"loss": jnp.float32(value)}}


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "ckpt"
    store = Checkpoints(path, keep=3)
    for step in (10, 20):
        store.save(step, tree(step), {"stage": 0, "open": False, "best": None})
    store.close()
    return path


def newest_good(path, like=None):
    """The step that a restore ends at, after checking that what it returns is what was saved."""
    store = Checkpoints(path, keep=3)
    try:
        for step, meta in store.newest_readable():
            if meta is None:
                continue
            assert meta["stage"] == 0
            found, reason = store.restore(step, like or tree(0), meta)
            if reason is None:
                assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), found, tree(step)))
                return step
    finally:
        store.close()
    return None


def damage(path, kind):
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    if kind == "missing":
        path.unlink()
        return
    if kind == "flipped":
        content[half] ^= 0x10
    path.write_bytes({"truncated": content[:half], "empty": b"", "flipped": content}[kind])


DATA = ("state/d/*", "meta/metadata", "state/manifest.ocdbt")
"""Files of a step without which it cannot be read."""


@pytest.mark.parametrize("kind", ["flipped", *(pytest.param(kind, marks=pytest.mark.slow)
                                              for kind in ("truncated", "empty", "missing"))])
def test_whatever_file_is_damaged_only_good_values_come_back(two_steps, tmp_path, kind):
    names = sorted(p.relative_to(two_steps) for p in (two_steps / "20").rglob("*") if p.is_file() and p.stat().st_size)
    used = []
    for number, name in enumerate(names):
        copy = tmp_path / str(number)
        shutil.copytree(two_steps, copy)
        damage(copy / name, kind)
        used.append(newest_good(copy))
    assert set(used) <= {10, 20}
    needed = [step for name, step in zip(names, used) if any(name.relative_to("20").match(d) for d in DATA)]
    assert needed
    assert set(needed) == {10}


def test_any_flipped_byte_of_the_record_makes_it_unreadable(two_steps, tmp_path):
    shutil.copytree(two_steps, tmp_path / "ckpt")
    path = tmp_path / "ckpt" / "20" / "meta" / "metadata"
    whole, store = path.read_bytes(), Checkpoints(tmp_path / "ckpt", keep=3)
    good = store.meta(20)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1:])
        assert store.meta(20) in (None, good), place
    store.close()


def test_a_look_from_outside_touches_no_file(two_steps, tmp_path):
    shutil.copytree(two_steps, tmp_path / "ckpt")
    damage(tmp_path / "ckpt" / "20" / "state" / "manifest.ocdbt", "empty")
    unfinished = tmp_path / "ckpt" / "30.orbax-checkpoint-tmp"
    unfinished.mkdir()
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    store = Checkpoints(tmp_path / "ckpt", read_only=True)
    steps = [step for step, meta in store.newest_readable() if meta is not None]
    found, reason = store.restore(10, tree(0), store.meta(10))
    store.close()
    assert 10 in steps
    assert reason is None
    assert float(found["log"]["loss"]) == 10
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("like", "told"), [
    (tree(0, jnp.bfloat16), "stored as float32.*wanted as bfloat16"),
    (tree(0, shapes={"w": (20, 31), "b": (3,)}), r"stored as float32\[20, 30\].*wanted as float32\[20, 31\]"),
    (tree(0, shapes={"w": (20, 30)}), r"state/b.*stored as float32\[3\].*wanted as nothing"),
    (tree(0, shapes={**STATE, "extra": (2,)}), "state/extra.*stored as nothing"),
])
def test_another_type_or_shape_is_refused_and_named(two_steps, like, told):
    with pytest.raises(CheckpointError, match=told):
        newest_good(two_steps, like)


def experiment(root, **sets):
    stage = Stage(objective=(Entry("seesaw"),), mixer="mixup")
    return config(stage, **{"run.root": str(root), "run.chunk_steps": 1, "run.log_every": 4, "optim.epochs": 2,
                            "run.keep": 3, **sets})


def interrupted(root, *stops, **sets):
    """A run folder that was left after each of these steps."""
    given = experiment(root, **sets)
    for step in stops:
        with pytest.raises(Interrupted):
            fit(given, progress=StopAfter(step))
    [log] = root.rglob("metrics.jsonl")
    return given, log.parent


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return fit(experiment(tmp_path_factory.mktemp("unbroken")))


def spoil(folder, *steps):
    for step in steps:
        for path in (folder / "ckpt" / str(step) / "state" / "d").iterdir():
            damage(path, "flipped")


def test_a_damaged_checkpoint_costs_its_steps_and_no_bit(tmp_path, unbroken):
    given, folder = interrupted(tmp_path, 5, 9)
    spoil(folder, 9)
    with pytest.raises(Interrupted):  # again at step 9: what was refused must not stand in the way of a new save
        fit(given, progress=StopAfter(9))
    result = fit(given)
    assert_runs_equal(result, unbroken)
    resumed = events(folder, "resume")
    assert [row["step"] for row in resumed] == [5, 5, 9]
    assert "step 9" in resumed[1]["refused"][0]
    assert not resumed[2]["refused"]


def test_with_no_good_checkpoint_nothing_is_started_anew(tmp_path):
    given, folder = interrupted(tmp_path, 5, 9)
    log = (folder / "metrics.jsonl").read_bytes()
    spoil(folder, 5, 9)
    with pytest.raises(CheckpointError, match=r"no checkpoint can be used \(step 9: .*step 5: .*Remove the folder"):
        fit(given)
    shutil.rmtree(folder / "ckpt" / "5" / "meta")
    (folder / "ckpt" / "9" / "state" / "manifest.ocdbt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"files are incomplete"):
        fit(given)
    with pytest.raises(CheckpointError, match=r"no checkpoint can be used"):
        fit(given)  # and it says so again, though the broken folders are set aside now
    assert (folder / "metrics.jsonl").read_bytes() == log


def test_seeds_that_stand_at_different_steps_go_on_from_where_each_is(tmp_path, unbroken):
    given, folder = interrupted(tmp_path, 5)
    results = fit(given, seeds=[0, 1])
    assert [row["step"] for row in events(folder, "resume")] == [5]
    assert_runs_equal(results[0], unbroken)
    assert events(folder.parent / "seed1")[0]["event"] == "start"
    alone = fit({**experiment(""), "seed": 1})
    assert results[1].history == alone.history


@pytest.mark.slow
def test_the_best_epoch_is_kept_and_survives_a_resume(tmp_path):
    sets = {"data.val_per_class": 2, "data.imbalance": 20.0, "eval.select": "best_val", "optim.epochs": 4,
            "optim.lr": 0.5}
    whole = fit(experiment(tmp_path / "whole", **sets))
    val = [row for row in whole.history if row["kind"] == "val"]
    best = max(val, key=lambda row: row["balanced_accuracy"])
    assert best["step"] < val[-1]["step"], "the last epoch is the best one: this test needs another setting"
    last = fit(experiment("", **{**sets, "eval.select": "last"}))
    assert (whole.outputs["val_logits"] != last.outputs["val_logits"]).any()
    found = whole.outputs["val_logits"].argmax(1) == whole.outputs["val_label"]
    per_class = [found[whole.outputs["val_label"] == c].mean() for c in range(10)]
    assert np.mean(per_class) == pytest.approx(best["balanced_accuracy"])
    stops = [best["step"] - 1, best["step"] + 2, val[-1]["step"] - 1]
    assert_runs_equal(fit_with_stops(experiment(tmp_path / "cut", **sets), stops), whole)


@pytest.mark.slow
def test_a_longer_budget_goes_on_from_a_shorter_run(tmp_path):
    sets = {"optim.schedule": "constant", "run.log_every": 5, "data.val_per_class": 1, "data.imbalance": 20.0}
    short = fit(experiment(tmp_path / "runs", **sets))
    whole = fit(experiment("", **sets, **{"optim.epochs": 4}))
    longer = experiment(tmp_path / "runs", **sets, **{"optim.epochs": 4})
    with pytest.raises(Interrupted):
        fit(longer, extend=short.path, progress=StopAfter(25))
    extended = fit(longer, extend=short.path)
    steps = short.history[-1]["step"]
    assert extended.path != short.path
    assert extended.history == [row for row in whole.history if row["step"] > steps]
    assert extended.metrics == whole.metrics
    for name in whole.outputs:
        assert whole.outputs[name].tobytes() == extended.outputs[name].tobytes()
    assert events(extended.path, "start")[0]["extended_from"] == str(short.path)
    assert json.loads((extended.path / "config.json").read_text())["extended_from"] == str(short.path)
    with pytest.raises(ValueError, match=r"already did .* steps.*Raise optim.epochs"):
        fit(experiment(tmp_path / "runs", **sets, **{"optim.epochs": 1}), extend=short.path)
    with pytest.raises(ValueError, match="no run folder with checkpoints"):
        fit(experiment(tmp_path / "runs", **sets, **{"optim.epochs": 5}), extend=tmp_path / "nowhere")
