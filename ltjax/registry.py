"""Names to parts: registration, discovery, did-you-mean, option checks; no import path, eval or pickle."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

PACKAGES = {
    "data": "ltjax.data",
    "model": "ltjax.models",
    "head": "ltjax.heads",
    "method": "ltjax.methods",
    "loss": "ltjax.losses",
    "term": "ltjax.terms",
    "weights": "ltjax.weights",
    "sampler": "ltjax.samplers",
    "mixer": "ltjax.mixers",
    "augment": "ltjax.augment",
    "schedule": "ltjax.optim",
    "optimizer": "ltjax.optim",
    "project": "ltjax.optim",
    "gradient": "ltjax.optim",
    "learner": "ltjax.optim",
    "posthoc": "ltjax.posthoc",
}
"""Kind of part -> the package whose modules are imported to find its parts."""


class ConfigError(ValueError):
    """A bad value of the user's, told in one sentence: where, what was given, what is accepted, the fix."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'? ` or nothing, to stand before the list of what is known."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}? " if close else ""


@dataclass(frozen=True)
class Part:
    """A registered function with what a user wants to know about it."""

    kind: str
    name: str
    fn: Callable
    cite: str = ""
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    choices: Mapping[str, tuple] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.fn) or "").strip().split("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """Keyword-only parameters with a default, in order: what a config may set."""
        parameters = inspect.signature(self.fn).parameters.values()
        return {p.name: p.default for p in parameters
                if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}

    @property
    def supplied(self) -> set[str]:
        """Keyword-only parameters without a default: what the library hands in (`stats`, `key`, ...)."""
        parameters = inspect.signature(self.fn).parameters.values()
        return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}


    @property
    def own_source(self) -> str | None:
        """Hash of the source of a part that does not come with the library, whose name does not tell what it does."""
        if self.fn.__module__.split(".")[0] == "ltjax":
            return None
        try:
            text = inspect.getsource(self.fn)
        except (OSError, TypeError):
            text = repr((self.fn.__code__.co_code, self.fn.__code__.co_consts, self.fn.__code__.co_names))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_parts: dict[tuple[str, str], Part] = {}
_discovered: set[str] = set()


def register(kind: str, name: str, *, cite: str = "", bounds: Mapping | None = None,
             choices: Mapping | None = None, **meta):
    """Registers a function as part `name` of `kind`.

    Args:
      cite: where it comes from, for `ltjax list`.
      bounds: option -> (lowest, highest) accepted value, both included.
      choices: option -> tuple of accepted values.
      meta: what else the kind declares, e.g. `test_logits="balanced"` of a loss.
    """
    if kind not in PACKAGES:
        raise ConfigError(f"register(kind={kind!r}): {nearest(kind, PACKAGES)}Known kinds: {', '.join(PACKAGES)}.")

    def add(fn):
        old = _parts.get((kind, name))
        again = old is not None and old.fn.__module__ == fn.__module__ == "__main__"  # a notebook's cell, run anew
        if old is not None and not again and _source(old.fn) != _source(fn):
            raise ConfigError(
                f"{kind} {name!r} is registered twice: in {_source(old.fn)} and in {_source(fn)}. Rename one of them."
            )
        _parts[kind, name] = Part(kind, name, fn, cite, dict(bounds or {}), dict(choices or {}),
                                  MappingProxyType(meta))
        return fn

    return add


def _source(fn) -> str:
    return inspect.unwrap(fn).__code__.co_filename if hasattr(fn, "__code__") else inspect.getfile(fn)


def discover(kind: str) -> None:
    """Imports every module of the kind's package once: a new file is found, nothing else is edited."""
    package = PACKAGES[kind]
    if package in _discovered:
        return
    _discovered.add(package)
    module = importlib.import_module(package)
    for found in pkgutil.iter_modules(module.__path__):
        importlib.import_module(f"{package}.{found.name}")


def names(kind: str) -> list[str]:
    """All registered names of a kind, sorted."""
    discover(kind)
    return sorted(n for k, n in _parts if k == kind)


def get(kind: str, name: str, where: str = "config") -> Part:
    """The part, or one sentence that names the nearest."""
    known = names(kind)
    if (kind, name) not in _parts:
        raise ConfigError(f"{where}.name={name!r} is not a registered {kind}. {nearest(name, known)}"
                          f"Known: {', '.join(known)}.")
    return _parts[kind, name]


def resolve(kind: str, spec: Any, where: str = "config") -> dict[str, Any]:
    """`dict(name=..., option=...)` or a bare name -> the same dict with every option, checked and defaulted."""
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ConfigError(f"{where}={spec!r} must be a name or a dict with 'name', such as "
                          f"dict(name={names(kind)[0]!r}).")
    part = get(kind, spec["name"], where)
    given = {k: v for k, v in spec.items() if k != "name"}
    options = part.options
    for option, value in given.items():
        if option not in options:
            raise ConfigError(f"{where}.{option}: {kind} {part.name!r} has no option {option!r}. "
                              f"{nearest(option, options)}Options: {options or 'none'}.")
        given[option] = check_type(f"{where}.{option}", value, options[option])
        _check_value(part, f"{where}.{option}", option, given[option])
    return {"name": part.name, **options, **given}


def bind(kind: str, spec: Any, where: str = "config") -> tuple[Part, dict[str, Any]]:
    """The part and its checked options (those with the supplied arguments still to come)."""
    resolved = resolve(kind, spec, where)
    name = resolved.pop("name")
    return get(kind, name, where), resolved


def check_type(where: str, value: Any, default: Any) -> Any:
    """`value` in the type of `default` (int -> float and list -> tuple are converted), or one sentence."""
    if default is None or (value is None and not isinstance(default, bool | int | float | str)):
        return value
    if isinstance(default, bool):
        ok, want = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        ok, want = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(default, float):
        ok, want = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        value = float(value) if ok else value
        ok = ok and not math.isnan(value)
    elif isinstance(default, str):
        ok = isinstance(value, str) or (isinstance(value, Mapping) and "name" in value)
        want = "text"
    elif isinstance(default, list | tuple):
        ok, want = isinstance(value, list | tuple), "a list"
        value = tuple(value) if ok else value
    elif isinstance(default, Mapping):
        ok, want = isinstance(value, Mapping | str), "a dict with 'name'"
    else:
        return value
    if not ok:
        raise ConfigError(f"{where}={value!r} must be {want} (default {default!r}).")
    return value


def _check_value(part: Part, where: str, option: str, value: Any) -> None:
    if option in part.bounds and value is not None:
        low, high = part.bounds[option]
        for v in value if isinstance(value, tuple | list) else (value,):
            if not low <= v <= high:
                raise ConfigError(f"{where}={value!r} is out of range: {part.kind} {part.name!r} accepts "
                                  f"{low:g} to {high:g}.")
    if option in part.choices and value not in part.choices[option]:
        allowed = part.choices[option]
        raise ConfigError(f"{where}={value!r} is not accepted. {nearest(value, map(str, allowed))}"
                          f"Accepted: {', '.join(map(str, allowed))}.")
