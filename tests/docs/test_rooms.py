"""Who may import whom: the table of rooms, held over the syntax trees of the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ltjax"
BASE = {"types", "registry", "config", "namespace"}
PARTS = {"losses", "weights", "samplers", "mixers", "augment", "posthoc", "metrics", "contrast", "pairwise"}
MAY = {
    **dict.fromkeys(BASE, BASE), "priors": BASE,
    "causal": BASE, **{part: BASE | {"priors"} for part in PARTS}, "posthoc": BASE | {"priors", "causal"},
    "terms": BASE | {"priors"} | PARTS, "layers": BASE, "heads": BASE | {"layers", "causal"},
    "models": BASE | {"layers"}, "optim": BASE,
    "kernels": BASE | {"priors"}, "spectra": BASE | {"priors"}, "selection": BASE | {"priors"},
    "data": BASE, "methods": BASE, "analysis": {"types", "priors"},
    "train": BASE | PARTS | {"priors", "terms", "layers", "heads", "models", "optim", "data", "methods"},
    "cli": BASE | {"commands", "train"},
    "commands": BASE | {"cli", "train", "analysis", "metrics", "data"},
}
"""Room -> the rooms it may import; each may import itself."""


def imported(file: Path) -> set[str]:
    """Rooms of ours that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "ltjax":
            names = [f"ltjax.{a.name}" for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        found |= {name.split(".")[1] for name in names if name.startswith("ltjax.")}
    return found


@pytest.mark.parametrize("room", sorted(p.stem for p in PACKAGE.iterdir() if p.stem in MAY))
def test_a_room_imports_only_what_it_may(room):
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else sorted((PACKAGE / room).rglob("*.py"))
    wrong = {str(f.relative_to(PACKAGE)): extra for f in files if (extra := imported(f) - MAY[room] - {room})}
    assert not wrong


def test_every_room_stands_in_the_table():
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert rooms - {"__init__"} <= set(MAY)


@pytest.mark.parametrize("room", ["analysis", "data", "metrics", "posthoc"])
def test_a_room_of_the_host_names_no_jax(room):
    for file in (PACKAGE / room).rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        modules = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
        modules += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not [m for m in modules if m.split(".")[0] in ("jax", "flax", "optax")], file
