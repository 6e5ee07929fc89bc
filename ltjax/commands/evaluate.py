"""Measure finished runs anew from their stored outputs, without training and without touching their test.json.

  ltjax evaluate runs/digits_lt --groups 50,20
  ltjax evaluate runs/digits_lt/erm --posthoc logit_adjust --posthoc "temperature(balanced=true)"
  ltjax evaluate runs/digits_lt --posthoc "logit_adjust(tau=1.5)" --shifts=50,1,-50
  ltjax evaluate runs/digits_lt --reference runs_on_balanced_data
  ltjax evaluate runs --json > metrics.json

Rules given here take the place of those that the run was trained with. A rule that reads features or the classifier
needs them at the end of training: name it in eval.posthoc there. A shift of 50 weighs the test classes by a long tail
of ratio 50 in the order of the training counts, -50 by the reverse, 1 evenly. With --reference each run is also divided
by the better of cross-entropy (`erm`) and its own method, of the same seed, on a balanced set of about its size.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltjax.commands.specs import parse_part
from ltjax.registry import ConfigError, Part, bind

SHOWN = {"all": ("accuracy",), "many": ("many", "accuracy"), "medium": ("medium", "accuracy"),
         "few": ("few", "accuracy"), "balanced": ("balanced_accuracy",), "NLL": ("nll",), "ECE": ("ece", "value")}
"""Column -> where it stands in the metrics."""

Rule = tuple[Part, dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """The metrics of one run under some rules."""

    run: Any
    rules: str
    metrics: dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders, or folders above them")
    parser.add_argument("--posthoc", metavar="RULE", action="append", default=[], help="a rule applied to the logits, "
                        "several in their order; see `ltjax list posthoc`")
    parser.add_argument("--force", action="store_true", help="apply rules to logits that they are not made for")
    parser.add_argument("--groups", metavar="MANY,FEW", type=_numbers(float, 2), help="more training examples than the "
                        "first is many, fewer than the second is few (default: the run's)")
    parser.add_argument("--bins", metavar="N", type=int, help="bins of the calibration error (default: the run's)")
    parser.add_argument("--shifts", metavar="RATIOS", type=_numbers(int), help="imbalance of shifted test priors, such "
                        "as --shifts=50,1,-50 (default: the run's)")
    parser.add_argument("--reference", metavar="RUN", nargs="+", default=[], help="runs on a balanced set of about the "
                        "same size, for the relative accuracy")
    parser.add_argument("--json", action="store_true", help="print every metric of every run as JSON instead")
    parser.add_argument("--plugin", metavar="FILE.py", action="append", default=[], help="a file of yours with a rule")


def run(args: argparse.Namespace) -> int:
    if args.plugin:
        from ltjax.commands.settings import Plugins

        Plugins(args.plugin)
    from ltjax.analysis import find_runs

    rules = [bind("posthoc", parse_part(text, "--posthoc"), "--posthoc") for text in args.posthoc]
    runs = find_runs(args.runs)
    if not runs:
        raise ConfigError(f"{', '.join(args.runs)}: no finished run below. {' '.join(runs.notes)}".strip())
    rows = [row for one in runs for row in measure(one, rules, args)]
    if args.reference:
        add_relative(rows, find_runs(args.reference))
    if args.json:
        print(json.dumps([{"run": str(r.run.path), "label": r.run.label, "seed": r.run.seed, "rules": r.rules,
                           "metrics": r.metrics} for r in rows], indent=1))
    else:
        _show(rows)
    for note in runs.notes:
        print(note, file=sys.stderr)
    return 0


def measure(run: Any, rules: Sequence[Rule], args: argparse.Namespace) -> list[Measured]:
    """The run as it is and, where rules are given, after them."""
    from ltjax import metrics
    from ltjax.types import ClassStats

    stats = ClassStats(run.counts, float(run.setting("data", "prior_smoothing") or 0.0))
    stored = run.outputs()
    settings = {
        "groups": args.groups or run.thresholds,
        "bins": args.bins if args.bins is not None else run.setting("eval", "bins") or 15,
        "shifts": args.shifts if args.shifts is not None else tuple(run.setting("eval", "shifts") or ()),
    }

    def scored(logits, words: str) -> Measured:
        return Measured(run, words, metrics.evaluate(logits, stored["test_label"], stats=stats, **settings))

    if not rules:
        own = ", ".join(str(rule.get("name")) for rule in run.test.get("posthoc") or ())
        return [scored(stored.get("test_logits_final", stored["test_logits"]), own)]
    check(run, rules, args.force)
    logits = {name: np.asarray(stored[f"{name}_logits"], np.float64) for name in ("val", "test")
              if f"{name}_logits" in stored}
    for part, given in rules:
        given = dict(given)
        if part.meta.get("fit"):
            given["params"] = part.meta["fit"]({"logits": logits["val"]}, stored["val_label"], stats=stats, **given)
        logits = {name: np.asarray(part.fn({"logits": z}, stats=stats, **given)) for name, z in logits.items()}
    return [scored(stored["test_logits"], ""), scored(logits["test"], _words(rules))]


def add_relative(rows: Sequence[Measured], references: Sequence[Any]) -> None:
    """Puts the relative accuracy into the metrics of every run that has a reference of its seed."""
    from ltjax.metrics.relative import relative_accuracy

    upper = {(r.label, r.seed): r.metrics["accuracy"] for r in references}
    for row in rows:
        found = [upper[key] for key in (("erm", row.run.seed), (row.run.label, row.run.seed)) if key in upper]
        if found:
            row.metrics["relative"] = relative_accuracy(row.metrics["accuracy"], found[0], found[-1])
    if not any("relative" in row.metrics for row in rows):
        seeds = sorted({row.run.seed for row in rows})
        raise ConfigError(f"--reference: no finished run of 'erm' or of the same method with seed {seeds} is there.")


def check(run: Any, rules: Sequence[Rule], force: bool) -> None:
    """One sentence where a rule cannot be applied to what a run stored, or would adjust twice."""
    meaning = run.test.get("test_logits")
    for part, _ in rules:
        name, needs, fit_on = part.name, part.meta.get("needs"), part.meta.get("fit_on")
        if "reads" in part.meta or fit_on == "train":
            what = "outputs on the training split" if fit_on == "train" else " and ".join(part.meta["reads"])
            raise ConfigError(f"--posthoc {name}: it reads {what}, which a run does not store. Train with "
                              f"--set eval.posthoc=\"['{name}']\".")
        if fit_on == "val" and not run.split.get("val_counts"):
            raise ConfigError(f"--posthoc {name}: it is fitted on a validation split, and {run.path} has none. Train "
                              "with --set data.val_per_class=1 or more.")
        if needs and needs != meaning and not force:
            raise ConfigError(f"--posthoc {name}: it needs logits that mean {needs!r}, but those of {run.path} mean "
                              f"{meaning!r}: it would adjust for the class prior twice. Leave the run out, or give "
                              "--force.")
        meaning = "balanced" if needs == "train_posterior" else meaning


def _words(rules: Sequence[Rule]) -> str:
    told = []
    for part, given in rules:
        changed = [f"{name}={value!r}" for name, value in given.items() if value != part.options[name]]
        told.append(part.name + (f"({', '.join(changed)})" if changed else ""))
    return ", ".join(told)


def _show(rows: Sequence[Measured]) -> None:
    """One line per configuration and rules, averaged over seeds."""
    import rich.box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ltjax.analysis.stats import format_mean, summary
    from ltjax.commands.tables import width

    groups: dict[tuple, list[Measured]] = {}
    for row in rows:
        groups.setdefault((row.run.setting("data", "name"), row.run.identity, row.rules), []).append(row)
    shifts = {name: None for row in rows for name in row.metrics["shifts"]}
    relative = {"relative": ("relative", "relative_accuracy")} if any("relative" in r.metrics for r in rows) else {}
    columns = {**SHOWN, **{name: ("shifts", name, "accuracy") for name in shifts}, **relative}
    table = Table(box=rich.box.SIMPLE_HEAD)
    for name in ("data", "method", "rules", "seeds", *columns):
        table.add_column(name, justify="left" if name in ("data", "method", "rules") else "right")
    for (data, _, words), members in groups.items():
        cells = [data, members[0].run.label, words or "-", str(len(members))]
        for name, path in columns.items():
            values = [v for m in members if (v := _at(m.metrics, path)) is not None]
            cells.append(format_mean(summary(values), *((1.0, 3) if name == "NLL" else (100.0, 1))))
        table.add_row(*(Text(str(cell)) for cell in cells))
    Console(width=width(), highlight=False).print(table)
    print("Accuracies and ECE in percent, mean ± sample standard deviation over seeds; test.json is left as it is.")


def _at(metrics: dict[str, Any], path: Sequence[str]) -> float | None:
    value: Any = metrics
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _numbers(kind: type, count: int = 0):
    """An argparse type: numbers separated by commas."""
    def read(text: str) -> tuple:
        try:
            values = tuple(kind(part) for part in text.split(","))
        except ValueError:
            values = ()
        if not values or (count and len(values) != count):
            raise argparse.ArgumentTypeError(f"{text!r} must be {count or 'some'} "
                                             f"{'whole ' if kind is int else ''}numbers separated by commas")
        return values

    return read
