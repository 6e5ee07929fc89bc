"""From the words of a golden run to options of the library: schedules, optimisers, class weights, losses."""

from __future__ import annotations

import re
from typing import Any

from .cases import Case

NUMBER = r"[0-9.]+(?:e-?[0-9]+)?"


def optim(case: Case, stage: dict[str, Any]) -> dict[str, Any]:
    """The optimiser options of one stage."""
    given = stage["optimizer"]
    assert given["name"] == "sgd"
    kernels_only = given["decay_on"].startswith("kernels only")
    assert kernels_only or given["decay_on"] == "all trainable parameters"
    return {
        "momentum": given["momentum"], "nesterov": given["nesterov"], "weight_decay": given["weight_decay"],
        "decay": ".*kernel" if kernels_only else ".*", "accumulate": stage.get("accumulate", 1),
        "clip": stage.get("clip_global_norm", 0.0),
        **schedule(stage["lr_rule"], given["base_lr"], len(case.epoch_steps(stage)), case.steps_of(stage)),
    }


def schedule(rule: str, base: float, epochs: int, steps: int) -> dict[str, Any]:
    """`lr`, `schedule` and where two groups differ `groups`, from the rule's formula."""
    per_step = rule.startswith("per optimiser step")
    ahead = 1 if re.search(r"\bt = e\+1", rule) else 0
    total = steps if per_step else epochs
    if "cos(" in rule:
        lr, options = _cosine(rule, base, total)
    else:
        lr, options = base, _drops(rule, total)
    out: dict[str, Any] = {"lr": lr, "schedule": {**options, "ahead": ahead, "per": "step" if per_step else "epoch"}}
    if found := re.search(rf"for the scales, ({NUMBER})\*r for kernel and bias", rule):
        out["groups"] = (("head/(kernel|bias)", float(found[1])),)
    return out


def _cosine(rule: str, base: float, total: int) -> tuple[float, dict[str, Any]]:
    """factors * (1 + cos(pi t / T)) with or without / 2, over the epochs or steps after the warm-up."""
    found = re.search(rf"((?:(?:base|{NUMBER})\*)+)(?=\(1\+cos\()", rule)
    assert found, rule
    lr = 1.0 if rule[_closing(rule, found.end()) + 1:].startswith("/2") else 2.0
    for factor in found[1].strip("*").split("*"):
        lr *= base if factor == "base" else float(factor)
    options: dict[str, Any] = {"name": "cosine"}
    if peak := re.search(rf"if t < ([0-9]+): base \+ \(({NUMBER})-base\)/([0-9]+)\*\(t-1\)", rule):
        options |= {"warmup": int(peak[1]) / total, "ramp": "peak", "start": base / float(peak[2])}
    elif linear := re.search(r"base\*\(([es])\+1\)/([0-9]+) if \1 < \2\b", rule):
        options |= {"warmup": int(linear[2]) / total}
    return lr, options


def _closing(text: str, at: int) -> int:
    """Where the bracket closes that opens at `at`."""
    depth = 0
    for i, letter in enumerate(text[at:], start=at):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return i
    raise ValueError(f"a bracket stays open in {text!r}")


def _drops(rule: str, total: int) -> dict[str, Any]:
    """A warm-up, and factors of the base rate from given epochs on."""
    if late := re.search(r"^while e < ([0-9]+): (.*); from e = \1 on: (.*)$", rule):
        start = int(late[1])
        before = {e: f for e, f in _falls(late[2]).items() if e < start}
        own = re.search(rf"else base\*({NUMBER})$", late[3])
        after = _falls(late[3].rpartition(", else")[0])
        passed = {0: float(own[1]) if own else 1.0, **{e: f for e, f in after.items() if e <= start}}
        falls = {**before, start: passed[max(passed)], **{e: f for e, f in after.items() if e > start}}
        rule = late[2]
    else:
        falls = _falls(rule)
    at = sorted(falls)
    options: dict[str, Any] = {"name": "steps", "at": tuple(e / total for e in at),
                               "factors": tuple(falls[e] for e in at)}
    if linear := re.search(r"base\*n/([0-9]+) if n <= \1\b", rule):
        options |= {"warmup": int(linear[1]) / total}
    elif third := re.search(r"base\*\(1/([0-9]+)\*\(1-t/([0-9]+)\)\+t/\2 if t < \2 else 1\)", rule):
        options |= {"warmup": int(third[2]) / total, "start": 1 / int(third[1])}
    elif linear := re.search(r"base\*\(e\+1\)/([0-9]+) if e < \1\b", rule):
        options |= {"warmup": int(linear[1]) / total}
    return options


def _falls(rule: str) -> dict[int, float]:
    """Epoch (or epoch + 1, as the rule counts) -> factor from there on."""
    if found := re.search(rf"base.*\*({NUMBER})\^\(number of \[([0-9, ]*)\] that are <= [et]\)", rule):
        epochs = sorted(int(e) for e in found[2].split(",") if e.strip())
        return {e: float(found[1]) ** k for k, e in enumerate(epochs, start=1)}
    return {int(e): float(f) for f, e in re.findall(rf"base\*({NUMBER}) if n > ([0-9]+)", rule)}


def rates(case: Case, stage: dict[str, Any]) -> list[float] | dict[str, list[float]]:
    """The rate of every step that the case states; a dict for groups of tensors that differ."""
    def spread(lr):
        return [v for value, count in lr for v in [value] * count] if isinstance(lr[0], list) else lr

    given = stage["lr"]
    return {name: spread(lr) for name, lr in given.items()} if isinstance(given, dict) else spread(given)


def weights(objective: dict[str, Any]) -> dict[str, Any] | None:
    """The library's class weights for an objective's rule."""
    rule = objective.get("weights_rule")
    if rule is None:
        assert "class_weights" not in objective, objective
        return None
    if found := re.search(rf"^effective_number beta ({NUMBER}), rescaled to sum C$", rule):
        return {"name": "effective_number", "beta": float(found[1])}
    if found := re.search(rf"^pi\^-rho rescaled to sum C, rho ({NUMBER})$", rule):
        return {"name": "grw", "rho": float(found[1])}
    if rule == "1/n rescaled to sum C":
        return {"name": "inverse"}
    raise ValueError(f"weights_rule {rule!r} is not understood")


LOSSES = {
    "cross_entropy": ("ce", {}),
    "focal": ("focal", {"gamma": "gamma"}),
    "ldam": ("ldam", {"max_m": "max_margin", "scale": "scale"}),
    "balanced_softmax": ("balanced_softmax", {}),
    "logit_adjusted_loss": ("logit_adjusted", {"tau": "tau", "eps": "epsilon"}),
    "vs_loss": ("vs", {"gamma": "gamma", "tau": "tau"}),
    "lade": ("lade", {"alpha": "alpha", "remine_lambda": "remine"}),
    "seesaw": ("seesaw", {"p": "mitigation", "q": "compensation", "eps": "epsilon"}),
    "equalization_v2": ("equalization_v2", {"gamma": "gamma", "mu": "mu", "alpha": "alpha"}),
    "influence_balanced": ("influence_balanced", {"alpha": "alpha", "eps": "epsilon", "gamma": "gamma",
                                                  "detach_weight": "detach"}),
    "label_aware_smoothing": ("label_aware_smoothing", {"shape": "shape", "smooth_head": "smooth_head",
                                                        "smooth_tail": "smooth_tail", "power": "power"}),
    "gcl": ("gcl", {"m": "margin", "scale": "scale", "noise_mul": "noise_scale", "focal_gamma": "gamma"}),
    "cb_softmax_bce_port": ("cb_softmax_bce_port", {"beta": "beta"}),
}
"""Loss of an objective -> the library's name, and option of the objective -> the library's option."""

ELSEWHERE = {"loss", "class_weights", "weights_rule", "normaliser", "mixer", "kappa"}
"""Fields of an objective that say something else than the loss."""


def loss(objective: dict[str, Any]) -> dict[str, Any]:
    """The library's spec of an objective's loss; a field without a counterpart is an error."""
    name, options = LOSSES[objective["loss"]]
    fields = set(objective) - ELSEWHERE - ({"tau"} if "kappa" in objective else set())
    unknown = fields - set(options)
    assert not unknown, f"objective {objective['loss']!r} has fields without a counterpart: {sorted(unknown)}"
    return {"name": name, **{options[f]: objective[f] for f in sorted(fields)}}
