"""Options of the fixed sections of a config: the library's values, ranges and choices, and their checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ltjax.registry import ConfigError, check_type, nearest

LIBRARY: dict[str, dict[str, Any]] = {
    "optim": dict(
        epochs=100, batch=128, name="sgd", lr=0.1, momentum=0.9, nesterov=False, weight_decay=2e-4, decay=".*",
        groups=(), accumulate=1, clip=0.0, schedule={"name": "steps", "warmup": 0.025}, ema=0.0,
        stages={},
    ),
    "eval": dict(
        every_epochs=1, batch=512, groups=(100, 20), bins=15, shifts=(), select="last", posthoc=(), force=False,
        save_outputs=True, network="current",
    ),
    "run": dict(
        root="runs", log_every=0, chunk_steps=0, checkpoint_minutes=5.0, checkpoint_epochs=0, keep=2,
        on_nonfinite="stop", dtype="float32", vmap_seeds=1, devices=0, deterministic=False,
    ),
}
"""Every option of the fixed sections with the library's value, which also tells its type."""

METHOD_HABITS = tuple(k for k in LIBRARY["optim"] if k not in ("epochs", "batch", "stages"))
"""Options of `optim` that a method may set (None leaves them to it); `optim.stages` sets them per stage, above all."""

BOUNDS = {
    "optim.epochs": (1, 10**6), "optim.batch": (1, 2**20), "optim.lr": (0, 1e6), "optim.momentum": (0, 1),
    "optim.weight_decay": (0, 1e6), "optim.accumulate": (1, 10**4), "optim.clip": (0, 1e12), "optim.ema": (0, 1),
    "eval.every_epochs": (0, 10**6), "eval.batch": (1, 2**20), "eval.bins": (1, 1000), "run.log_every": (0, 10**9),
    "run.chunk_steps": (0, 10**6), "run.checkpoint_minutes": (0, 1e6), "run.checkpoint_epochs": (0, 10**6),
    "run.keep": (1, 10**4), "run.vmap_seeds": (1, 1024), "run.devices": (0, 10**6), "seed": (0, 2**31 - 1),
}
CHOICES = {
    "run.on_nonfinite": ("stop", "skip"), "run.dtype": ("float32", "float64"), "eval.select": ("last", "best_val"),
    "eval.network": ("current", "ema"),
}


def check_fixed(config: dict[str, Any]) -> None:
    """Types, ranges and choices of seed, optim, eval and run; converts ints to floats and lists to tuples."""
    config["seed"] = _checked("seed", config["seed"], 0)
    for section, library in LIBRARY.items():
        for key, default in library.items():
            value, where = config[section][key], f"{section}.{key}"
            if not (section == "optim" and key in METHOD_HABITS and value is None):
                config[section][key] = _checked(where, value, default)
    bad = [s for s in config["eval"]["shifts"] if isinstance(s, str | bool) or not 1 <= abs(s) < math.inf]
    if bad:
        raise ConfigError(f"config.eval.shifts has {bad[0]!r}; a shift is an imbalance ratio of at least 1, negative "
                          "for the reverse of the training set, such as (50, 1, -50).")
    config["optim"]["stages"] = {name: _one_stage(f"optim.stages.{name}", options)
                                 for name, options in config["optim"]["stages"].items()}
    many, few = _pair("eval.groups", config["eval"]["groups"])
    if not many >= few > 0:
        raise ConfigError(f"config.eval.groups=({many}, {few}) must be (many above, few below) with many >= few > 0, "
                          "such as (100, 20).")


def _one_stage(where: str, given: Any) -> dict[str, Any]:
    """The options that `optim.stages` gives one stage, each checked as its namesake in `optim`."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"config.{where}={given!r} must be a dict of options of optim, such as dict(lr=0.05).")
    for key in given:
        if key not in METHOD_HABITS:
            raise ConfigError(f"config.{where}.{key} is unknown. {nearest(key, METHOD_HABITS)}"
                              f"Options of a stage: {', '.join(METHOD_HABITS)}.")
    return {key: _checked(f"{where}.{key}", value, LIBRARY["optim"][key], like=f"optim.{key}")
            for key, value in given.items() if value is not None}


def _checked(where: str, value: Any, default: Any, like: str | None = None) -> Any:
    """`value` in the type, the range and the choices of the option `like` (the option itself unless given)."""
    if where == "eval.posthoc" and isinstance(value, str | Mapping):
        value = (value,)
    value, like = check_type(f"config.{where}", value, default), like or where
    if like in BOUNDS:
        low, high = BOUNDS[like]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"config.{where}={value!r} is out of range: {low:g} to {high:g} is accepted.")
    if like == "optim.groups":
        for pair in value:
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
                    and isinstance(pair[1], int | float)):
                raise ConfigError(f"config.{where}={value!r} must be pairs of a regular expression and a factor of the "
                                  "rate, such as (('head/.*', 10.0),).")
    if like in CHOICES and value not in CHOICES[like]:
        raise ConfigError(f"config.{where}={value!r} is not accepted. {nearest(value, CHOICES[like])}"
                          f"Accepted: {', '.join(CHOICES[like])}.")
    return value


def _pair(where: str, value: Any) -> tuple:
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(isinstance(v, int | float) for v in value):
        raise ConfigError(f"config.{where}={value!r} must be two numbers.")
    return tuple(value)
