"""The notebooks run as scripts without a warning, say what they promise, and tell the reader what to expect."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)

SAYS = {
    "tour": (r"(?m)^  balanced_softmax +3 ", r"ldam_drw, seed 2: accuracy", r"report\.html: \d+ kB"),
    "your_own_loss": (r"(?m)^  sheltered +5 ", r"few: \+\d+\.\d \[.*\] points, better for 5 of 5 seeds"),
    "your_own_data": (
        r"(?m)^  balanced_softmax +5 ", r"erm, backward_20: \d", r"labels run from 1 to 2", r"train_y: is <U9",
        r"not finite \(first: row 7\)", r"\(251,\) for 252 examples", r"pickles are never read",
        r"Did you mean 'standardize'", r"tumors\.npz: there is no such file", r"at most 252 fits",
        r"Did you mean 'balanced_softmax'", r"it would adjust twice",
    ),
    "reading_a_table": (
        r"(?m)^  focal +5 ", r"training set 2: \d", r"knows nothing, .* ECE 0\.0%, accuracy 20\.0%",
        r"erm is short of the best by \d+\.\d% \d+\.\d% 1\d\.\d%",
        r"balanced_softmax is short of the best by \d+\.\d% \d\.\d% [01]\.\d%",
    ),
}
"""What a notebook's own text promises, as it is printed."""


def cells(text: str) -> list[tuple[bool, str]]:
    """The cells of a percent script: whether it is text, and its lines; text without the comment signs."""
    parts = re.split(r"(?m)^# %%( \[markdown\])?\n", text)
    assert parts[0] == "", "something stands before the first cell"
    found = zip(parts[1::2], parts[2::2])
    return [(bool(mark), re.sub(r"(?m)^# ?", "", body) if mark else body) for mark, body in found]


def run(command: list[str], folder: Path) -> str:
    """What a command prints in a folder of its own, on one device, as for a user; its temporary folder ends empty."""
    temporary = folder / "temporary"
    temporary.mkdir()
    env = {key: value for key, value in os.environ.items() if key not in ("JAX_NUM_CPU_DEVICES", "PYTHONWARNINGS")}
    env |= {"JAX_PLATFORMS": "cpu", "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert not list(temporary.iterdir())
    return done.stdout


def test_every_notebook_has_its_promises():
    assert set(NOTEBOOKS) == set(SAYS)


@every_notebook
def test_a_notebook_opens_with_a_title_and_says_what_to_expect(name):
    is_text, opening = cells(NOTEBOOKS[name].read_text(encoding="utf-8"))[0]
    assert is_text
    assert re.match(r"# [A-Z]", opening)
    assert "\n**What to expect.** " in opening
    assert " minute " in opening.replace("\n", " "), "it tells how long it takes"


@every_notebook
def test_a_notebook_is_short_and_names_no_path_of_a_machine(name):
    text = NOTEBOOKS[name].read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) < 120
    assert not re.search(r"(?<![\w.})])(/(home|root|tmp|work|mnt|data|Users|usr|var|opt)\b|~/|[A-Z]:\\)", text)


@every_notebook
def test_code_cells_stand_alone_and_have_text_before_them(name):
    parts = cells(NOTEBOOKS[name].read_text(encoding="utf-8"))
    for (before, _), (is_text, body) in pairwise(parts):
        if not is_text:
            assert before
            assert ast.parse(body).body


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_as_a_script_without_a_warning(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    printed = run(["-W", "error", str(NOTEBOOKS[name])], tmp_path)
    for pattern in SAYS[name]:
        assert re.search(pattern, printed), f"{pattern} is not in:\n{printed}"


if all(find_spec(module) for module in ("jupytext", "nbmake", "ipykernel")):  # the extra `notebooks`

    @pytest.mark.slow
    def test_the_tour_runs_as_a_notebook_and_shows_its_pictures(tmp_path, monkeypatch):
        monkeypatch.delenv("MPLBACKEND", raising=False)
        book = tmp_path / "tour.ipynb"
        convert = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--set-kernel", "python3", "-o", str(book)]
        subprocess.run([*convert, str(NOTEBOOKS["tour"])], check=True, capture_output=True, timeout=120)
        options = ["-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
        run(["-m", "pytest", *options, "--nbmake", "--nbmake-timeout=270", "--overwrite", str(book)], tmp_path)
        shown = [output.get("data", {}) for cell in json.loads(book.read_text(encoding="utf-8"))["cells"]
                 for output in cell.get("outputs", ())]
        assert sum("image/png" in data for data in shown) == 4
        assert any("balanced_softmax" in "".join(data.get("text/html", "")) for data in shown)
