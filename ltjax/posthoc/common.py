"""What the rules share: reading outputs in float64, the target prior, a search on a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.special import log_softmax

from ltjax.registry import ConfigError
from ltjax.types import ClassStats

Outputs = dict[str, Any]


def logits_of(outputs: Outputs, stats: ClassStats) -> np.ndarray:
    """Logits of the classes, float64 [n, C]; columns beyond them are left out."""
    return np.asarray(outputs["logits"], np.float64)[:, : stats.classes]


def read(outputs: Outputs, name: str, rule: str) -> np.ndarray:
    """Another output in float64, or one sentence that says which rule misses it."""
    if name not in outputs:
        raise ConfigError(f"post-hoc rule {rule!r} reads the output {name!r}, which the head of this run "
                          "does not return; use it with the 'linear' head.")
    return np.asarray(outputs[name], np.float64)


def classifier_of(outputs: Outputs, rule: str) -> np.ndarray:
    """Weights of the classifier, float64 [C, d]."""
    weights = read(outputs, "classifier", rule)
    if weights.ndim != 2:
        raise ConfigError(f"post-hoc rule {rule!r} needs one classifier [C, d], but this head has "
                          f"{weights.shape}.")
    return weights


def with_target(logits: np.ndarray, target_log_prior) -> np.ndarray:
    """Adds the log prior of the test set to logits of balanced classes; None means a uniform one."""
    if target_log_prior is None:
        return logits
    target = np.asarray(target_log_prior, np.float64)
    if target.shape != logits.shape[-1:]:
        raise ConfigError(f"target_log_prior has shape {target.shape}, but there are {logits.shape[-1]} "
                          "classes: give one number per class.")
    return logits + target[None, :]


def keeps_prior(rule: str, target_log_prior) -> None:
    """Refuses a target prior for a rule that does not change what the logits' prior is."""
    if target_log_prior is not None:
        raise ConfigError(f"post-hoc rule {rule!r} leaves the prior of the logits as it is and takes no "
                          "target_log_prior; let 'pc_softmax' follow it.")


def unit(x: np.ndarray) -> np.ndarray:
    """Rows divided by their length along the last axis; zero rows stay zero."""
    return x / guarded(np.linalg.norm(x, axis=-1, keepdims=True))


def guarded(length: np.ndarray) -> np.ndarray:
    """Lengths with zeros replaced by one."""
    return np.where(length > 0, length, 1.0)


def best_of(candidates: Iterable[float], score: Callable[[float], float]) -> float:
    """The candidate with the highest score, the first on ties."""
    candidates = [float(c) for c in candidates]
    return candidates[int(np.argmax([score(c) for c in candidates]))]


MEASURES = ("balanced_accuracy", "accuracy", "balanced_nll", "nll")


def measured(logits: np.ndarray, labels: np.ndarray, measure: str) -> float:
    """How good logits are on a validation split, higher is better; balanced means each class counts alike."""
    labels = np.asarray(labels)
    if measure.endswith("nll"):
        value = np.take_along_axis(log_softmax(logits, axis=1), labels[:, None], axis=1)[:, 0]
    else:
        value = (logits.argmax(1) == labels).astype(np.float64)
    if not measure.startswith("balanced"):
        return float(value.mean())
    seen = np.bincount(labels)
    return float((np.bincount(labels, value)[seen > 0] / seen[seen > 0]).mean())
