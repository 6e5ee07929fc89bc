"""Packages of parts as namespaces: `ltjax.losses.ldam` is the registered function, whatever was imported."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from ltjax import registry


class Namespace(ModuleType):
    """A package that offers its registered parts as attributes.

    Importing `losses/ldam.py` makes Python bind that module to `losses.ldam`; the registered function of
    the same name goes first. Arguments that the library supplies beside `stats` (a row's weight, a key)
    may be left out in a direct call and then arrive as None.
    """

    _part_kind: str

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if isinstance(value, ModuleType) and name in registry.names(super().__getattribute__("_part_kind")):
            return self.__getattr__(name)
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = registry.names(self._part_kind)
        if name not in known:
            raise AttributeError(f"{self.__name__} has no {self._part_kind} {name!r}. "
                                 f"{registry.nearest(name, known)}Known: {', '.join(known)}.")
        part = registry.get(self._part_kind, name)
        left_out = dict.fromkeys(part.supplied - {"stats"})
        if not left_out:
            return part.fn
        call = functools.partial(part.fn, **left_out)
        return functools.update_wrapper(call, part.fn)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *registry.names(self._part_kind)})


def offer(package: str, kind: str) -> None:
    """Turns an imported package into the namespace of the parts of `kind`."""
    module = sys.modules[package]
    vars(module)["_part_kind"] = kind
    module.__class__ = Namespace
