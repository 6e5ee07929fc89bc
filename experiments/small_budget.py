"""Every re-balancing method trains for real on CIFAR-100-LT, at a budget that one CPU core can pay.

    nice -n 10 python -m experiments.small_budget --root DATA
    python -m experiments.small_budget --root DATA --published figures.csv       (their figures beside ours)

One seed, equal for all: data, network, augmentation, batch, steps. What a method sets of the optimiser is part of the
method and stays. Such a budget tells whether a method stays finite on real data and, for most, which way it moves the
groups of classes; it does not rank methods, and published figures are those of some three hundred times as many images
and a far larger network.

Resumable: a method that stands in the JSON file is not trained again, and none is begun when the budget of time is
spent. A method that needs a validation split is left out with that reason: the split would take some of the training
images that the others have. One that does not stay finite is told too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.accelerator import RESULTS, device
from ltjax import config as configs
from ltjax import registry
from ltjax.analysis.published import PAPER_NAMES, Published, read_published
from ltjax.commands.specs import method_specs
from ltjax.methods.base import Method
from ltjax.registry import ConfigError
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare
from ltjax.train.signals import NonFinite

NAME = "small_budget_cifar100_lt"
SETTING: dict[str, Any] = {
    "data": "cifar100_lt", "imbalance": 100.0, "augment": ["crop", "flip"],
    "model": {"name": "resnet20", "blocks": 1, "width": 4},
    "batch": 64, "steps": 120, "epochs_per_stage": 10, "seed": 0,
}
"""What all methods share. The budget is less than one pass over the data, so every stage counts ten parts of itself as
its epochs (a very short one its steps): schedules, and whatever else goes by epochs, keep their shape."""

GROUPS = ("many", "medium", "few")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="", help="folder of the image arrays (see `ltjax doctor`)")
    parser.add_argument("--methods", default="@rebalance", help="as in `ltjax compare` (default: @rebalance)")
    parser.add_argument("--budget", type=float, default=1400.0, help="seconds after which no method is begun")
    parser.add_argument("--published", type=Path, metavar="FILE.csv", help="figures of papers to print beside ours")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    args = parser.parse_args(argv)
    try:
        figures = read_published(args.published, dataset="cifar100_lt", imbalance=100, profile="exp") \
            if args.published else []
        record = study(method_specs(args.methods), args.root, args.results / f"{NAME}.json", args.budget)
    except (ConfigError, FileNotFoundError) as error:
        parser.exit(2, f"{error}\n")
    print(table(record, figures))


# training --------------------------------------------------------------------------------------------------------


def study(asked: Iterable[Any], root: str, path: Path, budget: float) -> dict[str, Any]:
    """Trains the methods that the file does not have, writing it after each, and returns all that it holds."""
    record = stored(path)
    rows, began = record["methods"], time.monotonic()
    for spec in (one.spec for one in asked):
        config = config_of(spec, root)
        steps = steps_of(method_of(spec))
        try:
            label = prepare(config, steps_per_epoch=steps).label
        except ConfigError as error:
            print(f"{spec['name']}: left out ({error})", flush=True)
            rows[spec["name"]] = {"left_out": str(error)}
            continue
        if {"accuracy", "stopped"} & rows.get(label, {}).keys():
            print(f"{label}: there already", flush=True)
        elif time.monotonic() - began > budget:
            print(f"{label}: left for another time (budget spent)", flush=True)
        else:
            rows[label] = measured(config, steps)
            save(path, record)
            print(f"{label}: {json.dumps(rows[label])}", flush=True)
    save(path, record)
    return record


def config_of(spec: dict[str, Any], root: str) -> dict[str, Any]:
    """The config of CIFAR-100-LT with the study's network and batch; it writes no run folder."""
    config = configs.load(f"cifar100_lt:ir={SETTING['imbalance']}")
    config["data"] |= {"root": root, "augment": tuple({"name": name} for name in SETTING["augment"])}
    config["model"], config["method"], config["seed"] = dict(SETTING["model"]), dict(spec), SETTING["seed"]
    config["optim"]["batch"] = SETTING["batch"]
    config["run"] |= {"root": "", "checkpoint_minutes": 60.0}
    return config


def method_of(spec: dict[str, Any]) -> Method:
    """The stages of a method with their shares and habits."""
    part, options = registry.bind("method", spec, "--methods")
    return part.fn(**options)


def steps_of(method: Method) -> list[list[int]]:
    """The steps of every stage, by its share of the budget, cut into its epochs.

    >>> [sum(epochs) for epochs in steps_of(method_of({"name": "crt"}))]
    [108, 12]
    """
    shares = np.cumsum([0.0] + [stage.share for stage in method.stages])
    ends = np.round(shares * SETTING["steps"]).astype(int)
    return [cut(int(end - first), SETTING["epochs_per_stage"]) for first, end in itertools.pairwise(ends)]


def cut(steps: int, parts: int) -> list[int]:
    """That many steps in nearly equal parts, at most one a step.

    >>> cut(12, 5)
    [2, 3, 2, 3, 2]
    """
    return np.diff(np.linspace(0, steps, min(parts, steps) + 1).round().astype(int)).tolist()


def measured(config: dict[str, Any], steps: list[list[int]]) -> dict[str, Any]:
    """Test metrics of the last step, with time and the optimiser options that are the method's own."""
    wall, cpu = time.perf_counter(), time.process_time()
    row: dict[str, Any] = {"steps": sum(map(sum, steps))}
    try:
        metrics = fit(config, steps_per_epoch=steps).metrics
    except NonFinite as error:
        row["stopped"] = str(error)
    else:
        row |= {"accuracy": metrics["accuracy"], **{g: round(metrics[g]["accuracy"], 5) for g in GROUPS},
                "nll": round(metrics["nll"], 4)}
    habits = {stage.name: dict(stage.optim) for stage in method_of(config["method"]).stages if stage.optim}
    return row | {"seconds": round(time.perf_counter() - wall, 1), "cpu_seconds": round(time.process_time() - cpu, 1),
                  **({"own_optim": habits} if habits else {})}


def stored(path: Path) -> dict[str, Any]:
    """What the file holds, or an empty study; a file of another setting is refused."""
    if not path.exists():
        return {"name": NAME, "setting": SETTING, "device": device(), "methods": {}}
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["setting"] != SETTING:
        raise ConfigError(f"{path} was measured under another setting ({record['setting']}) than the study's "
                          f"({SETTING}). Move it away to begin anew.")
    return record


def save(path: Path, record: dict[str, Any]) -> None:
    """Writes the file at once, so that a study that is killed leaves a whole one; a method a line."""
    methods = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in record["methods"].items())
    head = [f' "{key}": {json.dumps(value)},\n' for key, value in record.items() if key != "methods"]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text("{\n" + "".join(head) + ' "methods": {\n' + methods + "\n }\n}\n", encoding="utf-8")
    new.replace(path)


# the table -------------------------------------------------------------------------------------------------------


def table(record: dict[str, Any], figures: Sequence[Published]) -> str:
    """Markdown: ours, and beside it what papers report for their full recipes, said to be another budget."""
    s = record["setting"]
    said = [f"CIFAR-100-LT, imbalance {s['imbalance']:g}, {s['model']['name']} with {s['model']['blocks']} block per "
            f"stage and width {s['model']['width']}, {s['steps']} steps of {s['batch']}, one seed, last step. "
            "Accuracies in percent (chance is 1). * trains the network with optimiser options of its own.", ""]
    titles = ["method", "all", *GROUPS, "NLL"]
    if figures:
        said[0] += (" The last two columns are of another budget: the papers' full recipes, mostly ResNet-32 for 200 "
                    "epochs. They stand there for orientation; the difference to ours says nothing about a method.")
        titles += ["published, full recipe (all)", "as"]
    lines = [titles, ["---", *["---:"] * (len(titles) - 2 if figures else len(titles) - 1), *["---"] * bool(figures)]]
    notes = []
    for name, row in record["methods"].items():
        if "accuracy" not in row:
            why = row.get("left_out") or row["stopped"]
            notes.append(f"{name} {'was left out' if 'left_out' in row else 'was stopped'}: {why}")
            continue
        figure = beside(figures, name)
        lines.append([name + "*" * own(row), *(f"{100 * row[k]:.1f}" for k in ("accuracy", *GROUPS)),
                      f"{row['nll']:.3f}"])
        if figures:
            lines[-1] += [f"{figure.value:.1f}", f"{figure.method}: {figure.text}"] if figure else ["–", ""]
    return "\n".join(said + ["| " + " | ".join(line) + " |" for line in lines] + [""] * bool(notes) + notes)


def own(row: dict[str, Any]) -> bool:
    """Whether the method trains the network itself, not only a later head, with optimiser options of its own."""
    return bool(set(row.get("own_optim", ())) & {"main", "features", "balanced"})


def beside(figures: Iterable[Published], name: str) -> Published | None:
    """The figure nearest to the config's full recipe: ResNet-32, 200 epochs, read in the paper, by its authors."""
    fitting = [f for f in figures if f.split == "all" and PAPER_NAMES.get(name, name) in (f.key, f.method)]
    return min(fitting, default=None, key=lambda f: (
        f.setting.get("backbone") != "resnet32", f.setting.get("epochs") != "200",
        f.setting.get("confidence") == "recalled", f.setting.get("reported_by") != "original"))


if __name__ == "__main__":
    main()
