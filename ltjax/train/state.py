"""The state of a run as one pytree, and parameters by path."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct, traverse_util

from ltjax.registry import ConfigError, nearest


class TrainState(struct.PyTreeNode):
    """Everything that a step reads and writes; a checkpoint holds it whole.

    `step` counts inside the stage, `seed` is the run's key, `halted` is set by the guard against non-finite
    values; `project` holds the constants of the stage's projection, `learner` the parameters of its learned sampler.
    """

    step: jax.Array
    params: Any
    model_state: Any
    opt: Any
    terms: Any
    networks: Any
    project: Any
    learner: Any
    seed: jax.Array
    halted: jax.Array


def flat(tree) -> dict[str, Any]:
    """Nested dict -> {"a/b/c": tensor}."""
    return traverse_util.flatten_dict(tree, sep="/")


def nested(paths: dict[str, Any]):
    """{"a/b/c": tensor} -> nested dict."""
    return traverse_util.unflatten_dict(paths, sep="/")


def split(params, pattern: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters by path: those that match the regular expression as a whole, and the others."""
    paths = flat(params)
    chosen = {k: v for k, v in paths.items() if re.fullmatch(pattern, k)}
    return chosen, {k: v for k, v in paths.items() if k not in chosen}


def check_regex(where: str, pattern: str) -> None:
    """One sentence if a regular expression is malformed."""
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ConfigError(f"{where}={pattern!r} is no regular expression: {error}.") from None


def check_pattern(where: str, pattern: str, paths) -> None:
    """One sentence if a regular expression matches no parameter."""
    if not any(re.fullmatch(pattern, path) for path in paths):
        raise ConfigError(f"{where}={pattern!r} matches no parameter. Parameters: {', '.join(sorted(paths))}.")


def drawn_anew(fresh: dict[str, Any], before: dict[str, Any], reset: str | None) -> set[str]:
    """Paths that a stage starts anew: those without an old tensor of that path and shape, and those in `reset`."""
    return {k for k, v in fresh.items()
            if k not in before or before[k].shape != v.shape or (reset and re.fullmatch(reset, k))}


def carry_over(fresh, old, reset: str | None):
    """Parameters at a stage's start: old values where path and shape agree, fresh ones elsewhere and in `reset`."""
    new, before = flat(fresh), flat(old)
    anew = drawn_anew(new, before, reset)
    return nested({k: v if k in anew else before[k] for k, v in new.items()})


def check_tensors(given: dict[str, Any], paths: dict[str, Any], where: str) -> None:
    """One sentence for a given tensor that has no place, another shape, or is not made of finite numbers."""
    for name, value in given.items():
        if name not in paths:
            raise ConfigError(f"{where}: {name!r} is no parameter here. {nearest(name, paths)}"
                              f"Parameters: {', '.join(sorted(paths))}.")
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if not jnp.issubdtype(array.dtype, jnp.number):
            raise ConfigError(f"{where}: {name!r} must be an array of numbers.")
        if array.shape != tuple(paths[name].shape):
            raise ConfigError(f"{where}: {name!r} has shape {array.shape}, expected {tuple(paths[name].shape)}.")
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(paths[name].dtype)).all()
        if not finite:
            raise ConfigError(f"{where}: {name!r} holds values that are not finite.")


def overlay(params, given: dict[str, Any] | None, where: str):
    """Parameters with some tensors replaced by given ones, which are checked."""
    if not given:
        return params
    paths, named = flat(params), flat(given)
    check_tensors(named, paths, where)
    for name, value in named.items():
        paths[name] = jnp.array(value, paths[name].dtype)  # a copy: the state's own tensors are donated
    return nested(paths)
