"""The run folder: what is written and in which order, who may enter, and that nothing in it can run code."""

import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ltjax.methods.base import Stage
from ltjax.registry import ConfigError
from ltjax.train import rundir
from ltjax.train.loop import fit
from ltjax.train.rundir import RunFolder
from ltjax.train.signals import Interrupted
from tests.train.setting import StopAfter, assert_equal, config, events


def experiment(root, **sets):
    return config(Stage(), **{"run.root": str(root), "run.chunk_steps": 5, "optim.epochs": 1, "model.hidden": (8,),
                              **sets}, posthoc=("logit_adjust",))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return fit(experiment(tmp_path_factory.mktemp("done")))


def read(path):
    return json.loads(path.read_text())


def test_a_finished_folder_holds_what_the_contract_names(done):
    names = {p.name for p in done.path.iterdir()}
    assert names == {".lock", "DONE", "ckpt", "config.json", "env.json", "events.jsonl", "metrics.jsonl", "outputs.npz",
                     "split.json", "test.json"}
    told = read(done.path / "config.json")
    assert {"seed", "data", "model", "method", "optim", "eval", "run", "identity", "label"} <= told.keys()
    assert done.path.parts[-1] == "seed0"
    assert done.path.parts[-2] == told["identity"][:8]
    split = read(done.path / "split.json")
    assert sum(split["counts"]) == 331
    assert split["test_counts"] == [50] * 10
    assert split["val_counts"] is None
    test = read(done.path / "test.json")
    assert test["test_logits"] == "train_posterior"
    assert [rule["name"] for rule in test["posthoc"]] == ["logit_adjust"]
    assert test["metrics"] == json.loads(json.dumps(rundir.clean(done.metrics)))
    assert test["raw"]["accuracy"] != test["metrics"]["accuracy"]
    [end] = events(done.path, "done")
    assert {"seconds", "steps_per_s", "compile_s"} <= end.keys()
    with np.load(done.path / "outputs.npz", allow_pickle=False) as stored:
        assert {"test_logits", "test_label", "test_rows"} <= set(stored)
        assert_equal({k: stored[k] for k in stored}, done.outputs)


def test_a_second_call_reads_the_result_and_writes_nothing(done):
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in done.path.rglob("*") if p.is_file()}
    again = fit(experiment(done.path.parents[3]))
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in done.path.rglob("*") if p.is_file()}
    assert again.metrics == read(done.path / "test.json")["metrics"]
    assert again.history == done.history
    assert_equal(again.outputs, done.outputs)


def test_files_are_written_in_an_order_that_makes_done_the_last(tmp_path, monkeypatch):
    written = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (written.append(os.path.basename(b)), replace(a, b)))
    fit(experiment(tmp_path))
    assert written[-3:] == ["outputs.npz", "test.json", "DONE"]


def test_without_a_root_nothing_is_written(tmp_path, monkeypatch, done):
    monkeypatch.chdir(tmp_path)
    result = fit(experiment(""))
    assert not list(tmp_path.iterdir())
    assert result.path is None
    assert result.history == done.history
    with pytest.raises(Interrupted):
        fit(experiment(""), progress=StopAfter(5))
    assert not list(tmp_path.iterdir())


def test_a_second_process_is_kept_out(tmp_path):
    given = experiment(tmp_path)
    with pytest.raises(Interrupted):
        fit(given, progress=StopAfter(5))
    [lock] = tmp_path.rglob(".lock")
    code = f"import fcntl, sys; f = open({str(lock)!r}); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); " \
           "sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ConfigError, match="another process is training into this run folder"):
            fit(given)
        other.communicate()
    fit(given)


def test_the_folder_of_another_config_is_refused(tmp_path):
    given = experiment(tmp_path)
    with pytest.raises(Interrupted):
        fit(given, progress=StopAfter(5))
    [path] = tmp_path.rglob("config.json")
    path.write_text(json.dumps({**read(path), "identity": "0" * 16}))
    with pytest.raises(ConfigError, match="run folder of another config"):
        fit(given)
    with pytest.raises(ConfigError, match="run folder of another config"):  # not: another process
        fit(given)


def test_a_half_written_line_is_dropped_and_the_next_one_starts_anew(tmp_path, done):
    given = experiment(tmp_path)
    with pytest.raises(Interrupted):
        fit(given, progress=StopAfter(5))
    [log] = tmp_path.rglob("metrics.jsonl")
    for name in ("metrics.jsonl", "events.jsonl"):
        with (log.parent / name).open("a") as file:
            file.write('{"kind": "train", "event": "st')
    result = fit(given)
    assert log.read_bytes() == (done.path / "metrics.jsonl").read_bytes()
    assert result.metrics == done.metrics
    lines = (log.parent / "events.jsonl").read_text().splitlines()
    assert sum("half" in line or line.endswith('"st') for line in lines) == 1
    assert json.loads(lines[-1])["event"] == "done"


class Hostile:
    def __reduce__(self):
        return os.mkdir, (self.target,)

    def __init__(self, target):
        self.target = target


@pytest.mark.parametrize("form", ["object array", "bare pickle"])
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, form):
    result = fit(experiment(tmp_path))
    target, stored = str(tmp_path / "owned"), result.path / "outputs.npz"
    if form == "bare pickle":
        stored.write_bytes(pickle.dumps(Hostile(target)))
    else:
        evil = np.empty(1, object)
        evil[0] = Hostile(target)
        np.savez(stored, allow_pickle=True, test_logits=evil)
        assert zipfile.is_zipfile(stored)
    with pytest.raises(ConfigError, match=r"outputs.npz.*cannot be read"):
        fit(experiment(tmp_path))
    assert not os.path.exists(target)


def test_a_finished_folder_without_its_result_is_told(tmp_path):
    result = fit(experiment(tmp_path))
    (result.path / "test.json").write_text('{"metrics": ')
    with pytest.raises(ConfigError, match=r"test.json cannot be read"):
        fit(experiment(tmp_path))


def test_json_is_written_whole_or_not_at_all(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write("a.json", {"x": 1})
    with pytest.raises(TypeError):
        folder.write("a.json", {"x": object()})
    assert read(tmp_path / "a.json") == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(("value", "told"), [
    (float("nan"), None), (float("inf"), None), (np.float32(0.5), 0.5), (np.int64(3), 3),
    (np.array([1.5, np.nan]), [1.5, None]), ({1: (True, None)}, {"1": [True, None]}),
])
def test_values_become_plain_json(value, told):
    assert rundir.clean(value) == told


def test_seeds_must_differ():
    with pytest.raises(ConfigError, match="different whole numbers"):
        fit(experiment(""), seeds=[0, 0])
