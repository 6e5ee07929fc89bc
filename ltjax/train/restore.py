"""A run folder as a network with its parameters: for teachers, for studies of trained networks, for deployment."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from ltjax.config import base, canonical
from ltjax.registry import ConfigError
from ltjax.train.checkpoint import CheckpointError
from ltjax.train.experiment import Experiment
from ltjax.train.given import Given
from ltjax.train.loop import Trainer
from ltjax.train.prepare import prepare
from ltjax.train.program import network_of
from ltjax.train.progress import Silent
from ltjax.train.resume import Saves
from ltjax.train.rundir import RunFolder, read_json


@dataclass(frozen=True)
class Restored:
    """A trained network: `outputs(x)` of normalised inputs, in evaluation mode."""

    experiment: Experiment
    network: Any
    params: Any
    model_state: Any
    step: int

    @property
    def variables(self) -> dict[str, Any]:
        return {"params": self.params, **self.model_state}

    def outputs(self, x):
        return self.network.apply(self.variables, x)


def restore(path: str | Path) -> Restored:
    """The network of a run folder's newest good checkpoint (of the chosen epoch under `eval.select='best_val'`).

    Verifies checksums; nothing stored in the folder can run code. Plugins that the run used must be loaded before.
    """
    folder = RunFolder(Path(path))
    config = read_json(folder / "config.json")
    if config is None:
        raise ConfigError(f"{path} is no run folder: it has no readable config.json.")
    given = {k: config[k] for k in (*base().to_dict(), "plugins") if k in config}
    with jax.enable_x64(True) if given["run"]["dtype"] == "float64" else contextlib.nullcontext():
        exp = prepare(given)
        if canonical(exp.config["stages"]) != canonical(config.get("stages")):
            raise ConfigError(f"{path}: its stages differ from those that this version makes of its config; restore it "
                              "with the version that trained it (env.json).")
        trainer = Trainer(exp, [int(config["seed"])], Given(exp), None, Silent())
        trainer.seeds = trainer.asked
        trainer.open_for_measuring()
        saves = Saves(exp, {trainer.asked[0]: folder}, trainer._like, read_only=True)
        try:
            found = saves.newest()
        finally:
            saves.close()
        if found is None:
            raise CheckpointError(f"{path} has no checkpoint yet.")
        step, stage, states, _, _ = found
        state = trainer.evaluated(next(iter(states.values())))
        kept = saves.best[trainer.asked[0]][1] if saves.best else state
        kept = kept if isinstance(kept, dict) else {"params": kept.params, "model_state": kept.model_state}
        return Restored(exp, network_of(exp, stage), kept["params"], kept["model_state"], step)
