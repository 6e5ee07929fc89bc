"""The first losses of every method on a small setting, against stored ones: a change is meant, or it is a mistake.

`python -m tests.contract.test_golden_losses --write` writes those of methods that have none yet and drops those of
methods that are gone; with `--write NAME ...` the named methods are written anew (their change needs a line in
CHANGELOG.md).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "losses.json"
COMMAND = "python -m tests.contract.test_golden_losses --write"
STEPS = 5


QUICK = ("erm", "ldam_drw", "balanced_softmax", "crt", "mixup", "lade", "mislas", "balms")
"""Methods whose first losses are compared by default; the others are slow."""


def methods() -> list[str]:
    """The library's own methods; those that other tests or plugins registered do not count."""
    from ltjax import registry

    return [name for name in registry.names("method")
            if registry.get("method", name).fn.__module__.startswith("ltjax.")]


def stored() -> dict[str, list[float]]:
    return json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}


def first_losses(name: str) -> list[float]:
    """Losses of the first five steps, which are shared out over the method's stages."""
    from ltjax import registry
    from ltjax.train.loop import fit
    from tests.train.setting import column, config

    stages = len(registry.get("method", name).fn().stages)
    steps = [[len(part)] for part in np.array_split(np.arange(STEPS), stages)]
    given = config(method={"name": name}, model__hidden=(8,), run__dtype="float64", data__augment=("flip",),
                   data__imbalance=20.0, data__val_per_class=1, eval__every_epochs=0)
    return column(fit(given, steps_per_epoch=steps), "loss").tolist()


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in methods()])
def test_a_method_starts_with_its_stored_losses(name):
    known = stored()
    assert name in known, f"method {name!r} has no stored losses; run: {COMMAND}"
    found = first_losses(name)
    assert found == pytest.approx(known[name], rel=1e-6), (
        f"the losses of {name!r} changed. If that is meant, say so in CHANGELOG.md and run: {COMMAND} {name}")


def test_no_losses_are_stored_for_methods_that_are_gone():
    assert sorted(stored()) == sorted(methods()), f"run: {COMMAND}"


def write(anew: list[str]) -> None:
    known = stored()
    unknown = set(anew) - set(methods())
    if unknown:
        raise SystemExit(f"no such method: {', '.join(sorted(unknown))}")
    losses = {name: known[name] if name in known and name not in anew else first_losses(name) for name in methods()}
    GOLDEN.write_text(json.dumps(losses, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        raise SystemExit(__doc__)
    import tests.conftest  # noqa: F401

    write(sys.argv[2:])
