"""How close do methods come to the best possible balanced accuracy as the long tail grows longer in examples?

    python -m experiments.bayes                      (three sizes, three seeds, about two minutes on two cores)
    python -m experiments.bayes --largest 20000 --seeds 5

The data is a Gaussian mixture whose Bayes-optimal balanced accuracy is known, so the last column is the truth and not
another estimate. Cross-entropy tends to the Bayes rule of the training prior, whose balanced accuracy is known too.
"""

from __future__ import annotations

import argparse

import numpy as np

from ltjax import config as configs
from ltjax.data.base import load
from ltjax.train.loop import fit

METHODS = ("erm", "balanced_softmax", "logit_adjust", "class_balanced_sampling")


def main(argv=None) -> list[dict]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, nargs="*", default=[500, 4000, 32000], help="largest class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    args = parser.parse_args(argv)
    rows = []
    for largest in args.largest:
        truth = load({"name": "synthetic", "largest": largest}).truth
        for method in args.methods.split(","):
            accuracy = balanced_accuracy(method, largest, args.seeds)
            gap = truth["bayes_balanced_accuracy"] - accuracy
            spread = accuracy.std(ddof=1) if args.seeds > 1 else float("nan")
            rows.append({"largest": largest, "method": method, "mean": accuracy.mean(), "gap": gap.mean()})
            print(f"largest class {largest:>6}  {method:<24} balanced accuracy {100 * accuracy.mean():.2f} "
                  f"± {100 * spread:.2f}  below Bayes ({100 * truth['bayes_balanced_accuracy']:.2f}) by "
                  f"{100 * gap.mean():.2f}", flush=True)
        print(f"largest class {largest:>6}  {'(rule of the training prior)':<24} balanced accuracy "
              f"{100 * truth['train_rule_balanced_accuracy']:.2f}")
    return rows


def balanced_accuracy(method: str, largest: int, seeds: int) -> np.ndarray:
    """Balanced test accuracy of each seed, at a number of steps that does not depend on the size of the data."""
    config = configs.load("synthetic")
    configs.apply_set(config, f"method.name={method}")
    config["data"] |= {"largest": largest}
    config["optim"] |= {"batch": 256, "lr": 0.05, "weight_decay": 0.0, "epochs": 1}
    rows = int(load(config["data"]).counts.sum())
    config["optim"]["epochs"] = max(10, 4000 // max(rows // 256, 1))
    config["run"]["root"] = ""
    return np.array([r.metrics["balanced_accuracy"] for r in fit(config, seeds=list(range(seeds)))])


if __name__ == "__main__":
    main()
