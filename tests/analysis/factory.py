"""Synthetic run folders with numbers that can be checked by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

COUNTS = (200, 150, 60, 30, 10, 5)
TEST_COUNTS = (10,) * 6
CORRECT = (10, 9, 8, 6, 3, 2)
"""Right answers per class of the seed 0 of a plain run: 38 of 60; many .95, medium .7, few .25."""


def run_folder(root: Path, label: str = "erm", seed: int = 0, *, correct=CORRECT, counts=COUNTS,
               class_names=None, identity: str | None = None, epochs: int = 20, batch: int = 32,
               train_sha256: str = "rows", test_counts=TEST_COUNTS, done: bool = True, val: bool = True,
               posthoc=(), outputs: bool = False, config=None) -> Path:
    """Writes one run folder and returns its path."""
    identity = identity or hashlib.sha256(label.encode()).hexdigest()[:16]
    folder = root / "toy" / label.replace("/", "_").replace("<", "_") / identity[:8] / f"seed{seed}"
    folder.mkdir(parents=True)
    settings = {
        "seed": seed, "identity": identity, "label": label,
        "data": {"name": "toy_lt", "imbalance": 40, "augment": None},
        "model": {"name": "mlp", "width": 16}, "method": {"name": "erm"},
        "optim": {"epochs": epochs, "batch": batch}, "eval": {"groups": [100, 20], "bins": 15}, "run": {},
    }
    write(folder / "config.json", settings | (config or {}))
    write(folder / "env.json", {"versions": {"jax": "0.10.2", "numpy": "2.3.0"}, "device": "cpu x1"})
    write(folder / "split.json", {
        "counts": list(counts), "class_names": class_names or [f"class {k}" for k in range(len(counts))],
        "classes": len(counts), "train_sha256": train_sha256, "val_counts": None,
        "test_counts": list(test_counts),
    })
    write_lines(folder / "metrics.jsonl", history(seed, epochs, val))
    write_lines(folder / "events.jsonl", [
        {"event": "start", "time": 1.7e9}, {"event": "done", "time": 1.7e9 + 65, "seconds": 65.0,
                                            "steps_per_s": 120.0, "compile_s": 4.0}])
    if outputs:
        np.savez(folder / "outputs.npz", test_logits=np.zeros((60, len(counts))),
                 test_label=np.repeat(np.arange(len(counts)), test_counts), test_rows=np.arange(60))
    if done:
        write(folder / "test.json", {"metrics": metrics(correct, counts, test_counts),
                                     "posthoc": list(posthoc), "test_logits": "train_posterior"})
        (folder / "DONE").write_text("")
    return folder


def metrics(correct=CORRECT, counts=COUNTS, test_counts=TEST_COUNTS) -> dict:
    """The metrics of a test set where class k has `correct[k]` right; errors go to the largest class."""
    seen, right, n = np.array(test_counts), np.array(correct), int(sum(test_counts))
    per_class = right / seen
    sizes = np.array(counts)
    shots = {"many": sizes > 100, "few": sizes < 20}
    shots["medium"] = ~shots["many"] & ~shots["few"]
    confusion = np.diag(right)
    for k in range(len(counts)):
        confusion[k, 0 if k else 1] += seen[k] - right[k]
    accuracy = right.sum() / n
    return {
        "n": n, "accuracy": accuracy, "balanced_accuracy": per_class.mean(),
        **{name: {"classes": int(where.sum()), "accuracy": per_class[where].mean() if where.any() else None}
           for name, where in shots.items()},
        "per_class": {"seen": seen.tolist(), "correct": right.tolist()},
        "macro_f1": 0.5, "auc": 0.8, "nll": 1.25, "brier": 0.5,
        "ece": {"value": 0.125, "bins": 4, "binning": "equal_width", "count": [0, 20, 20, 20],
                "confidence": [None, 0.4, 0.6, 0.9], "accuracy": [None, 0.3, 0.5, 0.7]},
        "confusion": confusion.tolist(), "shifts": {},
    }


def history(seed: int, epochs: int, val: bool) -> list[dict]:
    """One training row per epoch and, where wanted, one validation row."""
    rows = []
    for e in range(1, epochs + 1):
        rise = 1 - 0.9 ** e
        rows.append({"kind": "train", "step": 10 * e, "epoch": float(e), "stage": "main", "lr": 0.1,
                     "loss": 2 * 0.9 ** e + 0.01 * seed, "accuracy": 0.9 * rise, "grad_norm": 1.0})
        if val:
            rows.append({"kind": "val", "step": 10 * e, "epoch": float(e), "stage": "main",
                         "accuracy": 0.7 * rise + 0.01 * seed, "balanced_accuracy": 0.6 * rise, "nll": 1.5,
                         "many": 0.8 * rise, "medium": 0.6 * rise, "few": None})
    return rows


def write(file: Path, value) -> None:
    file.write_text(json.dumps(value, default=lambda x: x.item()))


def write_lines(file: Path, rows) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
