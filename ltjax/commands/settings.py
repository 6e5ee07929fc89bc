"""From flags to a config: the options that `train`, `compare` and `quickstart` share."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltjax import config as configs
from ltjax import registry
from ltjax.commands.specs import loss_method, parse_part
from ltjax.registry import ConfigError

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`, `--set`, `--plugin`, `--recipes`, `--root`."""
    parser.add_argument("--config", metavar="FILE[:ARG]", help="a config of the library by name, or a file: "
                        "digits_lt:ir=50, configs/cifar100_lt.py:ir=100")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="sets",
                        help="change an option, as often as you like: optim.epochs=20, data.imbalance=10, seed=3 "
                        "(--config.optim.epochs=20 means the same)")
    parser.add_argument("--plugin", metavar="FILE.py", action="append", default=[],
                        help="a file of yours that registers a loss, method, sampler, ...; as often as you like")
    parser.add_argument("--recipes", action="store_true", help="also take epochs, batch, augmentation and network "
                        "from the method's paper; tables mark such rows")
    parser.add_argument("--root", metavar="DIR", help="folder of the runs (default: run.root of the config, runs/)")


def load_config(args: argparse.Namespace, method: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plain config of a command line: the file, then the method, then `--set` lines in their order."""
    if not args.config:
        raise ConfigError("--config is missing. Name a file, or one of the library: "
                          f"{', '.join(configs.shipped())}; for instance --config digits_lt:ir=50.")
    config = configs.load(args.config)
    if method is not None:
        config["method"] = dict(method)
    for line in args.sets:
        configs.apply_set(config, line)
    if args.root is not None:
        config["run"]["root"] = args.root
    _before_jax_starts(config)
    return config


def method_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """What `--method` or `--loss` ask for."""
    asked = {flag: getattr(args, flag) for flag in ("method", "loss") if getattr(args, flag, None)}
    named = [line for line in args.sets if line.partition("=")[0].strip().removeprefix("config.") == "method.name"]
    if len(asked) > 1 or (asked and named):
        both = [*(f"--{flag} {text}" for flag, text in asked.items()), *(f"--set {line}" for line in named)]
        raise ConfigError(f"{both[0]} and {both[1]} both name the method. Give one of them.")
    if "loss" in asked:
        return loss_method(parse_part(asked["loss"], "--loss"))
    return parse_part(asked["method"], "--method") if asked else None


class Plugins:
    """The user's files: loaded once, and recorded with the runs that use a part of theirs.

    A plugin that registers nothing is recorded with every run. So a comparison trains its baselines once,
    however often the file of the new loss is edited.
    """

    def __init__(self, paths: list[str]):
        self.hashes = {Path(path).name: configs.load_plugin(path) for path in paths}
        if len(self.hashes) < len({str(Path(path).resolve()) for path in paths}):
            raise ConfigError("--plugin: two files have the same name. Rename one; runs record plugins by name.")
        files = {str(Path(path).resolve()): Path(path).name for path in paths}
        self.names: dict[str, set[str]] = {name: set() for name in self.hashes}
        for part in _every_part() if paths else ():
            name = files.get(str(Path(inspect.unwrap(part.fn).__code__.co_filename).resolve()))
            if name is not None:
                self.names[name].add(part.name)

    def record(self, config: dict[str, Any]) -> dict[str, Any]:
        """The config with the hashes of the plugins that it uses."""
        words = set(_texts({k: v for k, v in config.items() if k != "plugins"}))
        used = {name: digest for name, digest in self.hashes.items()
                if not self.names[name] or self.names[name] & words}
        return {**config, "plugins": {**config["plugins"], **used}}


def _every_part() -> Iterator[registry.Part]:
    for kind in registry.PACKAGES:
        for name in registry.names(kind):
            part = registry.get(kind, name)
            if hasattr(inspect.unwrap(part.fn), "__code__"):
                yield part


def _texts(value: Any) -> Iterator[str]:
    """Every text in a config, however deep: the names of the parts are among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def whole_number(least: int):
    """An argparse type: a whole number of at least `least`."""
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least {least}")
        return value

    return read


def _before_jax_starts(config: dict[str, Any]) -> None:
    """Bitwise repetition on a GPU needs a flag that XLA reads once, when JAX first touches a device."""
    flags = os.environ.get("XLA_FLAGS", "")
    if config["run"]["deterministic"] is not True or "xla_gpu_deterministic_ops" in flags:
        return
    os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC}".strip()
    if "jax" in sys.modules and os.environ.get("JAX_PLATFORMS") != "cpu":
        print(f"run.deterministic=true: if JAX has already computed in this process, start anew with "
              f"XLA_FLAGS={DETERMINISTIC}.", file=sys.stderr)
