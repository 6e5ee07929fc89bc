"""Who may import whom, over the syntax trees; no private JAX; files stay short; parts explain themselves."""

import ast
from pathlib import Path

import pytest

import ltjax
from ltjax import registry

ROOT = Path(ltjax.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "configs" not in path.relative_to(ROOT).parts)

BASE = {"types", "registry", "config", "options", "namespace"}
PARTS = {"losses", "weights", "samplers", "mixers", "augment", "posthoc", "metrics", "contrast", "pairwise"}
ARITHMETIC = BASE | {"priors", "causal"}
TRAIN = ARITHMETIC | PARTS | {"terms", "layers", "heads", "models", "optim", "data", "methods"}
MAY_IMPORT = {
    **{room: {"registry", "options"} for room in BASE},
    "priors": BASE, "causal": BASE, "data": BASE, "optim": BASE, "layers": BASE, "methods": {"registry"},
    **dict.fromkeys(PARTS, ARITHMETIC),
    "terms": ARITHMETIC | PARTS,
    "heads": ARITHMETIC | {"layers"}, "models": BASE | {"layers"},
    **{room: BASE | {"priors"} for room in ("kernels", "spectra", "selection")},
    "train": TRAIN, "analysis": {"types", "priors"},
    **{room: TRAIN | {"train", "analysis", "kernels", "commands", "cli"} for room in ("cli", "commands", "__init__")},
}
"""Room -> the other rooms that it may import; a loss's helpers lie inside its own package."""
NO_JAX = {"types", "registry", "config", "options", "priors", "analysis", "methods", "data", "samplers", "weights",
          "metrics", "posthoc"}
"""Rooms that work without JAX."""


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    room, names = room_of(path), imported(path)
    assert room in MAY_IMPORT, f"room {room!r} has no line in the table"
    rooms = {name.split(".")[1] for name in names if name.startswith("ltjax.")} - {room}
    assert rooms <= MAY_IMPORT[room]
    packages = {name.split(".")[0] for name in names}
    if room in NO_JAX:
        assert not packages & {"jax", "jaxlib", "flax", "optax", "orbax"}
    if path.name != "checkpoint.py":
        assert "orbax" not in packages
    assert not [name for name in names if "._src" in name or name.startswith(("jaxlib", "jax.interpreters"))]
    assert "_src" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_and_is_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("kind", registry.PACKAGES)
def test_every_part_has_a_summary_of_one_sentence(kind):
    for name in registry.names(kind):
        summary = registry.get(kind, name).summary
        assert 10 < len(summary) <= 130, f"{kind} {name}: {summary!r}"
        assert summary.endswith("."), f"{kind} {name}: {summary!r}"
        assert summary[0] == summary[0].upper(), f"{kind} {name}: {summary!r}"
