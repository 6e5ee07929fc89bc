"""What a run is called and what its config.json says: the resolved config as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ltjax import registry
from ltjax.train.experiment import ReadyEntry


def label(method: dict[str, Any]) -> str:
    """`erm` with another loss is told by the loss; other options away from their defaults follow in brackets."""
    defaults = registry.get("method", method["name"]).options
    changed = {k: v for k, v in method.items() if k != "name" and v != defaults[k]}
    loss = changed.pop("loss", None)
    name = method["name"] if loss is None else (loss["name"] if isinstance(loss, Mapping) else loss)
    if loss is not None and method["name"] != "erm":
        name = f"{method['name']}-{name}"
    if isinstance(loss, Mapping):
        changed |= {k: v for k, v in loss.items() if k != "name"}
    return name + (f" ({', '.join(f'{k}={v}' for k, v in sorted(changed.items()))})" if changed else "")


def record(config, augment, stages, posthoc) -> dict[str, Any]:
    """The resolved config as plain JSON data, with what every stage will do and hashes of parts of the user's own."""
    sources: dict[str, str] = {}

    def note(part: registry.Part) -> str:
        if part.own_source:
            sources[f"{part.kind} {part.name}"] = part.own_source
        return part.name

    def tell(value):
        if isinstance(value, registry.Part):
            return note(value)
        if isinstance(value, np.ndarray):
            return hashlib.sha256(value.tobytes()).hexdigest() if value.size > 4096 else value.tolist()
        if isinstance(value, ReadyEntry):
            return {f.name: tell(getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, Mapping):
            return {k: tell(v) for k, v in value.items()}
        if isinstance(value, tuple | list):
            return [tell(v) for v in value]
        return value

    told = [{f.name: tell(getattr(s, f.name)) for f in fields(s) if f.name != "rates"} for s in stages]
    rules = [{"name": part.name, **tell(options)} for part, options in posthoc]
    named = [(kind, config[kind]) for kind in ("data", "model", "method")]
    named += [(kind, spec) for s in stages for kind, spec in (("head", s.head), ("sampler", s.sampler),
                                                             ("sampler", s.other)) if spec]
    for kind, spec in named:
        note(registry.get(kind, spec["name"]))
    data = {**config["data"], "augment": listed(augment)}
    return tell({**config, "data": data, "stages": told, "posthoc": rules, "sources": sources})


def listed(specs) -> tuple:
    """One spec or several as a tuple."""
    return (specs,) if isinstance(specs, str | Mapping) else tuple(specs or ())
