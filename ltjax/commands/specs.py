"""Parts written on a command line: `ldam_drw(max_margin=0.3)`, lists of them, and sets of methods in files.

A line is taken apart by Python's parser and never run: values are literals, bare words (their own text) and
further parts in the same spelling.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ltjax import config as configs
from ltjax import registry
from ltjax.registry import ConfigError, nearest

Spec = dict[str, Any]


def parse_part(text: str, where: str) -> Spec:
    """`name` or `name(option=value, ...)` -> the dict that a config would hold.

    >>> parse_part("erm(loss=focal(gamma=2.0), sampler=class_aware)", "--methods")
    {'name': 'erm', 'loss': {'name': 'focal', 'gamma': 2.0}, 'sampler': 'class_aware'}
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(f"{where}: {text.strip()!r} cannot be read. Write name or name(option=value), such as "
                          "ldam(max_margin=0.3).") from None
    value = _value(tree, text, where)
    if isinstance(value, str) and isinstance(tree, ast.Name):
        return {"name": value}
    if not isinstance(tree, ast.Call):
        raise ConfigError(f"{where}: {text.strip()!r} is no name. Write name or name(option=value).")
    return value


def _value(node: ast.expr, text: str, where: str) -> Any:
    """A literal, a bare word as text, or a part in brackets as dict; everything else is refused."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "none": None}.get(node.id.lower(), node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, text, where) for item in node.elts]
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.args or any(k.arg in (None, "name") for k in node.keywords):
            raise ConfigError(f"{where}: {text.strip()!r}: options are given by name, such as ldam(max_margin=0.3).")
        return {"name": node.func.id, **{str(k.arg): _value(k.value, text, where) for k in node.keywords}}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ConfigError(f"{where}: {ast.unparse(node)!r} in {text.strip()!r} is no plain value. Accepted: numbers, "
                          "text, true, false, none, lists, and parts such as focal(gamma=2.0).") from None


def split_list(text: str) -> list[str]:
    """Cuts at the commas (and line ends) outside brackets and quotes.

    >>> split_list("erm, ldam(max_margin=0.3, scale=20), focal")
    ['erm', 'ldam(max_margin=0.3, scale=20)', 'focal']
    """
    items, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        else:
            depth += (c in "([{") - (c in ")]}")
        if c in ",\n" and not quote and depth <= 0:
            items.append("")
        else:
            items[-1] += c
    return [item.strip() for item in items if item.strip()]


class Asked(NamedTuple):
    """A method of a list, and whether it was named there (or came with `all`)."""

    spec: Spec
    by_name: bool


def method_specs(text: str, where: str = "--methods") -> list[Asked]:
    """The methods of a list: names of methods or losses with options, `all`, and sets such as `@rebalance`."""
    asked: dict[str, Asked] = {}
    for item in _expanded(text, where):
        if item == "all":
            found = [Asked({"name": name}, False) for name in registry.names("method")]
        else:
            found = [Asked(as_method(parse_part(item, where), where), True)]
        for one in found:
            key = repr(one.spec)
            asked[key] = Asked(one.spec, one.by_name or (key in asked and asked[key].by_name))
    if not asked:
        raise ConfigError(f"{where} names no method. Give names, such as erm,focal; or all; or a set: "
                          f"{', '.join('@' + s for s in sets())}.")
    return list(asked.values())


def as_method(spec: Spec, where: str) -> Spec:
    """A method as it is; a loss or term as `erm` with it; else the nearest name of either."""
    methods = registry.names("method")
    if spec["name"] in methods:
        return spec
    losses = [*registry.names("loss"), *registry.names("term")]
    if spec["name"] in losses:
        return loss_method(spec)
    known = sorted({*methods, *losses})
    raise ConfigError(f"{where}: {spec['name']!r} is neither a method nor a loss. {nearest(spec['name'], known)}"
                      "`ltjax list methods` and `ltjax list losses` show all.")


def loss_method(spec: Spec) -> Spec:
    """Plain training with this loss, which is what `--loss` means."""
    return {"name": "erm", "loss": spec["name"] if len(spec) == 1 else spec}


def _expanded(text: str, where: str, depth: int = 0) -> Iterator[str]:
    """The items of a list with every `@set` replaced by what its file names."""
    for item in split_list(text):
        if not item.startswith("@"):
            yield item
        elif depth > 8:
            raise ConfigError(f"{where}: the set {item} names itself.")
        else:
            lines = set_file(item[1:], where).read_text(encoding="utf-8").splitlines()
            yield from _expanded("\n".join(line.partition("#")[0] for line in lines), where, depth + 1)


def sets() -> list[str]:
    """Names of the sets of methods that come with the library."""
    return sorted({p.stem for f in configs.config_folders() for p in (f / "sets").glob("*.txt")})


def set_file(name: str, where: str) -> Path:
    """The file of a set: one of the library by name, or a text file by path."""
    candidates = [Path(name)] if "/" in name or name.endswith(".txt") else [
        folder / "sets" / f"{name}.txt" for folder in configs.config_folders()]
    for path in candidates:
        if path.is_file():
            return path
    raise ConfigError(f"{where}: there is no set @{name}. {nearest(name, sets())}Sets: "
                      f"{', '.join('@' + s for s in sets())}, or the path of a text file with one method a line.")
