"""Pictures of errors: reliability of the confidences, confusion of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ltjax.analysis.figures import INK, MUTED, PALETTE, drawn, new_figure
from ltjax.analysis.groups import Group
from ltjax.analysis.runs import mapping, number
from ltjax.analysis.stats import format_mean, summary
from ltjax.analysis.table import COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 8
"""Methods in one reliability diagram."""

ANNOTATED = 12
"""Up to so many classes a confusion matrix carries names and numbers."""

MOST_CELLS = 120
"""More classes are joined with neighbours in frequency."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Confidence bins summed over seeds; `confidence` and `accuracy` are NaN where a bin is empty."""

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def pooled_bins(group: Group) -> Bins | None:
    """The bins of all seeds of a group together, None where no run has them."""
    total: np.ndarray | None = None
    for run in group.runs:
        ece = mapping(run.metrics.get("ece"))
        columns = [ece.get(key) for key in ("count", "confidence", "accuracy")]
        if not all(isinstance(column, list) for column in columns):
            continue
        count, confidence, accuracy = (np.array([number(v) or 0.0 for v in c or ()]) for c in columns)
        if not count.size or not count.shape == confidence.shape == accuracy.shape:
            continue
        sums = np.stack([count, count * confidence, count * accuracy])
        if total is None or total.shape == sums.shape:
            total = sums if total is None else total + sums
    if total is None or not total[0].sum():
        return None
    means = np.divide(total[1:], total[:1], out=np.full(total[1:].shape, np.nan), where=total[:1] > 0)
    return Bins(total[0], means[0], means[1])


@drawn
def reliability(groups: Sequence[Group]) -> Figure:
    """Accuracy against confidence per method, below it the share of examples in each bin (seeds pooled)."""
    found = [(group, bins) for group in groups if (bins := pooled_bins(group)) is not None][:MOST_PANELS]
    rows = -(-len(found) // 7) or 1
    columns = -(-len(found) // rows) or 1
    figure = new_figure(max(2.4 * columns, 12.0 if columns > 3 else 0.0), 3.0 * rows)
    top = max((float((bins.count / bins.count.sum()).max()) for _, bins in found), default=1.0)
    parts = figure.subfigures(rows, columns, squeeze=False).flat
    for i, (part, (group, bins)) in enumerate(zip(parts, found)):
        upper, lower = part.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (4, 1)})
        edges = np.linspace(0, 1, len(bins.count) + 1)
        middle, width = (edges[:-1] + edges[1:]) / 2, 0.92 / len(bins.count)
        full = bins.count > 0
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=":")
        upper.bar(middle[full], bins.accuracy[full], width=width, color=PALETTE[0], alpha=0.85)
        upper.bar(middle[full], (bins.confidence - bins.accuracy)[full], width=width,
                  bottom=bins.accuracy[full], color="none", edgecolor=PALETTE[1], linewidth=1.1, hatch="////")
        upper.set(xlim=(0, 1), ylim=(0, 1), yticks=(0, 0.5, 1), yticklabels=("0", ".5", "1"))
        ece = summary([v for run in group.runs if (v := COLUMNS["ece"].read(run)) is not None])
        upper.set_title(f"{group.label[:24]}\nECE {format_mean(ece, 100)}")
        lower.bar(middle, bins.count / bins.count.sum(), width=width, color=MUTED)
        lower.set(ylim=(0, top), yticks=(0, top), xticks=(0, 0.5, 1), xticklabels=("0", ".5", "1"))
        lower.set_yticklabels(("0", f"{100 * top:.0f} %"))
        if i % columns == 0:
            upper.set_ylabel("accuracy")
            lower.set_ylabel("share")
        if i // columns == rows - 1 or i + columns >= len(found):
            lower.set_xlabel("confidence")
    return figure


def pooled_confusion(group: Group) -> np.ndarray | None:
    """Confusion counts [true, predicted] of all seeds together, None where no run has a whole matrix."""
    classes = len(group.first.counts)
    total = np.zeros((classes, classes))
    for run in group.runs:
        rows = run.metrics.get("confusion")
        if not isinstance(rows, list) or len(rows) != classes:
            continue
        if all(isinstance(row, list) and len(row) == classes for row in rows):
            total += np.array([[number(v) or 0.0 for v in row] for row in rows])
    return total if total.sum() else None


@drawn
def confusion(group: Group) -> Figure:
    """Where the test examples of each class go: rows sum to 100 %, frequent classes first, seeds pooled."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm

    figure = new_figure(4.4, 4.1)
    axes = figure.subplots()
    counts = pooled_confusion(group)
    if counts is None:
        counts = np.zeros((len(group.first.counts),) * 2)
    order = np.argsort(-group.first.counts, kind="stable")
    blocks = np.array_split(order, min(len(order), MOST_CELLS))
    joined = np.array([[counts[np.ix_(a, b)].sum() for b in blocks] for a in blocks])
    share = 100 * joined / np.maximum(joined.sum(axis=1, keepdims=True), 1e-300)
    clear = LinearSegmentedColormap.from_list("clear", [(*_rgb(PALETTE[0]), 0.0), (*_rgb(PALETTE[0]), 1.0)])
    crowded = len(blocks) > ANNOTATED  # small shares must be seen without numbers
    norm = PowerNorm(0.5, 0, 100) if crowded else Normalize(0, 100)
    mesh = axes.pcolormesh(share, cmap=clear, norm=norm, rasterized=len(blocks) > 30)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(group.label[:48])
    if not crowded:
        names = [group.first.class_names[k][:14] for k in order]
        middle = np.arange(len(order)) + 0.5
        axes.set_xticks(middle, names, rotation=40, ha="right")
        axes.set_yticks(middle, names)
        for (i, j), value in np.ndenumerate(share):
            if value >= 0.5:
                axes.text(j + 0.5, i + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=8,
                          color="white" if value > 55 else INK)
    else:
        axes.set(xticks=(), yticks=())
        axes.set(xlabel="predicted class (frequent to rare)", ylabel="true class (rare to frequent)")
    bar = figure.colorbar(mesh, ax=axes, shrink=0.75, label="share of the true class (%)")
    bar.outline.set_visible(False)
    return figure


def _rgb(color: str) -> tuple[float, float, float]:
    return tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]
