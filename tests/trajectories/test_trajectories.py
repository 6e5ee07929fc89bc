"""Whole training runs of the methods' authors, replayed by the trainer: float64, 1e-8 relative.

Reads every train_*.json below LTJAX_GOLDEN (default tests/golden). A key without an adapter fails unless
`not_yet.txt` says why; a listed key that has one fails too. The first case of each key runs by default, the others
are slow.
"""

import pytest

from . import cases, recipes, replay

CASES = cases.load()
FIRST = {case.key: case.name for case in reversed(CASES)}


def not_yet() -> dict[str, str]:
    """The lines `key: reason` of not_yet.txt."""
    lines = (cases.HERE / "not_yet.txt").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return {key.strip(): reason.strip() for key, reason in pairs}


def parameters(slow: bool):
    marked = pytest.mark.slow if slow else ()
    return [pytest.param(case, id=case.id, marks=() if FIRST[case.key] == case.name else marked)
            for case in CASES if case.key in recipes.ADAPTERS]


@pytest.mark.parametrize("key", sorted(FIRST))
def test_key_has_an_adapter_or_a_reason(key):
    assert key in recipes.ADAPTERS or key in not_yet(), f"{key} has neither an adapter nor a line in not_yet.txt"


def test_no_listed_key_has_an_adapter_and_every_line_gives_a_reason():
    for key, reason in not_yet().items():
        assert key not in recipes.ADAPTERS, f"{key} has an adapter: remove its line from not_yet.txt"
        assert reason, f"{key} is listed without a reason"


@pytest.mark.parametrize("case", parameters(slow=False))
def test_schedule_weights_and_trained_tensors_are_those_of_the_case(case):
    found = replay.setting_differences(case)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("case", parameters(slow=True))
def test_the_trainer_repeats_the_run(case):
    found = replay.differences(case, replay.replayed(case))
    assert not found, "\n".join(found)
