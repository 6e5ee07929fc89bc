"""Train methods on equal terms over several seeds and put them in one table, with intervals and an HTML report.

  ltjax compare --config digits_lt:ir=50 --methods erm,focal,balanced_softmax --seeds 5
  ltjax compare --config digits_lt:ir=50 --methods "erm, ldam_drw(max_margin=0.3)" --seeds 3
  ltjax compare --config digits_lt --methods @rebalance --seeds 3
  ltjax compare --config digits_lt --plugin my_loss.py --loss my_loss --against all --seeds 5
  ltjax compare --config configs/cifar100_lt.py:ir=100 --methods all --published figures.csv

Every method gets the config's data, epochs, batch, augmentation, network and seeds; with --recipes each keeps what its
paper used, and the table marks its row. Only runs that are missing are trained, the seeds of a method together in one
program. A method is the name of a method or of a loss, with options in brackets; `all` is every method that the config
can train; @NAME is a set that comes with the library, @FILE.txt one of yours, a method a line. A method whose numbers
stop being finite is told below the table, and the others go on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltjax.commands import settings, specs, tables
from ltjax.registry import ConfigError


@dataclass(frozen=True)
class Entrant:
    """A method that takes part: its config, its label and identity, the folders of its seeds."""

    config: dict[str, Any]
    label: str
    identity: str
    folders: dict[int, Any]

    @property
    def missing(self) -> list[int]:
        return [seed for seed, folder in self.folders.items() if not folder.done]


def options(parser: argparse.ArgumentParser) -> None:
    settings.add_config(parser)
    parser.add_argument("--methods", metavar="LIST", default="", help="methods or losses, comma-separated: names, "
                        "name(option=value), all, @set")
    parser.add_argument("--loss", metavar="LOSS", help="one more row: plain training with this loss, such as yours")
    parser.add_argument("--against", metavar="LIST", help="what --loss is compared with, spelled as --methods "
                        "(default: erm)")
    parser.add_argument("--seeds", metavar="N", type=settings.whole_number(1), default=3, help="seeds from config.seed "
                        "on (default: 3)")
    parser.add_argument("--together", metavar="N", type=settings.whole_number(1), default=0, help="most seeds in one "
                        "program (default: all)")
    parser.add_argument("--report", metavar="FILE.html", help="where the report goes (default: reports/ in the root)")
    tables.add(parser)


def run(args: argparse.Namespace) -> int:
    config = settings.load_config(args)
    plugins = settings.Plugins(args.plugin)
    return compare(config, listed(args), args, plugins)


def listed(args: argparse.Namespace) -> list[specs.Asked]:
    """The methods that take part, in the order of the command line."""
    if args.against and not args.loss:
        raise ConfigError("--against goes with --loss. Use --methods for a list of methods.")
    asked = [specs.Asked(specs.loss_method(specs.parse_part(args.loss, "--loss")), True)] if args.loss else []
    if args.methods:
        asked += specs.method_specs(args.methods, "--methods")
    if args.against or (args.loss and not args.methods):
        asked += specs.method_specs(args.against or "erm", "--against")
    if not asked:
        raise ConfigError("--methods is missing. Name methods or losses, such as erm,focal,balanced_softmax; or all; "
                          f"or a set: {', '.join('@' + s for s in specs.sets())}.")
    return asked


def compare(config: dict[str, Any], asked: Sequence[specs.Asked], args: argparse.Namespace,
            plugins: settings.Plugins) -> int:
    """Checks all methods, trains what is missing, prints the table and writes the report."""
    from ltjax.commands.training import seeds_of
    from ltjax.train import progress as shown

    if not config["run"]["root"]:
        raise ConfigError("run.root is empty, but a table is made from run folders. Give --root DIR.")
    figures = tables.figures(args)
    seeds = seeds_of(config, args.seeds)
    entrants, notes = enter(config, asked, seeds, plugins, args.recipes)
    missing = sum(len(e.missing) for e in entrants)
    progress = shown.visible()
    progress.note(f"{len(entrants)} methods, {len(seeds)} seeds each: {missing} runs to train, "
                  f"{len(entrants) * len(seeds) - missing} done before")
    for number, entrant in enumerate(entrants, 1):
        if entrant.missing:
            notes += train(entrant, f"{number}/{len(entrants)}", args, progress)
    return conclude(entrants, notes, figures, args)


def enter(config: dict[str, Any], asked: Sequence[specs.Asked], seeds: Sequence[int], plugins: settings.Plugins,
          recipes: bool) -> tuple[list[Entrant], list[str]]:
    """Checks every method before anything is trained; those of `all` that the config cannot train are told."""
    from ltjax.train.prepare import prepare
    from ltjax.train.rundir import RunFolder, folder_of

    entrants: dict[str, Entrant] = {}
    refused: list[tuple[str, Exception]] = []
    for spec, by_name in asked:
        own = plugins.record({**config, "method": spec})
        try:
            exp = prepare(own, recipes=recipes)
        except (ConfigError, FileNotFoundError) as error:
            if by_name:
                raise
            refused.append((spec["name"], error))
            continue
        folders = {s: RunFolder(folder_of(exp.config, exp.identity, exp.label, s)) for s in seeds}
        entrants.setdefault(exp.identity, Entrant(own, exp.label, exp.identity, folders))
    if not entrants:
        raise refused[0][1]
    return list(entrants.values()), [f"{name} cannot be trained here: {error}" for name, error in refused]


def train(entrant: Entrant, place: str, args: argparse.Namespace, progress: Any) -> list[str]:
    """Trains the missing seeds of one method; returns what the table must tell."""
    from ltjax.commands.training import train_seeds
    from ltjax.train.loop import NonFinite

    words = " ".join(map(str, entrant.missing))
    progress.note(f"[{place}] {entrant.label}, seed{'s' if len(entrant.missing) > 1 else ''} {words}")
    try:
        results = train_seeds(entrant.config, entrant.missing, together=args.together, recipes=args.recipes,
                              progress=progress)
    except NonFinite as error:
        progress.note(f"  {error}")
        return [f"{entrant.label} was stopped: {error}"]
    for result in results:
        progress.note(f"  {result}")
    return []


def conclude(entrants: Sequence[Entrant], notes: list[str], figures: Any, args: argparse.Namespace) -> int:
    """The table on standard output, the report in its file; 3 if not one run was finished."""
    from ltjax.analysis.runs import Runs, load_run

    paths = [folder.path for e in entrants for folder in e.folders.values()]
    runs = Runs([load_run(path) for path in paths if (path / "DONE").exists()], told=notes)
    if not runs:
        for note in notes:
            print(note)
        return 3
    tables.show(runs, args, figures)
    root = Path(entrants[0].config["run"]["root"])
    name = args.report or root / "reports" / f"{report_name(entrants)}.html"
    print(f"report: {tables.write(runs, name, args, figures)}")
    return 0


def report_name(entrants: Sequence[Entrant]) -> str:
    """The same methods and seeds, the same name."""
    chosen = sorted((e.identity, *map(str, e.folders)) for e in entrants)
    digest = hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:6]
    return f"{entrants[0].config['data']['name']}-{digest}"
