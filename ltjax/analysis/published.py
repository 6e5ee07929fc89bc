"""Figures of papers, read from the user's own CSV file, to stand beside ours; none come with the package."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltjax.analysis.groups import Group
from ltjax.analysis.runs import RunError, number, printable

SPLITS = ("all", "many", "medium", "few", "balanced")
PAPER_NAMES = {
    "erm": "cross_entropy",
    "class_balanced_loss": "CB-CE",
    "drw": "weighted_cross_entropy+drw_schedule",
    "drs": "sampler_probabilities:effective_number+drw_schedule",
    "ldam_drw": "ldam+drw_schedule",
    "logit_adjust": "logit_adjust_posthoc",
    "logit_adjusted": "logit_adjusted_loss",
    "pairwise_margin": "pairwise_margin_loss:adaptive_margin",
    "vs": "vs_loss",
    "gcl": "GCL",
    "class_balanced_sampling": "sampler_probabilities:class",
    "square_root_sampling": "sampler_probabilities:power",
    "progressive_sampling": "sampler_probabilities:progressive",
    "effective_number_sampling": "sampler_probabilities:effective_number",
    "mamix": "mamix+drw_schedule",
    "unimix": "unimix+bayias",
    "cmo": "weighted_cross_entropy+drw_schedule+cutmix_cmo",
    "mislas": "MiSLAS",
    "balms": "BALMS",
    "weight_balancing": "tuned wd; CB + wd + MaxNorm",
    "causal_tde": "De-confound-TDE",
}
"""Our name of a method -> the key or name under which tables of published figures have it, where the two differ."""

ACCURACIES = {"", "top1_acc", "accuracy", "balanced_accuracy"}


@dataclass(frozen=True)
class Published:
    """One figure of a paper, in percent, with where it stands and in which setting it was measured."""

    key: str
    method: str
    split: str
    value: float
    source: str
    setting: Mapping[str, str]

    @property
    def text(self) -> str:
        """Source and what a reader must know of the setting."""
        told = [self.setting.get("backbone", "")]
        epochs = self.setting.get("epochs", "")
        told.append(f"{epochs} epochs" if epochs.isdigit() else epochs)
        if self.setting.get("confidence") == "recalled":
            told.append("recalled")
        told = [part for part in told if part]
        return self.source + (f" ({', '.join(told)})" if told else "")


def read_published(path: str | os.PathLike, **wanted: Any) -> list[Published]:
    """Rows of accuracy from a CSV file.

    Needed columns are `method` or `key`, and `value` (percent). Known beside them: `split` (all, many,
    medium, few, balanced), `metric`, `dataset`, `imbalance`, `profile`, `backbone`, `epochs`, `source_paper`,
    `source_table`, `reported_by`, `confidence`, and `label`, which names the row of our table outright.

    Args:
      path: the file.
      wanted: column -> the value that a row must have there, for example `dataset="cifar100_lt"`.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing. Give a CSV file with columns method, split, value.")
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        names = set(reader.fieldnames or ())
        lost = [name for name in ("value", *wanted) if name not in names]
        if lost or not names & {"method", "key", "label"}:
            needed = ", ".join(("method or key", "value", *wanted))
            raise RunError(f"{file} needs the columns {needed}; found {', '.join(sorted(names)) or 'none'}.")
        rows = [{k: printable(v or "").strip() for k, v in row.items() if k} for row in reader]
    found = []
    for row in rows:
        split = row.get("split") or "all"
        if row.get("metric", "").lower() not in ACCURACIES or not _fits(row, wanted):
            continue
        if row.get("metric") == "balanced_accuracy" and split == "all":
            split = "balanced"
        try:
            value = number(float(row["value"]))
        except ValueError:
            value = None
        if value is None or split not in SPLITS:
            continue
        source = ", ".join(part for part in (row.get("source_paper"), row.get("source_table")) if part)
        found.append(Published(row.get("label") or row.get("key", ""), row.get("method", ""), split, value,
                               source or file.name, row))
    return found


def matching(published: Iterable[Published], group: Group) -> dict[str, tuple[Published, ...]]:
    """Split -> figures for this group: same method, data set, imbalance and profile; originals first."""
    names = _names(group.first.label)
    setting = {
        "dataset": group.first.setting("data", "name"),
        "imbalance": group.first.setting("data", "ir", "imbalance"),
        "profile": group.first.setting("data", "profile"),
    }
    found: dict[str, list[Published]] = {}
    for figure in published:
        if names & {_plain(figure.key), _plain(figure.method)} and _fits(figure.setting, setting):
            found.setdefault(figure.split, []).append(figure)
    return {split: tuple(sorted(figures, key=lambda figure: figure.setting.get("reported_by") != "original"))
            for split, figures in found.items()}


def _fits(row: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """False where a column and a wanted value are both known and differ."""
    return all(not row.get(column) or value is None or _same(row[column], value)
               for column, value in wanted.items())


def _same(text: str, value: Any) -> bool:
    try:
        return float(text) == float(value)
    except (TypeError, ValueError):
        return _plain(text) == _plain(str(value))


def _names(label: str) -> set[str]:
    plain = _plain(label)
    names = {plain, plain.removeprefix("erm_")}
    return names | {_plain(PAPER_NAMES[name]) for name in names if name in PAPER_NAMES} | (
        {"ce", "ce_erm"} if "erm" in names else set())


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
