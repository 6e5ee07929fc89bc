"""Show what can be named in a config: every registered part with its summary, options and source.

  ltjax list                  kinds of parts
  ltjax list losses           all losses; singular or plural
  ltjax list methods          all methods, each with what of it was verified
  ltjax list loss ldam        one part in full
  ltjax list ldam             the same, whatever its kind
  ltjax list configs          configs and sets of methods that come with the library
  ltjax list losses --plugin my_loss.py
"""

from __future__ import annotations

import argparse
import inspect
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ltjax import registry
from ltjax.methods import evidence
from ltjax.registry import ConfigError, nearest

KINDS = {
    "method": "methods: losses, samplers, stages and post-hoc rules that belong together",
    "loss": "losses of logits and labels",
    "term": "objectives that need more than logits and labels",
    "weights": "class weights",
    "sampler": "which examples make a batch",
    "mixer": "how examples of a batch are mixed",
    "augment": "changes of a training image",
    "data": "data sets",
    "model": "networks up to the features",
    "head": "from features to logits",
    "posthoc": "rules applied to a trained network's outputs",
    "schedule": "learning rates over time",
    "optimizer": "optimisers",
    "gradient": "how a gradient is taken",
    "learner": "what draws batches by parameters of its own",
    "project": "what is done to parameters after an update",
}
"""Kinds in the order of interest, with what they are."""

VERIFIED = """\
verified: `training run`: the trainer repeats a whole run of the code that is named; `formula`: values and
gradients of the method's parts equal those of that code; `neither`: nothing of the kind is compared."""
"""What the words mean that stand beside a method."""

PLURALS = {**{f"{kind}s": kind for kind in KINDS}, "losses": "loss", "augmentations": "augment", "rules": "posthoc",
           "optimisers": "optimizer", "projections": "project", "weight": "weights"}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help=f"{', '.join(KINDS)}, configs; or the name of a part")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a part of that kind, shown in full")
    parser.add_argument("--plugin", metavar="FILE.py", action="append", default=[], help="also what this file holds")


def run(args: argparse.Namespace) -> int:
    if args.plugin:
        from ltjax.commands.settings import Plugins

        Plugins(args.plugin)
    if args.kind is None:
        print(_kinds())
    elif args.kind in ("config", "configs", "set", "sets"):
        print(_configs())
    else:
        kind = args.kind if args.kind in KINDS else PLURALS.get(args.kind)
        if kind is None:
            print("\n\n".join(_full(part) for part in _anywhere(args.kind, args.name)))
        else:
            print(_full(registry.get(kind, args.name, "name")) if args.name else _all_of(kind))
    return 0


def _kinds() -> str:
    head = "Parts by kind, and how many there are; `ltjax list KIND` shows them, `ltjax list KIND NAME` one in full."
    lines = [f"  {kind:10} {len(registry.names(kind)):3}  {about}" for kind, about in KINDS.items()]
    return "\n".join([head, *lines, "  configs         configs and sets of methods that come with the library"])


def _configs() -> str:
    from ltjax import config as configs
    from ltjax.commands.specs import set_file, sets

    def lines(names: Iterable[str], mark: str, file) -> list[str]:
        return [f"  {mark + name:18} {_first_line(file(name).read_text(encoding='utf-8'))}" for name in names]

    return "\n".join(["Configs (--config NAME or NAME:ARG)", *lines(configs.shipped(), "", configs.find), "",
                      "Sets of methods (--methods @NAME)", *lines(sets(), "@", lambda name: set_file(name, "sets"))])


def _first_line(text: str) -> str:
    return text.lstrip("#\"' r").split("\n")[0].strip('" ')


def _all_of(kind: str) -> str:
    names = registry.names(kind)
    head = f"{KINDS[kind]} ({len(names)})" + (f"\n{VERIFIED}" if kind == "method" else "")
    return "\n\n".join([head, *(_short(registry.get(kind, name)) for name in names)])


def _short(part: registry.Part) -> str:
    """Name and summary, then options with defaults, then the source."""
    width = max(60, min(110, shutil.get_terminal_size((100, 24)).columns))
    given = ", ".join(f"{name}={_shown(value)}" for name, value in part.options.items())
    lines = [part.name, *textwrap.wrap(part.summary, width - 4)]
    lines += textwrap.wrap(f"options: {given}", width - 4, subsequent_indent="  ") if given else []
    lines += [part.cite] if part.cite else []
    lines += [f"verified: {_verified(part.name)}"] if part.kind == "method" else []
    return "\n    ".join(lines)


def _verified(method: str) -> str:
    """The strongest of what is verified of a method, and against whose code."""
    found = evidence.of(method)
    return found.level + (f" ({'; '.join(found.sources)})" if found.sources else "")


def _golden(method: str) -> list[str]:
    """Every golden key that a method rests on, one line each."""
    found = evidence.of(method)
    runs = [f"  training run  train_{key:24} {evidence.RUNS[key]}" for key in found.runs]
    return runs + [f"  formula       {key:30} {evidence.FORMULAS[key]}" for key in found.formulas]


def _full(part: registry.Part) -> str:
    """The whole docstring, options with what they accept, and where the code stands."""
    lines = [f"{part.kind} {part.name}", "", inspect.getdoc(part.fn) or part.summary, ""]
    if part.options:
        lines.append("Options")
        for name, value in part.options.items():
            lines.append(f"  {name} = {_shown(value)}{_accepted(part, name)}")
    else:
        lines.append("No options.")
    told = {key: value for key, value in part.meta.items() if isinstance(value, str | bool | tuple) and value}
    if told:
        lines += ["Declares", *(f"  {key} = {_shown(value)}" for key, value in told.items())]
    if part.kind == "method":
        lines += [f"Verified: {evidence.of(part.name).level}", *_golden(part.name)]
    lines += [f"Source: {part.cite}"] if part.cite else []
    return "\n".join([*lines, f"Code: {_place(part)}"])


def _accepted(part: registry.Part, option: str) -> str:
    if option in part.choices:
        return f"    one of {', '.join(map(str, part.choices[option]))}"
    if option in part.bounds:
        low, high = part.bounds[option]
        return f"    {low:g} to {high:g}"
    return ""


def _shown(value: Any) -> str:
    return {True: "true", False: "false", None: "none"}.get(value, repr(value)) if isinstance(
        value, bool | None) else repr(value)


def _place(part: registry.Part) -> str:
    fn = inspect.unwrap(part.fn)
    file = Path(inspect.getsourcefile(fn) or "?")
    package = Path(registry.__file__).parent.parent
    return str(file.relative_to(package) if file.is_relative_to(package) else file)


def _anywhere(name: str, rest: str | None) -> list[registry.Part]:
    """Parts of that name of any kind, or one sentence with the nearest kind and name."""
    everything = {kind: registry.names(kind) for kind in KINDS}
    found = [registry.get(kind, name) for kind, names in everything.items() if name in names]
    if found and rest is None:
        return found
    known = {*KINDS, *PLURALS, *(n for names in everything.values() for n in names)}
    raise ConfigError(f"{name!r} is neither a kind nor a part. {nearest(name, known)}"
                      f"Kinds: {', '.join(KINDS)}, configs.")
