"""Configs: loading, `--set`, plugins, canonical JSON and the run's identity."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ml_collections import ConfigDict

from ltjax.options import LIBRARY, METHOD_HABITS, check_fixed
from ltjax.registry import ConfigError, check_type, nearest

__all__ = [
    "apply_set", "base", "canonical", "check_fixed", "config_folders", "find", "identity", "literal", "load",
    "load_plugin", "parse_arg", "plain", "shipped",
]

OPEN = ("data", "model", "method")
"""Sections whose options belong to the part they name; those of the others are fixed in `ltjax.options`."""

NOT_IDENTITY = {
    "run": ("root", "chunk_steps", "checkpoint_minutes", "checkpoint_epochs", "keep", "vmap_seeds", "devices"),
    "data": ("root", "verify"),
}
"""Options that cannot change a number of the run."""


def base() -> ConfigDict:
    """A config with the library's values; method habits are None, so that a method's own apply.

    >>> base().optim.epochs
    100
    """
    optim = {k: None if k in METHOD_HABITS else v for k, v in LIBRARY["optim"].items()}
    fixed = {"optim": optim, "eval": LIBRARY["eval"], "run": LIBRARY["run"]}
    return ConfigDict(dict(
        seed=0, data={"name": "digits_lt"}, model={"name": "mlp"}, method={"name": "erm"},
        **{section: ConfigDict(dict(values), convert_dict=False) for section, values in fixed.items()},
    ), convert_dict=False)


def parse_arg(arg: str | None, **known) -> SimpleNamespace:
    """`"ir=50,smoke"` -> a namespace with the typed defaults of `known`; an unknown argument raises.

    >>> parse_arg("ir=50,smoke", ir=100, smoke=False)
    namespace(ir=50, smoke=True)
    """
    values = dict(known)
    for item in filter(None, (arg or "").split(",")):
        name, has_value, text = item.strip().partition("=")
        if name not in known:
            raise ConfigError(f"config argument {name!r} is unknown. {nearest(name, known)}Known: {known}.")
        value = (text if isinstance(known[name], str) else literal(text)) if has_value else True
        values[name] = check_type(f"config argument {name}", value, known[name])
    return SimpleNamespace(**values)


def literal(text: str) -> Any:
    """A Python literal, true/false/none in any case, or the text itself; names are never looked up."""
    words = {"true": True, "false": False, "none": None}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def find(name: str) -> Path:
    """The file of a config given by path, or by the bare name of one that comes with the library."""
    path = Path(name)
    if path.suffix == ".py" or "/" in name:
        if path.is_file():
            return path
        raise ConfigError(f"--config {name}: there is no such file. {_shipped_hint(path.stem)}")
    for folder in config_folders():
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise ConfigError(f"--config {name}: not a file and not a config of the library. {_shipped_hint(name)}")


def config_folders() -> list[Path]:
    """Where the library's own configs lie: inside an installed wheel, or beside the package in a checkout."""
    here = Path(__file__).parent
    return [f for f in (here / "configs", here.parent / "configs") if f.is_dir()]


def shipped() -> list[str]:
    """Names of the configs that come with the library."""
    return sorted({p.stem for f in config_folders() for p in f.glob("*.py") if not p.stem.startswith("_")})


def _shipped_hint(name: str) -> str:
    return f"{nearest(name, shipped())}Configs of the library: {', '.join(shipped())}."


def load(spec: str, sets: Iterable[str] = ()) -> dict[str, Any]:
    """`path_or_name[:arg]` and `--set` lines -> a plain config dict (parts are checked by `ltjax.train.prepare`)."""
    name, _, arg = spec.partition(":")
    path = find(name)
    module = _execute(path, f"ltjax_config_{path.stem}")
    if not hasattr(module, "get_config"):
        raise ConfigError(f"{path} has no function get_config(arg). Start from one of: {', '.join(shipped())}.")
    try:
        config = module.get_config(arg or None)
    except ConfigError as error:
        raise ConfigError(f"--config {spec}: {error}") from None
    except Exception as error:
        raise ConfigError(_own_line(path, error)) from error
    config = plain(config)
    for line in sets:
        apply_set(config, line)
    return config


def load_plugin(path: str | Path) -> str:
    """Runs a user's file, which registers parts, and returns the hash of its source for the run's identity."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"--plugin {path}: there is no such file.")
    _execute(path, f"ltjax_plugin_{path.stem}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _execute(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(_own_line(path, error)) from error
    return module


def _own_line(path: Path, error: Exception) -> str:
    """The line of the user's file at which it raised, as the user wrote it."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).absolute() == path.absolute()]
    if isinstance(error, SyntaxError):
        place, code = f"line {error.lineno}", (error.text or "").strip()
    elif own:
        place, code = f"line {own[-1].lineno}", own[-1].line or ""
    else:
        place, code = "reading it", ""
    return f"{path}, {place}: {type(error).__name__}: {error}" + (f"\n    {code}" if code else "")


RESOLVED = ("stages", "posthoc", "sources", "handed", "identity", "label", "extended_from")
"""What a resolved config says beyond what a user gives: left out when it is given again."""


def plain(config: Any) -> dict[str, Any]:
    """A ConfigDict (or dict) as nested plain dicts, with every section there and no unknown one."""
    config = config.to_dict() if isinstance(config, ConfigDict) else dict(config)
    defaults = base().to_dict()
    unknown = [k for k in config if k not in (*defaults, "plugins", *RESOLVED)]
    if unknown:
        raise ConfigError(f"config.{unknown[0]} is unknown. {nearest(unknown[0], defaults)}"
                          f"Sections: {', '.join(defaults)}.")
    out: dict[str, Any] = {"seed": config.get("seed", 0), "plugins": dict(config.get("plugins", {}))}
    for section, known in defaults.items():
        if section == "seed":
            continue
        given = config.get(section, known)
        given = {"name": given} if isinstance(given, str) else given
        if not isinstance(given, Mapping):
            raise ConfigError(f"config.{section}={given!r} must be a dict.")
        out[section] = dict(given) if section in OPEN else _fixed(section, known, given)
    return out


def _fixed(section: str, known: Mapping, given: Mapping) -> dict[str, Any]:
    for key in given:
        if key not in known:
            raise ConfigError(f"config.{section}.{key} is unknown. {nearest(key, known)}"
                              f"Options of {section}: {', '.join(known)}.")
    return {**known, **given}


def apply_set(config: dict[str, Any], line: str) -> None:
    """Applies `section.option=value` (or `seed=3`) in place; naming another part drops the old part's options."""
    key, equals, text = line.partition("=")
    key = key.strip().removeprefix("config.")
    if not equals or not key:
        raise ConfigError(f"--set {line!r} must look like section.option=value, such as optim.epochs=20.")
    value, path = literal(text), key.split(".")
    section = path[0]
    if section not in config or section == "plugins":
        known = [k for k in config if k != "plugins"]
        raise ConfigError(f"--set {line}: {section!r} is no section. {nearest(section, known)}"
                          f"Sections: {', '.join(known)}.")
    if path == ["seed"]:
        config["seed"] = value
        return
    if len(path) == 1:
        raise ConfigError(f"--set {line}: name an option of {section}, such as {section}."
                          f"{next(iter(config[section]))}=...")
    if section == "seed":
        raise ConfigError(f"--set {line}: seed is a whole number and has no options.")
    if section not in OPEN:
        _fixed(section, config[section], {path[1]: value})
    node = config[section]
    for step in path[1:-1]:
        child = node.get(step)
        if not isinstance(child, str | Mapping | None):
            raise ConfigError(f"--set {line}: {step} is {child!r}, which has no options.")
        node[step] = {"name": child} if isinstance(child, str) else dict(child or {})
        node = node[step]
    if path[-1] == "name" and node.get("name") != value:
        keep = {"augment": node["augment"]} if section == "data" and len(path) == 2 and "augment" in node else {}
        node.clear()
        node.update(keep)
    node[path[-1]] = value


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples as lists; refuses what is not data."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def identity(config: Mapping[str, Any]) -> str:
    """Hash of everything that can change the numbers of a run, except its seed."""
    resolved = ("stages", *METHOD_HABITS) if "stages" in config else ()  # every stage of a record tells its own
    left_out = {**NOT_IDENTITY, "optim": resolved}
    counted = {section: {k: v for k, v in config[section].items() if k not in left_out[section]}
               for section in left_out}
    rest = {k: v for k, v in config.items() if k != "seed"}
    return hashlib.sha256(canonical(_equal_numbers({**rest, **counted})).encode()).hexdigest()[:16]


def _equal_numbers(value: Any) -> Any:
    """2.0 as 2, so that a nested option written either way is the same config."""
    if isinstance(value, Mapping):
        return {k: _equal_numbers(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_equal_numbers(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
