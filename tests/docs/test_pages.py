"""What README and CONTRIBUTING show is run: Python blocks, files, and every command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ltjax import config as configs
from ltjax import registry
from ltjax.cli import _config_spelling, main, parser_of
from ltjax.commands import specs
from tests.cli.plugins import forgotten

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


def files(page: str) -> dict[str, str]:
    """Python blocks whose first line names a file."""
    named = {match[1]: text for text in blocks(page, "python") if (match := re.match(r"# (\w+\.py)\n", text))}
    assert named
    return named


SCRIPTS = [text for page in PAGES for text in blocks(page, "python") if not re.match(r"# \w+\.py\n", text)]
COMMANDS = [line.strip() for page in PAGES for text in blocks(page, "bash") for line in text.splitlines()
            if line.startswith("ltjax ")]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with forgotten(tmp_path):
        yield


def test_the_readme_starts_with_its_two_commands_on_one_line_each():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = (block.splitlines() for block in blocks("README.md", "bash")[:2])
    assert len(first) == len(second) == 1
    assert first[0].endswith(".venv/bin/ltjax quickstart")
    assert second[0].endswith(".venv/bin/python -m pytest")
    assert text.index("```bash") < 40


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_a_python_block_runs(number):
    exec(compile(SCRIPTS[number], f"block {number}", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_is_understood_and_names_what_there_is(line):
    for name, text in files("README.md").items():
        Path(name).write_text(text)
        configs.load_plugin(name)
    words = shlex.split(line)[1:]
    args = parser_of(words[0]).parse_known(_config_spelling(words[1:]))
    if getattr(args, "config", None):
        configs.load(args.config, args.sets)
    for flag in ("methods", "against"):
        if getattr(args, flag, None):
            assert specs.method_specs(getattr(args, flag))
    for rule in getattr(args, "posthoc", ()):
        registry.bind("posthoc", specs.parse_part(rule, "--posthoc"))


def test_the_page_on_your_own_loss_works_from_end_to_end(capsys):
    for name, text in files("README.md").items():
        Path(name).write_text(text)
    words = ["compare", "--config", "digits_lt:ir=50,smoke", "--plugin", "my_loss.py", "--loss", "my_loss",
             "--against", "erm", "--seeds", "2"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^  my_loss +2 ", printed, re.M)
    assert Path(printed.rstrip().rsplit("report: ", 1)[1]).is_file()


def test_the_page_on_your_own_data_works_from_end_to_end():
    script = next(text for text in SCRIPTS if "my_data.npz" in text)
    exec(compile(script, "own data", "exec"), {})
    line = next(line for line in COMMANDS if "npz:path=my_data.npz" in line)
    assert main([*shlex.split(line)[1:], "--set", "optim.epochs=2"]) == 0


@pytest.mark.parametrize(("name", "settings"), [
    ("tilted.py", {"method": {"name": "erm", "loss": {"name": "tilted", "tilt": 0.5}}}),
    ("two_speeds.py", {"method": {"name": "two_speeds"}}),
    ("alternating.py", {"method": {"name": "erm", "sampler": "alternating"}}),
    ("rings.py", {"data": {"name": "rings", "val_per_class": 5}}),
])
def test_a_part_of_the_contributing_page_trains(name, settings):
    from ltjax import fit

    Path(name).write_text(files("CONTRIBUTING.md")[name])
    configs.load_plugin(name)
    config = configs.load("digits_lt:ir=50,smoke") | settings
    config["optim"]["epochs"], config["run"]["root"] = 4, ""
    result = fit(config)
    assert result.metrics["balanced_accuracy"] > 1.5 / len(result.metrics["per_class"]["seen"])


def test_every_verb_stands_in_the_readme():
    from ltjax.cli import VERBS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `ltjax {verb}` | {about.split(':')[0]}" in text for verb, about in VERBS.items())


def test_the_rooms_of_the_contributing_page_exist():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Rooms")[1].split("\n\n")[1]
    rooms = re.findall(r"`([a-z_]+(?:/|\.py))`", table)
    assert len(rooms) > 15
    assert all((ROOT / "ltjax" / room).exists() for room in rooms)
