"""What `train` and `compare` do alike: seeds in one program, and a finished run in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def train_seeds(config: dict[str, Any], seeds: Sequence[int], *, together: int = 0, recipes: bool = False,
                extend: str | None = None, progress: Any = None) -> list[Any]:
    """Results of the seeds, at most `together` of them in one program (0: all, or `run.vmap_seeds` if set)."""
    from ltjax.train.loop import fit

    asked = config["run"]["vmap_seeds"]
    size = together or (asked if isinstance(asked, int) and asked > 1 else len(seeds))
    results = []
    for first in range(0, len(seeds), size):
        results += fit(config, seeds=seeds[first: first + size], recipes=recipes, extend=extend, progress=progress)
    return results


def seeds_of(config: dict[str, Any], count: int) -> list[int]:
    """`count` seeds from the config's own on."""
    from ltjax.registry import check_type

    first = check_type("config.seed", config["seed"], 0)
    return list(range(first, first + count))


def cost_in_words(cost: dict[str, Any]) -> str:
    """`compiled in 1.9 s, 2761 steps/s with 3 seeds together, 5.1 s in all, peak memory 556 MB (process)`."""
    words = []
    if cost.get("compile_s") is not None:
        words.append(f"compiled in {cost['compile_s']:.1f} s")
    if cost.get("steps_per_s"):
        seeds = cost.get("seeds_together", 1)
        words.append(f"{cost['steps_per_s']:.4g} steps/s" + (f" with {seeds} seeds together" if seeds > 1 else ""))
    if cost.get("seconds") is not None:
        words.append(f"{cost['seconds']:.1f} s in all")
    if cost.get("peak_bytes"):
        words.append(f"peak memory {cost['peak_bytes'] / 1e6:.0f} MB ({cost.get('peak_of', 'process')})")
    return ", ".join(words)


def stored_cost(path: Any) -> dict[str, Any]:
    """The cost that a finished run recorded."""
    from ltjax.analysis import load_run

    done = [dict(event) for event in load_run(path).events if event.get("event") == "done"]
    return done[-1] if done else {}
