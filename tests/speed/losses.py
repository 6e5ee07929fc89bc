"""Each loss and class weighting alone, forward and backward, against a ResNet-32 step and against cross-entropy.

    python -m tests.speed.losses                     (shares of a ResNet-32 step at batch 128)
    python -m tests.speed.losses --shapes 512x1000   (other sizes, against cross-entropy only)
"""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from experiments.accelerator import speed_config
from experiments.timing import Bench, alternate
from ltjax import registry
from ltjax.types import ClassStats


def gradients(batch: int, classes: int):
    """Loss name -> a compiled function that does its forward and backward pass once on fixed logits."""
    rng = np.random.default_rng(0)
    stats = ClassStats(np.maximum(500 * 0.01 ** (np.arange(classes) / max(classes - 1, 1)), 1).astype(int))
    logits = jnp.asarray(rng.normal(size=(batch, classes)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, classes, batch))
    made = {}
    for name in registry.names("loss"):
        part, options = registry.bind("loss", name)
        given = {"stats": stats, "key": jax.random.key(0), "weight": jnp.ones(batch)}
        given = {k: v for k, v in given.items() if k in part.supplied}
        if part.supplied - given.keys() or part.meta.get("reads", "label") != "label":
            continue
        step = jax.jit(jax.grad(lambda z, p=part, o=options, g=given: p.fn(z, labels, **o, **g).mean()))
        step(logits).block_until_ready()
        made[name] = lambda step=step: step(logits).block_until_ready()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=51)
    args = parser.parse_args()
    step = None
    if not args.shapes:
        bench = Bench(speed_config(128, "float32", 1, False))
        step = float(np.median([bench.run(1) for _ in range(5)]))
        print(f"ResNet-32 step at batch 128: {1e3 * step:.1f} ms")
    for shape in args.shapes or ["128x100"]:
        batch, classes = (int(n) for n in shape.split("x"))
        spent = alternate(gradients(batch, classes), args.rounds)
        for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
            share = f", {100 * seconds / step:.2f} % of the step" if step else ""
            print(f"[{batch}, {classes}] {name}: {1e6 * seconds:.0f} us, {seconds / spent['ce']:.2f} x ce{share}")


if __name__ == "__main__":
    main()
