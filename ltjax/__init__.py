"""Learning from long tails in JAX: `ltjax.fit`, `ltjax.losses`, `ltjax.load_run`; nothing heavy until it is used."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltjax.analysis import comparison, find_runs, load_run
    from ltjax.analysis.report import write_report
    from ltjax.config import load as load_config
    from ltjax.methods.base import Entry, Method, Stage
    from ltjax.registry import ConfigError, register
    from ltjax.train.loop import fit
    from ltjax.train.prepare import prepare
    from ltjax.train.result import Result
    from ltjax.types import ClassStats, Context, Sum

_HOMES = {
    "fit": "ltjax.train.loop:fit",
    "prepare": "ltjax.train.prepare:prepare",
    "Result": "ltjax.train.result:Result",
    "load_config": "ltjax.config:load",
    "load_run": "ltjax.analysis:load_run",
    "find_runs": "ltjax.analysis:find_runs",
    "comparison": "ltjax.analysis:comparison",
    "write_report": "ltjax.analysis.report:write_report",
    "register": "ltjax.registry:register",
    "ConfigError": "ltjax.registry:ConfigError",
    "Method": "ltjax.methods.base:Method",
    "Stage": "ltjax.methods.base:Stage",
    "Entry": "ltjax.methods.base:Entry",
    "ClassStats": "ltjax.types:ClassStats",
    "Context": "ltjax.types:Context",
    "Sum": "ltjax.types:Sum",
}
"""Public name -> the module and attribute it stands for."""

__all__ = [
    "ClassStats", "ConfigError", "Context", "Entry", "Method", "Result", "Stage", "Sum", "comparison", "find_runs",
    "fit", "load_config", "load_run", "prepare", "register", "write_report",
]


def _rooms() -> list[str]:
    """Modules and subpackages, which an attribute access imports."""
    return [found.name for found in pkgutil.iter_modules(__path__)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, _, attribute = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(module), attribute)
        globals()[name] = value
        return value
    if name in _rooms():
        return importlib.import_module(f"ltjax.{name}")
    if name == "__version__":
        from importlib import metadata

        return metadata.version("ltjax")
    raise AttributeError(f"module 'ltjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_rooms(), "__version__"})
