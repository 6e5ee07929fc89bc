"""`compare`, `report`, `evaluate` and `quickstart` on runs of two epochs."""

from __future__ import annotations

import json

import pytest

from ltjax.commands import quickstart

COMPARE = ("compare", "--config", "digits_lt:ir=50,smoke", "--root", "runs", "--seeds", 2)


def test_only_what_is_missing_is_trained_and_table_and_report_come_from_the_folders(ltjax, tmp_path):
    first = ltjax(*COMPARE, "--methods", "erm, focal(gamma=2.0)")
    assert first.code == 0
    assert "2 methods, 2 seeds each: 4 runs to train, 0 done before" in first.err
    assert "focal (gamma=2.0)" in first.out
    assert "baseline" in first.out
    report = tmp_path / first.out.rstrip().rsplit("report: ", 1)[1]
    assert report.read_text(encoding="utf-8").count("focal (gamma=2.0)") > 1
    again = ltjax(*COMPARE, "--methods", "erm,focal(gamma=2.0)", "--report", "here.html")
    assert "0 runs to train, 4 done before" in again.err
    assert again.compiled == 0
    assert again.out.rsplit("report: ", 1)[0] == first.out.rsplit("report: ", 1)[0]
    assert (tmp_path / "here.html").is_file()

    evaluated = ltjax("evaluate", "runs/digits_lt/erm", "--posthoc", "logit_adjust(tau=1.5)", "--shifts=20,-20")
    assert evaluated.code == 0
    assert "logit_adjust(tau=1.5)" in evaluated.out
    assert "backward_20" in evaluated.out
    tests = {p: p.read_bytes() for p in tmp_path.glob("runs/digits_lt/*/*/*/test.json")}
    assert len(tests) == 4
    listed = json.loads(ltjax("evaluate", "runs", "--groups", "60,30", "--bins", 5, "--json").out)
    assert {p: p.read_bytes() for p in tests} == tests
    for row in listed:
        stored = json.loads((tmp_path / row["run"] / "test.json").read_text())["metrics"]
        assert row["metrics"]["accuracy"] == stored["accuracy"]
        assert row["metrics"]["ece"]["bins"] == 5
        assert row["metrics"]["many"]["classes"] == 2
    told = {"tau_norm": "eval.posthoc", "ncm": "eval.posthoc", "temperature": "data.val_per_class"}
    for rule, fragment in told.items():
        refused = ltjax("evaluate", "runs", "--posthoc", rule)
        assert refused.code == 2
        assert fragment in refused.err

    shown = ltjax("report", "runs", "-o", "all.html", "--format", "markdown", "--sort", "few")
    assert shown.code == 0
    assert shown.out.startswith("| method |")
    assert "report: all.html" in shown.err


def test_a_rule_on_balanced_logits_is_refused_unless_forced(ltjax):
    assert ltjax("train", "--config", "digits_lt:smoke", "--method", "balanced_softmax").code == 0
    words = ("evaluate", "runs", "--posthoc", "logit_adjust")
    refused = ltjax(*words)
    assert refused.code == 2
    assert "'balanced'" in refused.err
    assert "twice" in refused.err
    assert ltjax(*words, "--force").code == 0


def test_a_method_that_stops_is_told_below_the_table_and_the_others_go_on(ltjax):
    outcome = ltjax(*COMPARE, "--methods", "erm(loss=test_burst), erm, @./mine.txt", "--plugin", "burst.py")
    assert outcome.code == 0
    table, below = outcome.out.split("¹", 1)
    assert "erm" in table
    assert "focal" in table
    assert "test_burst" not in table
    assert "test_burst was stopped" in below
    assert "not finite at step" in below


@pytest.fixture(autouse=True)
def _files(tmp_path):
    (tmp_path / "mine.txt").write_text("# what I look at\nerm\nfocal(gamma=2.0)   # Lin et al.\n")
    (tmp_path / "burst.py").write_text(
        "import optax\nfrom ltjax.registry import register\n\n\n"
        "@register('loss', 'test_burst', test_logits='neither')\n"
        "def test_burst(logits, labels, *, stats):\n    '''Divides by zero.'''\n"
        "    return optax.softmax_cross_entropy_with_integer_labels(logits, labels) / 0.0\n")


def test_methods_of_all_that_the_config_cannot_train_are_left_out_with_the_reason(ltjax, tmp_path, monkeypatch):
    from ltjax import registry
    from ltjax.commands import compare, specs

    monkeypatch.setattr(registry, "names", lambda kind: ["erm", "test_short"] if kind == "method" else [])
    (tmp_path / "short.py").write_text(
        "from ltjax.methods.base import Method, Stage\nfrom ltjax.registry import register\n\n\n"
        "@register('method', 'test_short')\ndef test_short():\n    '''A stage that gets no epoch.'''\n"
        "    return Method(stages=(Stage('a', 0.999), Stage('b', 0.001)))\n")
    from ltjax import config as configs
    from ltjax.commands.settings import Plugins

    config = configs.load("digits_lt:smoke")
    plugins = Plugins([str(tmp_path / "short.py")])
    entrants, notes = compare.enter(config, specs.method_specs("all"), [0], plugins, False)
    assert [e.label for e in entrants] == ["erm"]
    assert len(notes) == 1
    assert "test_short cannot be trained here" in notes[0]
    assert "no whole epoch" in notes[0]


def test_quickstart_is_a_comparison_of_eight_methods_on_digits(monkeypatch, ltjax):
    from ltjax.commands import compare

    seen = {}
    monkeypatch.setattr(compare, "run", lambda args: seen.update(vars(args)) or 0)
    outcome = ltjax("quickstart", "--root", "elsewhere")
    assert outcome.code == 0
    assert seen["config"] == "digits_lt:ir=50"
    assert seen["seeds"] == 3
    assert seen["report"] == "elsewhere/reports/quickstart.html"
    from ltjax.commands.specs import method_specs

    names = [asked.spec["name"] for asked in method_specs(quickstart.METHODS)]
    assert len(names) == 8
    assert names[0] == "erm"
