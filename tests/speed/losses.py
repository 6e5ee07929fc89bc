"""Each loss, term and mixer alone, against cross-entropy and a ResNet-32 step: time and temporary memory.

    python -m tests.speed.losses                      (shares of a ResNet-32 step at batch 128)
    python -m tests.speed.losses --shapes 128x100 512x1000 256x8142   (batch x classes, against cross-entropy)
    python -m tests.speed.losses --shapes 256x8142 --rounds 0         (memory alone)

Losses and terms run forward and backward, mixers forward on images of 32 x 32 pixels. Memory is what the compiled
program needs beside its arguments and results. For losses and terms it is told in arrays of batch x classes numbers,
for mixers in batches of images; what needs more than `MANY` is marked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.accelerator import speed_config
from experiments.timing import Bench, alternate
from ltjax import registry
from ltjax.types import ClassStats, Context, Sum

MANY = 8
WIDTH, ROWS, PIXELS = 64, 10_847, (32, 32, 3)


class Program(NamedTuple):
    """A compiled call, and its temporary memory in the arrays that its kind is measured by."""

    run: Callable[[], Any]
    arrays: float


def compiled(f, unit: int, *args) -> Program:
    """`f` compiled for its arguments; memory in units of so many float32 numbers."""
    program = jax.jit(f).lower(*args).compile()
    program(*args)
    return Program(lambda: jax.block_until_ready(program(*args)),
                   program.memory_analysis().temp_size_in_bytes / (4 * unit))


def setting(batch: int, classes: int):
    """Class counts of a long tail, and random logits and labels."""
    rng = np.random.default_rng(0)
    stats = ClassStats(np.maximum(500 * 0.01 ** (np.arange(classes) / max(classes - 1, 1)), 1).astype(int))
    logits = jnp.asarray(rng.normal(size=(batch, classes)), jnp.float32)
    return stats, logits, jnp.asarray(rng.integers(0, classes, batch))


def losses(batch: int, classes: int) -> dict[str, Program]:
    """Loss name -> its gradient; losses of other targets than a label are left out."""
    stats, logits, labels = setting(batch, classes)
    made = {}
    for name in registry.names("loss"):
        part, options = registry.bind("loss", name)
        if part.supplied - {"stats", "key", "weight"} or part.meta.get("reads", "label") != "label":
            continue

        def total(z, labels, key, weight, part=part, options=options):
            given = {"stats": stats, "key": key, "weight": weight}
            return part.fn(z, labels, **options, **{k: v for k, v in given.items() if k in part.supplied}).mean()

        made[name] = compiled(jax.grad(total), batch * classes, logits, labels, jax.random.key(0), jnp.ones(batch))
    return made


def terms(batch: int, classes: int) -> dict[str, Program]:
    """Term name -> its gradient and new state, on one device."""
    stats, logits, labels = setting(batch, classes)
    key = jax.random.key(1)
    features, classifier = jax.random.normal(key, (batch, WIDTH)), jax.random.normal(key, (classes, WIDTH))
    plain = {"logits": logits, "features": features, "projection": features, "classifier": classifier}
    rows = {"label": labels, "index": jnp.arange(batch), "mask": jnp.ones(batch), "weight": jnp.ones(batch)}
    spec = {"features": WIDTH, "classes": classes, "rows": ROWS, "batch": batch, "dtype": jnp.float32,
            "projection": WIDTH}
    made = {}
    for name in registry.names("term"):
        part, options = registry.bind("term", name)
        term = part.fn(**options)
        outputs = {k: jnp.stack([v, v]) if "views" in part.meta["needs"] and k != "classifier" else v
                   for k, v in plain.items()}
        outputs |= {network: plain for network in ("ema", "teacher") if network in part.meta["needs"]}

        def total(outputs, state, rows, step, term=term):
            value, new, _ = term.apply(state, outputs, rows, Context(stats, step, 0, 0.0, key))
            return (value.num / value.den if isinstance(value, Sum) else jnp.mean(value)), new

        state = term.init(key, spec)
        made[name] = compiled(jax.grad(total, has_aux=True), batch * classes, outputs, state, rows, jnp.int32(1))
    return made


def mixers(batch: int, classes: int) -> dict[str, Program]:
    """Mixer name -> its draws and the mixed batch."""
    stats, _, labels = setting(batch, classes)
    images = jax.random.normal(jax.random.key(2), (batch, *PIXELS))
    rows = {"x": images, "label": labels, "index": jnp.arange(batch), "mask": jnp.ones(batch)}
    pair = {**rows, "other": {**rows, "x": images[::-1], "label": labels[::-1]}}
    made = {}
    for name in registry.names("mixer"):
        part, options = registry.bind("mixer", name)
        mixer = part.fn(**options)

        def mixed(pair, key, step, mixer=mixer):
            ctx = Context(stats, step, step, 0.5, None, extra={"epochs": 2})
            out = mixer.mix(pair, mixer.draw(key, pair, ctx), stats, ctx)
            return {k: out[k] for k in ("x", "label2", "ratio")}

        made[name] = compiled(mixed, images.size, pair, jax.random.key(3), jnp.int32(1))
    return made


def told(kind: str, programs: dict[str, Program], spent: dict[str, float], step: float | None, shape: str) -> None:
    """A line per part, the slowest (or without times the hungriest) first."""
    for name in sorted(programs, key=lambda n: (-spent.get(n, 0.0), -programs[n].arrays)):
        arrays, words = programs[name].arrays, []
        if name in spent:
            words.append(f"{1e6 * spent[name]:.0f} us, {spent[name] / spent['ce']:.2f} x ce")
            words += [f"{100 * spent[name] / step:.2f} % of the step"] if step else []
        of = "batches of images" if kind == "mixer" else "arrays of batch x classes"
        words.append(f"temporary memory {arrays:.1f} {of}" + (" (MANY)" if arrays > MANY else ""))
        print(f"[{shape}] {kind} {name}: {', '.join(words)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=51, help="of timing in turn; 0 tells the memory alone")
    args = parser.parse_args()
    step = None
    if not args.shapes and args.rounds:
        bench = Bench(speed_config(128, "float32", 1, False))
        step = float(np.median([bench.run(1) for _ in range(5)]))
        print(f"ResNet-32 step at batch 128: {1e3 * step:.1f} ms")
    for shape in args.shapes or ["128x100"]:
        batch, classes = (int(n) for n in shape.split("x"))
        made = {"loss": losses(batch, classes), "term": terms(batch, classes), "mixer": mixers(batch, classes)}
        for kind, programs in made.items():
            timed = {**programs, "ce": made["loss"]["ce"]} if args.rounds else {}
            told(kind, programs, alternate({n: p.run for n, p in timed.items()}, args.rounds), step, shape)


if __name__ == "__main__":
    main()
