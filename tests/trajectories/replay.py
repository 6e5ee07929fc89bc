"""Replays a golden run with the trainer and compares everything that it states."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from ltjax import registry
from ltjax.train.experiment import Experiment
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare
from ltjax.train.state import flat
from ltjax.train.step import group_factors

from . import one_stage, parts, rules, two_stages  # noqa: F401 (they register parts and adapters)
from .cases import Case, library_path, overlays
from .recipes import ADAPTERS, Recipe, with_head

NETWORKS = {"mlp_bn": "trajectory_mlp_bn", "cnn_bn": "trajectory_cnn_bn"}
TOLERANCE = 1e-8


def config_of(case: Case, recipe: Recipe, **run) -> dict[str, Any]:
    """The config of a case: its data, network, method, and for each stage its optimiser; `run` are options of `run`."""
    spec = with_head(case, recipe.method)
    part, options = registry.bind("method", spec, "config.method")
    names = [stage.name for stage in part.fn(**options).stages]
    assert len(names) == len(case.stages), f"{case.id}: {names} for {len(case.stages)} stages"
    rows = {name: tuple(case.inputs[name]) for name in ("train_index", "test_index")}
    return {
        "seed": 0,
        "data": {"name": "digits_rows", **rows},
        "model": {"name": NETWORKS[case.inputs["network"]]},
        "method": spec,
        "optim": {
            "epochs": sum(len(case.epoch_steps(s)) for s in case.stages), "batch": case.inputs["batch"],
            "stages": {name: rules.optim(case, s) for name, s in zip(names, case.stages)},
        },
        "run": {"root": "", "dtype": "float64", "devices": 1, "log_every": 1, **run},
    }


def given(case: Case, recipe: Recipe) -> dict[str, Any]:
    """What the trainer is handed in place of its own draws."""
    return {"init": overlays(case), "plan": case.plan, "other": recipe.other, "draws": recipe.draws,
            "steps_per_epoch": [case.epoch_steps(s) for s in case.stages]}


def replay(case: Case, progress=None, **run):
    """The result of a case under some options of `run`."""
    recipe = ADAPTERS[case.key](case)
    return fit(config_of(case, recipe, **run), **given(case, recipe), progress=progress)


@functools.lru_cache(maxsize=64)
def replayed(case: Case):
    """The result of a case in float64 on one device, trained once."""
    return replay(case)


def setting_differences(case: Case) -> list[str]:
    """Heads, learning rates and class weights that are not those of the case; nothing is trained."""
    recipe = ADAPTERS[case.key](case)
    exp = prepare(config_of(case, recipe), steps_per_epoch=given(case, recipe)["steps_per_epoch"])
    found = [] if exp.stats.counts.tolist() == case.inputs["class_counts"] else [f"class counts {exp.stats.counts}"]
    if not case.head.items() <= exp.stages[0].head.items():
        found.append(f"head {exp.stages[0].head}, not {case.head}")
    for ready, stage in zip(exp.stages, case.stages):
        found += _rate_differences(ready, rules.rates(case, stage))
        found += _objective_differences(case, ready, stage)
        found += _trained_differences(exp, ready, stage)
    return found


def _rate_differences(ready, wanted) -> list[str]:
    """A rate may be 0 at the end of a cosine, and is then compared with the largest."""
    groups = wanted if isinstance(wanted, dict) else {"": wanted}
    found = []
    for names, want in groups.items():
        factor = _factor(ready, names)
        worst = np.abs(factor * ready.rates - want).max() if len(want) == ready.steps else np.inf
        if not worst <= 1e-9 * max(want):
            found.append(f"stage {ready.name!r}: learning rates {names} differ by up to {worst:g}")
    return found


def _factor(ready, names: str) -> float:
    """The factor of the rate that the stage's groups give to all tensors named (`a, b`)."""
    paths = [library_path(n.strip()) for n in names.split(",") if n.strip()]
    factors = set(group_factors(ready.optim["groups"], dict.fromkeys(paths, 0)).values()) or {1.0}
    assert len(factors) == 1, f"{names} have several rates: {factors}"
    return factors.pop()


def _objective_differences(case: Case, ready, stage) -> list[str]:
    """Loss, class weights and normaliser of the entries that are active in each stretch of a stage."""
    found = []
    for first, objective in case.segments(stage):
        active = [e for e in ready.entries if e.after <= first < e.until]
        name = rules.LOSSES[objective["loss"]][0]
        where = f"stage {ready.name!r} from step {first}"
        if [e.part.name for e in active] != [name]:
            found.append(f"{where}: {[e.part.name for e in active]} instead of {name}")
            continue
        entry, want = active[0], objective.get("class_weights")
        have = entry.table if entry.table is not None and entry.weights_after <= first else None
        if (want is None) != (have is None):
            found.append(f"{where}: class weights {have}, not {want}")
        elif want is not None and not np.allclose(have, want, rtol=1e-9, atol=0):
            found.append(f"{where}: class weights are off by up to {np.abs(have / want - 1).max():g}")
        if want is not None and objective["normaliser"] != entry.normaliser:
            found.append(f"{where}: divides by {entry.normaliser}, not by {objective['normaliser']}")
    return found


def _trained_differences(exp: Experiment, ready, stage) -> list[str]:
    if stage["train"] == "all":
        return [] if ready.train == ".*" else [f"stage {ready.name!r} trains only {ready.train}"]
    missing = [n for n in stage["train"] if not re.fullmatch(ready.train, library_path(n))]
    return [f"stage {ready.name!r} does not train {missing}"] if missing else []


def differences(case: Case, result) -> list[str]:
    """Everything of `expected` that the result does not agree with, one line each."""
    recipe = ADAPTERS[case.key](case)
    want = {k: v for k, v in case.expected.items() if k not in recipe.skip}
    want |= want.pop("mixed_only", {})
    steps = [row for row in result.history if row["kind"] == "train"]
    found = _numbers("loss", want["loss"], [row["loss"] for row in steps])
    if "grad_norm" in want:
        pick = [int(step) for step in want["grad_norm"]]
        found += _numbers("grad_norm", list(want["grad_norm"].values()), [steps[s]["grad_norm"] for s in pick])
    for name, metric in ((n, m) for n, m in recipe.metrics.items() if n in want):
        found += _numbers(name, want[name], [row[metric] for row in steps[: len(want[name])]])
    found += _sizes("params", want["params"], flat(result.params))
    found += _sizes("batch_stats", want["batch_stats"], flat(result.model_state["batch_stats"]))
    found += _outputs(case, want, result)
    known = {"loss", "grad_norm", "params", "batch_stats", "eval_logits", "correct", "seen", "state", "unbiased"}
    left = set(want) - known - set(recipe.metrics)
    found += [f"{name}: nothing compares it" for name in sorted(left)]
    return found + _states(want.get("state", {}), recipe.state(result) if recipe.state else {})


def _numbers(name: str, want, have, scale: float | None = None) -> list[str]:
    """Relative to each number, or to one scale for all of them."""
    want, have = np.asarray(want, np.float64), np.asarray(have, np.float64)
    if want.shape != have.shape:
        return [f"{name}: shape {have.shape}, expected {want.shape}"]
    error = np.abs(have - want) / (np.abs(want) if scale is None else scale)
    if (error <= TOLERANCE).all():
        return []
    first = np.argmax(~(error.ravel() <= TOLERANCE))
    return [f"{name}: {np.sum(~(error <= TOLERANCE))} of {want.size} differ, by up to {np.nanmax(error):.2g}; first "
            f"number {first}: {have.ravel()[first]!r} for {want.ravel()[first]!r}"]


def _sizes(what: str, want: dict[str, list[float]], tensors: dict[str, Any]) -> list[str]:
    """[sum, norm] of every tensor, the sum relative to the norm."""
    found = []
    for name, (total, norm) in want.items():
        value = np.asarray(tensors[library_path(name)], np.float64)
        found += _numbers(f"{what} {name} [sum, norm]", [total, norm], [value.sum(), np.linalg.norm(value)], scale=norm)
    return found


def _outputs(case: Case, want, result) -> list[str]:
    logits, labels = result.outputs["test_logits"], result.outputs["test_label"]
    expected = np.asarray(want["eval_logits"])
    found = _numbers("eval_logits", expected, logits[: len(expected)], scale=np.abs(expected).max())
    classes = len(case.inputs["class_counts"])
    hits = logits[:, :classes].argmax(-1) == labels
    for name, have in (("correct", np.bincount(labels[hits], minlength=classes)),
                       ("seen", np.bincount(labels, minlength=classes))):
        if have.tolist() != want[name]:
            found.append(f"{name}: {have.tolist()}, expected {want[name]}")
    return found


def _states(want: dict[str, Any], have: dict[str, Any]) -> list[str]:
    """Final states; of what is told after each epoch, the last."""
    found = []
    for name, value in want.items():
        last = value[-1] if name.endswith("_after_each_epoch") else value
        found += _numbers(f"state {name}", last, have[name]) if name in have else [f"state {name}: nothing compares it"]
    return found
