"""Chunks of steps on the device against a Python loop of the same jitted step, in turn, as ratios.

    python -m tests.speed.chunks            (small CNN on digits, and ResNet-32 at batch 128)
    python -m tests.speed.chunks --only digits
"""

from __future__ import annotations

import argparse

from experiments.accelerator import speed_config
from experiments.timing import Bench, alternate
from ltjax import config as configs


def digits():
    config = configs.plain(configs.base())
    config["model"] = {"name": "small_cnn"}
    config["optim"] |= {"batch": 32, "epochs": 100}
    config["run"]["root"] = ""
    return config


def compare(name: str, config, steps: int, rounds: int) -> None:
    """Prints medians and ratios for `steps` steps in one call and in `steps` calls."""
    chunked = Bench(config)
    single = Bench({**config, "run": {**config["run"], "chunk_steps": 1}})

    def loop():
        for _ in range(steps):
            single.run(1)

    median = alternate({"chunk": lambda: chunked.run(steps), "loop": loop}, rounds)
    chunk, host = (steps / median[k] for k in ("chunk", "loop"))
    print(f"{name}: chunk of {steps} steps {chunk:.1f} steps/s, Python loop of the jitted step {host:.1f} steps/s, "
          f"ratio {chunk / host:.2f} (medians of {rounds} alternating rounds)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("digits", "resnet32"))
    args = parser.parse_args()
    if args.only != "resnet32":
        compare("small CNN on digits, batch 32", digits(), 200, 9)
    if args.only != "digits":
        compare("ResNet-32 on 32x32 images, batch 128", speed_config(128, "float32", 4, False), 4, 5)


if __name__ == "__main__":
    main()
