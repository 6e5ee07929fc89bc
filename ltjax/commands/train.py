"""Train one configuration, resume it where it stopped, or read its result if it is done.

  ltjax train --config digits_lt:ir=50
  ltjax train --config digits_lt:ir=50 --loss balanced_softmax --set seed=3
  ltjax train --config digits_lt:ir=50 --loss "ldam(max_margin=0.3)" --set optim.epochs=20
  ltjax train --config configs/cifar100_lt.py:ir=100 --set method.name=erm --seeds 3
  ltjax train --config digits_lt --plugin my_loss.py --loss my_loss

A run lies in runs/DATA/METHOD/HASH/seedK, the hash being that of everything that can change its numbers. The same
command again resumes an interrupted run and reads a finished one. Ctrl-C saves and leaves; a second one is fatal.
Exit codes: 2 a bad value, 3 numbers that are not finite, 4 no readable checkpoint, 130 interrupted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ltjax.commands import settings
from ltjax.registry import ConfigError


def options(parser: argparse.ArgumentParser) -> None:
    settings.add_config(parser)
    parser.add_argument("--loss", metavar="LOSS", help="train with this loss (or term): focal, \"focal(gamma=2.0)\"; "
                        "see `ltjax list losses`")
    parser.add_argument("--method", metavar="METHOD", help="train this method: erm, \"erm(sampler=class_aware)\"; "
                        "see `ltjax list methods`")
    parser.add_argument("--seeds", metavar="N", type=settings.whole_number(1), help="N seeds from config.seed on, in "
                        "one program (default: run.vmap_seeds, 1)")
    parser.add_argument("--extend", metavar="RUN", help="go on from the last checkpoint of this run folder, whose "
                        "budget was shorter")


def run(args: argparse.Namespace) -> int:
    config = settings.load_config(args, settings.method_of(args))
    config = settings.Plugins(args.plugin).record(config)
    if args.extend and not (Path(args.extend) / "ckpt").is_dir():
        raise ConfigError(f"--extend {args.extend}: this is no run folder with checkpoints (.../seed0).")
    from ltjax.commands import training
    from ltjax.train import progress

    count = args.seeds or config["run"]["vmap_seeds"]
    count = count if isinstance(count, int) else 1  # what is no whole number is refused with the other options
    results = training.train_seeds(config, training.seeds_of(config, max(count, 1)), recipes=args.recipes,
                                   extend=args.extend, progress=progress.visible())
    for result in results:
        print("\n".join(_told(result)))
    if len(results) > 1:
        print(_mean(results))
    return 0


def _told(result: Any) -> list[str]:
    """Result, cost and place of a run."""
    from ltjax.commands.training import cost_in_words, stored_cost

    lines = [str(result)]
    if not result.cost and result.path is not None:
        lines.append(f"  done before; it was {cost_in_words(stored_cost(result.path))}")
    else:
        lines.append(f"  {cost_in_words(result.cost)}")
    return [*lines, f"  {result.path}"] if result.path is not None else lines


def _mean(results: list[Any]) -> str:
    from ltjax.analysis.stats import format_mean, summary

    shown = {"accuracy": "accuracy", "balanced": "balanced_accuracy"}
    words = [f"{name} {format_mean(summary([r.metrics[key] for r in results]), 100)}" for name, key in shown.items()]
    return f"{results[0].label}, {len(results)} seeds: {', '.join(words)} (mean ± sample standard deviation)"
