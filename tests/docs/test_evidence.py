"""The table of what is verified says no more and no less than the tests do, and so does the page about it."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import jax
import pytest

from ltjax import registry
from ltjax.commands import list as verb
from ltjax.methods import evidence
from ltjax.methods.base import Method
from tests.cli.plugins import forgotten
from tests.parity import golden
from tests.parity.adapters import table
from tests.trajectories import cases, replay

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
PAGE = ROOT / "docs" / "how_we_know.md"
TABLE = "ltjax/methods/evidence.py"


def methods() -> list[str]:
    """The library's own methods; those that other tests or plugins registered do not count."""
    return [name for name in registry.names("method")
            if registry.get("method", name).fn.__module__.startswith("ltjax.")]


@cache
def replayed() -> dict[str, set[str]]:
    """Method -> keys of the stored runs that the adapters replay with it; nothing is trained."""
    found: dict[str, set[str]] = {}
    for case in cases.load(GOLDEN):
        if case.key in replay.ADAPTERS:
            spec = replay.ADAPTERS[case.key](case).method
            found.setdefault(spec["name"], set()).add(case.key.removeprefix("train_"))
    return found


def source_of(family: str, key: str) -> dict:
    return json.loads((GOLDEN / family / f"{key}.json").read_text())


@pytest.mark.parametrize("name", methods())
def test_a_method_has_a_row_with_exactly_the_runs_that_are_replayed(name):
    assert name in evidence.METHODS, (
        f"method {name!r} has no row in {TABLE}: name the golden keys that it rests on, or write Evidence() if there "
        "are none.")
    claimed, found = set(evidence.of(name).runs), replayed().get(name, set())
    assert claimed == found, f"{TABLE} claims the runs {sorted(claimed)} for {name!r}; replayed are {sorted(found)}."


def test_no_row_is_left_of_a_method_that_is_gone():
    assert set(evidence.METHODS) == set(methods())


@pytest.mark.parametrize("key", evidence.FORMULAS)
def test_a_formula_key_has_a_golden_file_and_an_adapter(key):
    assert (GOLDEN / "rebalance" / f"{key}.json").is_file()
    assert f"rebalance/{key}" in table()


def test_every_key_with_a_source_stands_in_a_row_and_the_other_way_round():
    rows = evidence.METHODS.values()
    assert {key for row in rows for key in row.runs} == set(evidence.RUNS)
    assert {key for row in rows for key in row.formulas} == set(evidence.FORMULAS)


@pytest.mark.parametrize(("family", "key", "told"), [
    *(("trajectory", f"train_{key}", told) for key, told in evidence.RUNS.items()),
    *(("rebalance", key, told) for key, told in evidence.FORMULAS.items()),
])
def test_a_source_is_that_of_the_golden_file_and_its_limits_are_told(family, key, told):
    file = source_of(family, key)
    repo, symbol = file["source"]["repo"], file["source"]["symbol"] or ""
    if repo in (None, "none"):
        assert told in (evidence.PAPER, "PyTorch's own optimiser in a plain loop")
    else:
        assert told.split(",")[0] == repo
    if file.get("derived"):
        assert told != repo
    if "the loop is the harness" in symbol:
        assert told.endswith("in a plain loop")
    if "port of" in symbol:
        assert told.endswith("a re-implementation")


def parts_of(method: Method) -> set[str]:
    """Names of the losses, terms, mixers, heads, learners and rules of a method."""
    specs = [method.head, *method.posthoc]
    for stage in method.stages:
        entries = [stage.objective] if not isinstance(stage.objective, tuple) else [e.part for e in stage.objective]
        specs += [*entries, stage.head, stage.mixer, stage.learner]
    return {spec if isinstance(spec, str) else spec["name"] for spec in specs if spec}


@pytest.mark.parametrize("name", methods())
def test_a_part_with_golden_values_of_its_own_name_stands_in_the_row_of_every_method_that_has_it(name):
    keys = parts_of(registry.get("method", name).fn()) & set(evidence.FORMULAS)
    assert keys <= set(evidence.of(name).formulas)


def test_the_strongest_evidence_names_the_level_and_its_sources_come_once():
    both = evidence.Evidence(("focal", "cross_entropy"), ("anyloss",))
    assert both.level == "training run"
    assert both.sources == ("kaidic/LDAM-DRW, a re-implementation",)
    assert evidence.Evidence(formulas=("cdt", "anyloss")).level == "formula"
    assert evidence.Evidence(formulas=("cdt", "anyloss")).sources == (
        "zhangyongshun/BagofTricks-LT, a re-implementation", "doheonhan/anyloss")
    assert (evidence.of("my_own").level, evidence.of("my_own").sources) == ("neither", ())


def test_the_list_tells_of_each_method_what_is_verified(capsys):
    assert verb.run(_asked("methods")) == 0
    blocks = dict(block.split("\n", 1) for block in capsys.readouterr().out.split("\n\n")[1:])
    for name in methods():
        (line,) = re.findall(r"^    verified: (.*)$", blocks[name], re.M)
        assert line.startswith(evidence.of(name).level)
        assert all(source in line for source in evidence.of(name).sources)
    assert "verified" not in verb._short(registry.get("loss", "focal"))


def test_one_method_in_full_names_its_golden_files(capsys):
    assert verb.run(_asked("method", "drw")) == 0
    text = capsys.readouterr().out
    assert "\nVerified: training run\n  training run  train_weighted_cross_entropy " in text
    assert re.search(r"\n  formula       drw_schedule +kaidic/LDAM-DRW\n", text)


def test_the_table_is_read_without_jax():
    code = "import sys, ltjax.commands.list, ltjax.methods.evidence; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _asked(kind, name=None):
    return argparse.Namespace(kind=kind, name=name, plugin=[])


# the page ----------------------------------------------------------------------------------------------------------

def block(first_line: str, page: Path = PAGE) -> str:
    """The Python block of a page that begins with `# name`."""
    (text,) = re.findall(rf"^```python\n# {re.escape(first_line)}\n(.*?)^```$", page.read_text(encoding="utf-8"),
                         re.M | re.S)
    return text


def test_the_page_is_short_linked_and_says_where_things_stand():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert "(docs/how_we_know.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:tests|ltjax|experiments)/[\w/.]+)`", text):
        made_there = path.endswith("tilted.json")
        assert made_there or (ROOT / path).exists(), path
    assert not re.search(r"(?<![\w.)])/(home|root|tmp|work|mnt)\b", text)


def test_what_the_page_tells_of_methods_is_so():
    for name in ("crt", "lws", "lade", "weight_balancing"):
        assert registry.get("method", name).fn().stages[-1].optim["schedule"]["ahead"] == 1
    for name in ("crt", "lws", "disalign", "mislas"):
        assert registry.get("method", name).options["batchnorm"] == "batch"
    gcl = registry.get("method", "gcl")
    assert gcl.fn().stages[1].batchnorm == "running"
    assert gcl.options["lr"] == 0.002
    assert "batchnorm" not in gcl.options
    for method in (gcl.fn(), registry.get("method", "cmo").fn()):
        assert method.stages[0].objective[0].pairs == "each"
    assert registry.get("method", "influence_balanced").options["detach"] is False


def test_the_golden_case_of_the_page_is_read_and_agrees(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "tests/golden/rebalance").mkdir(parents=True)
    (tmp_path / "tilted.py").write_text(block("tilted.py", ROOT / "CONTRIBUTING.md"))
    exec(block("golden_tilted.py"), {})
    with forgotten(tmp_path):
        names = {"__package__": "tests.parity.adapters"}
        exec(block("tests/parity/adapters/tilted.py"), names)
        (case,) = golden.cases("float64", tmp_path / "tests/golden")
        with jax.enable_x64(True):
            assert golden.differences(case.expected, names["ADAPTERS"][case.key](case), "float64") == []
            wrong = golden.Case(case.key, case.name, case.inputs, {"tilt": 0.9}, case.expected, case.dtype)
            assert golden.differences(case.expected, names["ADAPTERS"][case.key](wrong), "float64")


def test_the_replay_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(block("replay.py"), {})


def test_the_commands_of_the_page_name_tests_and_keys_that_there_are():
    text = PAGE.read_text(encoding="utf-8")
    for folder, key in re.findall(r"pytest (tests/\w+) -k (\w+)$", text, re.M):
        assert (ROOT / folder / "__init__.py").is_file()
        assert key == "tilted" or (GOLDEN / "trajectory" / f"{key}.json").is_file()
    for words in re.findall(r"`ltjax (list [a-z ]+)`", text):
        assert verb.run(_asked(*words.split()[1:])) == 0
