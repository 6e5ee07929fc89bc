"""The state of a run as one pytree, and parameters by path."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct, traverse_util

from ltjax.registry import ConfigError


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


def carry_over(fresh, old, reset: str | None):
    """Parameters at a stage's start: old values where path and shape agree, fresh ones elsewhere and in `reset`."""
    new, before = flat(fresh), flat(old)
    keep = {k: before[k] for k, v in new.items()
            if k in before and before[k].shape == v.shape and not (reset and re.fullmatch(reset, k))}
    return nested({**new, **keep})


def overlay(params, given: dict[str, Any] | None, where: str):
    """Parameters with some tensors replaced by given ones; names, shapes and finiteness are checked."""
    if not given:
        return params
    paths = flat(params)
    for name, value in flat(given).items():
        if name not in paths:
            raise ConfigError(f"{where}: {name!r} is no parameter here. Parameters: {', '.join(sorted(paths))}.")
        if np.shape(value) != tuple(paths[name].shape):
            raise ConfigError(f"{where}: {name!r} has shape {np.shape(value)}, "
                              f"expected {tuple(paths[name].shape)}.")
        paths[name] = jnp.array(value, paths[name].dtype)  # a copy: the state's own tensors are donated
        if not bool(jnp.isfinite(paths[name]).all()):
            raise ConfigError(f"{where}: {name!r} holds values that are not finite.")
    return nested(paths)
