"""Every golden case against the library: values and gradients, float64 and float32.

Reads every JSON file below LTJAX_GOLDEN (default tests/golden). A key without an adapter fails unless
`not_yet.txt` says why; a listed key that has one fails too.
"""

import fnmatch

import jax
import pytest

from . import golden
from .adapters import table

ADAPTERS = table()


def not_yet() -> dict[str, str]:
    """The lines `family/key: reason` (or `family/*: reason`) of not_yet.txt."""
    lines = (golden.HERE / "not_yet.txt").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return {key.strip(): reason.strip() for key, reason in pairs}


def listed(key: str) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in not_yet())


def cases(dtype):
    """All cases in float64; in float32 the first of each key, the others are slow."""
    found, first = [], set()
    for case in golden.cases(dtype):
        if case.key in ADAPTERS:
            slow = dtype == "float32" and case.key in first
            found.append(pytest.param(case, id=f"{case.key}-{case.name}", marks=pytest.mark.slow if slow else ()))
            first.add(case.key)
    return found


@pytest.mark.parametrize("key", golden.keys())
def test_key_has_an_adapter_or_a_reason(key):
    assert key in ADAPTERS or listed(key), f"{key} has neither an adapter nor a line in not_yet.txt"


@pytest.mark.parametrize("key", sorted(ADAPTERS))
def test_key_with_an_adapter_is_not_listed_as_missing(key):
    assert key not in not_yet(), f"{key} has an adapter: remove its line from not_yet.txt"


def test_every_line_of_the_list_gives_a_reason():
    assert all(not_yet().values())


@pytest.mark.parametrize("case", cases("float64"))
def test_float64_agrees_to_1e_6(case):
    with jax.enable_x64(True):
        got = ADAPTERS[case.key](case)
        found = golden.differences(case.expected, got, "float64", case.key)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("case", cases("float32"))
def test_float32_agrees_to_1e_4(case):
    found = golden.differences(case.expected, ADAPTERS[case.key](case), "float32", case.key)
    assert not found, "\n".join(found)
