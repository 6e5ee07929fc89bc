"""What an accelerator gives: speed of ResNet-32 against its floor, and headline runs beside the published figures.

    python -m experiments.accelerator speed --budget 240
    python -m experiments.accelerator headline --budget 400 --root DATA --methods erm,ldam_drw,balanced_softmax

Resumable: a measurement whose JSON lies in `experiments/results/` is not repeated, and none is begun when the budget
(seconds) is spent. `--smoke` shrinks everything so that a laptop's CPU can try the program.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
HEADLINE = ("erm", "ldam_drw", "balanced_softmax", "logit_adjusted", "drw", "crt")


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "headline"))
    parser.add_argument("--budget", type=float, default=240.0, help="seconds after which nothing new is begun")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--root", default="", help="folder of the image arrays (see `ltjax doctor`)")
    parser.add_argument("--methods", default=",".join(HEADLINE))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(argv)
    args.results.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    work = speed_grid(args) if args.what == "speed" else headline_grid(args)
    for name, run in work:
        path = args.results / f"{name}.json"
        if path.exists():
            print(f"{name}: there already")
        elif time.monotonic() - began > args.budget:
            print(f"{name}: left for another time (budget spent)")
        else:
            record = {"name": name, **run(), "device": device()}
            path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
            print(json.dumps(record), flush=True)


def device() -> dict:
    import jax

    one = jax.devices()[0]
    return {"platform": one.platform, "kind": one.device_kind, "count": jax.device_count(), "jax": jax.__version__}


# speed -----------------------------------------------------------------------------------------------------------


def speed_grid(args):
    """(name, measurement): compute types, seeds side by side, chunk lengths, and a Python loop of single steps."""
    batch = 8 if args.smoke else 128
    for seeds, chunk in ((1, 256), (4, 256), (1, 1), (8, 256), (1, 16)):
        for dtype in ("float32", "bfloat16"):
            yield (f"speed_resnet32_b{batch}_{dtype}_seeds{seeds}_chunk{chunk}",
                   lambda d=dtype, s=seeds, c=chunk: measure_speed(batch, d, s, c, args.smoke))


def measure_speed(batch: int, dtype: str, seeds: int, chunk: int, smoke: bool) -> dict:
    """Steps per second of the trainer's own program on random images, and what the step asks of the device."""
    import jax

    from experiments.timing import Bench

    bench = Bench(speed_config(batch, dtype, chunk, smoke), seeds)
    steps = bench.program.capacity
    step_s = float(np.median([bench.run(steps) for _ in range(3 if smoke else 10)])) / steps
    memory = jax.devices()[0].memory_stats() or {}
    flops = 3 * 2 * resnet32_macs() * batch * seeds
    return {"batch": batch, "dtype": dtype, "seeds": seeds, "chunk": steps, "step_ms": 1e3 * step_s,
            "steps_per_s": 1 / step_s, "seed_steps_per_s": seeds / step_s, "images_per_s": seeds * batch / step_s,
            "compile_s": bench.compile_s, "peak_bytes": memory.get("peak_bytes_in_use"),
            "model_flops_per_step": flops, "model_tflops": flops / step_s / 1e12}


def resnet32_macs() -> int:
    """Multiply-adds of one forward pass on 32x32x3: stem, 3 stages of 5 blocks of two 3x3 convolutions, head."""
    macs, size, width = 32 * 32 * 9 * 3 * 16, 32, 16
    for stage in range(3):
        for block in range(5):
            into = width if block or not stage else width // 2
            macs += size * size * 9 * width * (into + width)
        size, width = (size // 2, width * 2) if stage < 2 else (size, width)
    return macs + 64 * 100


def speed_config(batch, dtype, chunk, smoke):
    from ltjax import config as configs

    config = configs.plain(configs.base())
    rows = 64 if smoke else 12_800
    path = Path("/tmp") / f"ltjax_speed_{rows}.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        y = np.arange(rows) % (10 if smoke else 100)
        np.savez(path, train_x=rng.integers(0, 256, (rows, 32, 32, 3), np.uint8), train_y=y,
                 test_x=rng.integers(0, 256, (100, 32, 32, 3), np.uint8), test_y=np.arange(100) % (y.max() + 1))
    config["data"] = {"name": "npz", "path": str(path), "augment": ({"name": "crop"}, {"name": "flip"})}
    config["model"] = {"name": "resnet20" if smoke else "resnet32", "dtype": dtype}
    config["optim"] |= {"batch": batch, "epochs": 3}
    config["run"] |= {"root": "", "chunk_steps": min(chunk, 2) if smoke else chunk}
    return config


# headline --------------------------------------------------------------------------------------------------------


def headline_grid(args):
    """(name, run): CIFAR-100-LT at imbalance 100, each method's seeds in one program."""
    for method in args.methods.split(","):
        yield f"cifar100_lt_ir100_{method}_{args.dtype}", lambda m=method: headline(m, args)


def headline(method: str, args) -> dict:
    """Test metrics of the last epoch for every seed, with time."""
    from ltjax import config as configs
    from ltjax.train.loop import fit
    from ltjax.train.prepare import prepare
    from ltjax.train.progress import Lines

    config = configs.load("cifar100_lt:ir=100")
    configs.apply_set(config, f"method.name={method}")
    config["data"]["root"] = args.root
    config["model"]["dtype"] = args.dtype
    config["run"] |= {"root": "", "checkpoint_minutes": 60.0}
    if args.smoke:
        config["model"] = {"name": "small_cnn"}
        config["optim"] |= {"epochs": 10, "batch": 64}
    began = time.perf_counter()
    stats = prepare(config).stats
    results = fit(config, seeds=list(range(args.seeds)), progress=Lines())
    pick = ("accuracy", "balanced_accuracy", "nll")
    rows = [{"seed": r.seed, **{k: r.metrics[k] for k in pick}, "ece": r.metrics["ece"]["value"],
             **{g: r.metrics[g]["accuracy"] for g in ("many", "medium", "few")}} for r in results]
    if method == "erm":  # the same networks under the post-hoc rule: no further training
        for row, r in zip(rows, results):
            adjusted = r.outputs["test_logits"] - np.log(stats.prior)[None]
            row["logit_adjust_accuracy"] = float((adjusted.argmax(1) == r.outputs["test_label"]).mean())
    accuracy = np.array([row["accuracy"] for row in rows])
    return {"method": results[0].label, "epochs": config["optim"]["epochs"], "dtype": args.dtype, "seeds": rows,
            "accuracy_mean": float(accuracy.mean()),
            "accuracy_sd": float(accuracy.std(ddof=1)) if len(rows) > 1 else None,
            "seconds": time.perf_counter() - began, **{f"cost_{k}": v for k, v in results[0].cost.items()}}


if __name__ == "__main__":
    main()
