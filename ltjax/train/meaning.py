"""What the logits of a run mean at test time: the guard against adjusting for the class prior twice."""

from __future__ import annotations

import numpy as np

from ltjax import registry
from ltjax.registry import ConfigError
from ltjax.samplers.base import Draw
from ltjax.train.experiment import ReadyStage, shares_to_steps
from ltjax.types import ClassStats


def meaning_of(stage: ReadyStage, stats: ClassStats, labels, config) -> str:
    """What the last stage's logits mean at test time, from its active losses, weights and sampler together."""
    last = stage.steps - 1
    active = [e for e in stage.entries if e.after <= last < e.until]
    if not active:
        raise ConfigError(f"stage {stage.name!r}: no entry of the objective is active at its last step.")
    told = [e.part.meta["test_logits"] for e in active if "test_logits" in e.part.meta]  # others do not shape logits
    meaning = told[0] if told and len(set(told)) == 1 else "neither"
    drawn, prior = probabilities(stage, stats, labels, config, last), np.bincount(labels, minlength=stats.classes)
    for entry in active:
        if entry.table is not None and entry.weights_after <= last:
            drawn = drawn * entry.table / (drawn * entry.table).sum()
    natural, uniform = (np.allclose(drawn, target, rtol=1e-6) for target in (prior / prior.sum(), 1 / stats.classes))
    if meaning == "neither" or natural:
        return meaning
    return "balanced" if meaning == "train_posterior" and uniform else "neither"


def probabilities(stage, stats, labels, config, step):
    """The class of one draw of the stage's sampler at a step."""
    part, options = registry.bind("sampler", stage.sampler)
    draw = Draw(np.asarray(labels), stats.classes, config["optim"]["batch"], 0, 0, stage.steps, max(stage.epoch_steps))
    return np.asarray(part.fn(draw, **shares_to_steps(options, stage.steps)).probabilities(step))
