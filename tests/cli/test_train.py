"""`ltjax train`: a run from its start to its result, again, interrupted, extended, and stopped by the guard."""

from __future__ import annotations

import json
import signal

import pytest

from ltjax.train import progress

SMOKE = ("train", "--config", "digits_lt:ir=50,smoke", "--root", "runs")


def only(tmp_path, pattern: str):
    found = sorted(tmp_path.glob(f"runs/digits_lt/{pattern}"))
    assert len(found) == 1
    return found[0]


def test_a_run_prints_result_cost_and_folder_and_is_read_the_second_time(ltjax, tmp_path):
    first = ltjax(*SMOKE, "--set", "method.name=balanced_softmax", "--set", "seed=3")
    assert first.code == 0
    folder = only(tmp_path, "balanced_softmax/*/seed3")
    assert "balanced_softmax, seed 3: accuracy" in first.out
    assert "compiled in" in first.out
    assert "peak memory" in first.out
    assert str(folder.relative_to(tmp_path)) in first.out
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    again = ltjax(*SMOKE, "--method", "balanced_softmax", "--config.seed=3")
    assert again.code == 0
    assert "done before" in again.out
    assert first.out.split("\n")[0] in again.out
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_seeds_are_trained_together_under_one_identity(ltjax, tmp_path):
    outcome = ltjax(*SMOKE, "--loss", "focal(gamma=2.0)", "--seeds", 2)
    assert outcome.code == 0
    assert "with 2 seeds together" in outcome.out
    assert "2 seeds: accuracy" in outcome.out
    folders = sorted(tmp_path.glob("runs/digits_lt/*/*/seed*"))
    assert [f.name for f in folders] == ["seed0", "seed1"]
    config = json.loads((folders[0] / "config.json").read_text())
    assert config["method"]["loss"] == {"name": "focal", "gamma": 2.0}
    assert config["label"].startswith("focal")


class Impatient(progress.Silent):
    """Presses Ctrl-C at the first sign of life."""

    def step(self, step, row):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("method", ["erm"])
def test_ctrl_c_saves_and_the_same_command_resumes(method, ltjax, tmp_path, monkeypatch):
    words = (*SMOKE, "--method", method, "--set", "run.chunk_steps=4")
    with monkeypatch.context() as patch:
        patch.setattr(progress, "visible", lambda console=None: Impatient())
        stopped = ltjax(*words)
    assert stopped.code == 130
    assert "stopped at step 4 of 20" in stopped.err
    assert "the same command resumes" in stopped.err
    resumed = ltjax(*words)
    assert resumed.code == 0
    assert "step 4" in resumed.err
    folder = only(tmp_path, f"{method}/*/seed0")
    events = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events == ["start", "interrupted", "resume", "done"]
    longer = ltjax(*words, "--set", "optim.epochs=3", "--extend", folder)
    assert longer.code == 0
    configs = [json.loads(p.read_text()) for p in tmp_path.glob("runs/digits_lt/*/*/seed0/config.json")]
    assert [c.get("extended_from") for c in sorted(configs, key=lambda c: c["optim"]["epochs"])] == [None, str(folder)]


def test_numbers_that_are_not_finite_end_with_code_3_and_the_step(ltjax):
    outcome = ltjax(*SMOKE, "--set", "optim.lr=1e6", "--set", "model.norm=false", "--set", "optim.schedule=constant")
    assert outcome.code == 3
    assert "not finite at step" in outcome.err
    assert "optim.clip" in outcome.err


def test_damaged_checkpoints_end_with_code_4_and_a_way_out(ltjax, tmp_path, monkeypatch):
    words = (*SMOKE, "--set", "run.chunk_steps=4")
    with monkeypatch.context() as patch:
        patch.setattr(progress, "visible", lambda console=None: Impatient())
        assert ltjax(*words).code == 130
    for file in only(tmp_path, "erm/*/seed0").glob("ckpt/*/state/d/*"):
        file.write_bytes(b"\0" * file.stat().st_size)
    outcome = ltjax(*words)
    assert outcome.code == 4
    assert "no checkpoint can be used" in outcome.err
    assert "Remove the folder" in outcome.err


def test_a_plugin_is_recorded_with_the_runs_that_use_it_and_no_others(ltjax, tmp_path):
    from ltjax.commands.settings import Plugins

    (tmp_path / "plain_plugin.py").write_text(
        "import optax\nfrom ltjax.registry import register\n\n\n"
        "@register('loss', 'test_plain', test_logits='train_posterior')\n"
        "def test_plain(logits, labels, *, stats):\n    '''Cross-entropy.'''\n"
        "    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)\n")
    (tmp_path / "silent_plugin.py").write_text("answer = 42\n")
    plugins = Plugins([str(tmp_path / name) for name in ("plain_plugin.py", "silent_plugin.py")])
    config = {"method": {"name": "erm"}, "plugins": {}}
    assert set(plugins.record(config)["plugins"]) == {"silent_plugin.py"}
    config["method"]["loss"] = {"name": "test_plain"}
    recorded = plugins.record(config)["plugins"]
    assert set(recorded) == {"plain_plugin.py", "silent_plugin.py"}
    assert all(len(digest) == 64 for digest in recorded.values())


@pytest.mark.parametrize("flags", ["", "--xla_cpu_enable_fast_math=false"])
def test_a_deterministic_run_sets_the_flag_of_xla_before_jax_starts(flags, monkeypatch):
    import os

    from ltjax.cli import parser_of
    from ltjax.commands import settings

    monkeypatch.setenv("XLA_FLAGS", flags)
    args = parser_of("train").parse_known(["--config", "digits_lt", "--set", "run.deterministic=true"])
    for _ in range(2):
        settings.load_config(args)
        assert os.environ["XLA_FLAGS"].split().count("--xla_gpu_deterministic_ops=true") == 1
    assert flags in os.environ["XLA_FLAGS"]
