"""What a run ends with: test outputs, post-hoc rules, metrics, written once."""

from __future__ import annotations

import inspect
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ltjax import metrics
from ltjax.registry import ConfigError
from ltjax.train.experiment import Experiment
from ltjax.train.rundir import RunFolder, read_json


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
      metrics: test metrics after the method's post-hoc rules; `raw` without them (None if there are no rules).
      history: the rows of metrics.jsonl.
      outputs: `test_logits`, `test_label`, `test_rows` and the same for `val`.
      params, model_state: of the last step, or of the chosen one under `eval.select`; None for a run read back.
      seconds, compile_seconds, steps_per_second, peak_bytes: cost; None where unknown.
    """

    label: str
    seed: int
    path: Path | None
    config: dict[str, Any]
    metrics: dict[str, Any]
    raw: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    outputs: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    params: Any = field(default=None, repr=False)
    model_state: Any = field(default=None, repr=False)
    terms: Any = field(default=None, repr=False)
    projection: Any = field(default=None, repr=False)
    cost: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        m = self.metrics

        def percent(value):
            return "-" if value is None else f"{100 * value:.1f}"

        groups = ", ".join(f"{g} {percent(m[g]['accuracy'])}" for g in ("many", "medium", "few"))
        return (f"{self.label}, seed {self.seed}: accuracy {percent(m['accuracy'])}, "
                f"balanced {percent(m['balanced_accuracy'])} ({groups}), NLL {m['nll']:.3f}, "
                f"ECE {percent(m['ece']['value'])}")


def score(exp: Experiment, logits, labels) -> dict[str, Any]:
    """All metrics of some logits under the config's settings; extra columns of a head are left out."""
    settings = exp.config["eval"]
    return metrics.evaluate(np.asarray(logits, np.float64)[:, : exp.stats.classes], np.asarray(labels), stats=exp.stats,
                            groups=tuple(settings["groups"]), bins=settings["bins"], shifts=tuple(settings["shifts"]))


def apply_rules(exp: Experiment, splits: dict[str, dict[str, np.ndarray]], labels: dict[str, np.ndarray]):
    """The post-hoc rules in order on every split's outputs; fitted rules fit on the split that they declare."""
    splits = {name: {k: np.asarray(v, np.float64) for k, v in out.items()} for name, out in splits.items()}
    for part, options in exp.posthoc:
        given = dict(options)
        if part.meta.get("fit"):
            on = part.meta["fit_on"]
            fit = part.meta["fit"]
            wanted = inspect.signature(fit).parameters
            given["params"] = fit(splits[on], labels[on], stats=exp.stats,
                                  **{k: v for k, v in options.items() if k in wanted})
        splits = {name: {**out, "logits": np.asarray(part.fn(out, stats=exp.stats, **given))}
                  for name, out in splits.items()}
    return {name: out["logits"] for name, out in splits.items()}


def conclude(exp: Experiment, seed: int, folder: RunFolder, splits, state, history, cost) -> Result:
    """Scores the test split and writes outputs.npz, test.json and DONE, in that order."""
    labels = {name: np.asarray(split["label"]) for name, split in exp.dataset.splits.items()}
    raw = splits["test"]["logits"]
    final = apply_rules(exp, splits, labels)["test"] if exp.posthoc else raw
    measured = score(exp, final, labels["test"])
    plain = score(exp, raw, labels["test"]) if exp.posthoc else None
    outputs: dict[str, np.ndarray] = {}
    for name in ("val", "test"):
        if name in splits:
            outputs |= {f"{name}_logits": np.asarray(splits[name]["logits"]), f"{name}_label": labels[name],
                        f"{name}_rows": exp.dataset.splits[name]["index"]}
    if exp.posthoc:
        outputs["test_logits_final"] = np.asarray(final)
    if exp.config["eval"]["save_outputs"]:
        folder.save_arrays("outputs.npz", outputs)
    record = {"metrics": measured, "posthoc": exp.config["posthoc"], "test_logits": exp.test_logits}
    folder.write("test.json", {**record, "raw": plain} if plain else record)
    folder.event("done", **cost)
    folder.finish()
    return Result(exp.label, seed, folder.path, exp.config, measured, plain, history, outputs, state.params,
                  state.model_state, state.terms, state.project, cost)


def read_back(exp: Experiment, folder: RunFolder, seed: int) -> Result:
    """The result of a finished run folder; parameters stay on disk."""
    test = read_json(folder / "test.json")
    if test is None:
        raise ConfigError(f"{folder.path} is marked DONE but its test.json cannot be read. Remove the folder to train "
                          "the run again.")
    return Result(exp.label, seed, folder.path, exp.config, test["metrics"], test.get("raw"), folder.history(),
                  _stored_outputs(folder / "outputs.npz"))


def _stored_outputs(path: Path) -> dict[str, np.ndarray]:
    """The arrays of outputs.npz, nothing if there is none; a file that is no plain archive of arrays is refused."""
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {k: arrays[k] for k in arrays}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"{path} cannot be read as plain arrays ({error}). Remove the run folder to train the run "
                          "again.") from None
