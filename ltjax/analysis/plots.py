"""Pictures of runs as matplotlib figures: counts, accuracy by frequency, learning curves, dots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ltjax.analysis.figures import (
    GRID,
    INK,
    MUTED,
    PALETTE,
    drawn,
    legend_below,
    looks,
    new_figure,
    plain_log,
    to_png,
    to_svg,
)
from ltjax.analysis.groups import Group
from ltjax.analysis.plots_errors import confusion, pooled_bins, pooled_confusion, reliability
from ltjax.analysis.runs import Run, mapping, number
from ltjax.analysis.table import SHOTS, Table
from ltjax.priors import groups as shot_groups
from ltjax.types import ClassStats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["class_accuracy", "class_counts", "confusion", "dots", "learning_curves", "pooled_bins",
           "pooled_confusion", "reliability", "to_png", "to_svg"]

WIDTH = 6.0
"""Inches; half a page."""

MOST_POINTS = 24
"""Points per line in `class_accuracy`; more classes are averaged with those of similar frequency."""

CURVES = {
    "training loss": ("train", "loss", 1.0),
    "training accuracy (%)": ("train", "accuracy", 100.0),
    "validation accuracy (%)": ("val", "accuracy", 100.0),
    "validation balanced accuracy (%)": ("val", "balanced_accuracy", 100.0),
}


@drawn
def class_counts(run: Run) -> Figure:
    """Training examples per class on a logarithmic axis, the shot groups shaded."""
    figure = new_figure(WIDTH, 3.0)
    axes = figure.subplots()
    order = np.argsort(-run.counts, kind="stable")
    counts = run.counts[order]
    x = np.arange(len(counts))
    if len(x) <= 60:
        axes.bar(x, np.maximum(counts, 0.5), width=0.75, color=PALETTE[0], label="training examples")
    else:
        axes.fill_between(x, 0.5, np.maximum(counts, 0.5), step="mid", color=PALETTE[0],
                          linewidth=0, label="training examples")
    axes.set_yscale("log")
    axes.set_ylim(0.7, counts.max() * 2.2)
    plain_log(axes.yaxis)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("training examples")
    _shade_ranks(axes, run)
    if len(x) <= 12:
        names = [run.class_names[k] for k in order]
        axes.set_xticks(x, [_short(name) for name in names], rotation=0 if _narrow(names) else 35,
                        ha="center" if _narrow(names) else "right")
    else:
        axes.set_xlabel("classes, the most frequent first")
    axes.set_xlim(-0.6, len(x) - 0.4)
    return figure


@drawn
def class_accuracy(groups: Sequence[Group]) -> Figure:
    """Test accuracy of the classes against their training frequency: mean over seeds, bars of one sd.

    Classes of equal frequency are averaged, with more than `MOST_POINTS` frequencies also similar ones.
    """
    figure = new_figure(WIDTH, 5.2)
    axes = figure.subplots()
    shown = looks(groups)
    for i, (group, look) in enumerate(shown):
        x, y = _by_frequency(group)
        if not len(x):
            continue
        spread = 100 * y.std(axis=0, ddof=1) if len(y) > 1 else None
        shift = 1 + 0.012 * (i - (len(shown) - 1) / 2)  # keeps the bars of several methods apart
        axes.errorbar(x * shift, 100 * y.mean(axis=0), spread, color=look.color, marker=look.marker,
                      linestyle=look.dash, elinewidth=1.0, capsize=0, label=group.label)
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.invert_xaxis()
    axes.set_ylim(-3, 103)
    axes.set_xlabel("training examples of the class (rare classes to the right)")
    axes.set_ylabel("test accuracy of the class (%)")
    for bound in groups[0].first.thresholds if groups else ():
        low, high = sorted(axes.get_xlim())
        if low < bound < high:
            axes.axvline(bound, color=MUTED, linewidth=0.9, linestyle=":")
    legend_below(figure, axes, 3)
    return figure


@drawn
def learning_curves(groups: Sequence[Group]) -> Figure:
    """Training and, where there is any, validation over epochs: mean over seeds, band of one sd."""
    known = [name for name, (kind, key, _) in CURVES.items()
             if any(number(row.get(key)) is not None
                    for group in groups for run in group.runs for row in _rows(run, kind))]
    names = known or list(CURVES)[:1]
    height = 2.7 * ((len(names) + 1) // 2) + 0.4
    figure = new_figure(WIDTH, height)
    grid = figure.subplots((len(names) + 1) // 2, 2 if len(names) > 1 else 1, squeeze=False)
    for axes, name in zip(grid.flat, names):
        kind, key, scale = CURVES[name]
        for group, look in looks(groups):
            epochs, values = _curve(group, kind, key)
            if not len(epochs):
                continue
            mean = scale * values.mean(axis=0)
            axes.plot(epochs, mean, color=look.color, linestyle=look.dash, label=group.label)
            if len(values) > 1:
                sd = scale * values.std(axis=0, ddof=1)
                axes.fill_between(epochs, mean - sd, mean + sd, color=look.color, alpha=0.18, linewidth=0)
        axes.set_title(name)
        axes.set_xlabel("epoch")
    for axes in list(grid.flat)[len(names):]:
        axes.set_visible(False)
    legend_below(figure, grid.flat[0], 3)
    return figure


@drawn
def dots(table: Table) -> Figure:
    """All, many, medium, few side by side: dot = mean, bar = t-interval, small dots = single seeds."""
    from matplotlib.ticker import MaxNLocator

    names = [name for name in ("all", *SHOTS) if any(row.scores[name].mean is not None for row in table.rows)]
    names = names or ["all"]
    figure = new_figure(WIDTH, 1.1 + 0.34 * len(table.rows))
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    places = np.arange(len(table.rows))[::-1]
    for axes, name in zip(panels, names):
        for place, row in zip(places, table.rows):
            score = row.scores[name]
            if score.mean is None:
                continue
            color = INK if row.label == table.baseline else PALETTE[0]
            if score.low is not None and score.high is not None:
                bounds = [100 * max(score.low, 0), 100 * min(score.high, 1)]
                axes.plot(bounds, [place, place], color=color, linewidth=2.2, alpha=0.45,
                          solid_capstyle="butt")
            seeds = [100 * value for value in row.values[name].values()]
            axes.plot(seeds, [place] * len(seeds), "o", color=color, markersize=2.8, alpha=0.55)
            axes.plot([100 * score.mean], [place], "o", color=color, markersize=6.5, label=row.label,
                      markerfacecolor=color if score.n > 1 else "none")
            if row.label == table.baseline:
                axes.axvline(100 * score.mean, color=MUTED, linewidth=0.9, linestyle=":")
        axes.set_title(table.titles[name].replace(" (", "\n("))
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.grid(axis="y", color=GRID)
        axes.set_ylim(-0.6, len(table.rows) - 0.4)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(places, [_short(row.label, 28) for row in table.rows])
    figure.supxlabel("accuracy (%)", fontsize=9.5)
    return figure


def _shade_ranks(axes: Axes, run: Run) -> None:
    """Shot groups as bands over classes sorted by frequency."""
    found = shot_groups(ClassStats(np.maximum(run.counts, 0.5)), run.thresholds)
    start = 0
    for shade, (name, members) in enumerate(found.items()):
        if not len(members):
            continue
        end = start + len(members)
        if shade:
            axes.axvspan(start - 0.5, end - 0.5, color=MUTED, alpha=0.09 * shade, linewidth=0, zorder=0)
        axes.text((start + end - 1) / 2, 0.97, f"{name}\n{len(members)}", ha="center", va="top", color=INK,
                  fontsize=9, transform=axes.get_xaxis_transform())
        start = end


def _by_frequency(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies [p], falling, and accuracies [seeds, p] of the classes at (or near) them."""
    rows = []
    counts = group.first.counts
    for run in group.runs:
        table = mapping(run.metrics.get("per_class"))
        seen, correct = (np.asarray(table.get(key, []), dtype=np.float64) for key in ("seen", "correct"))
        if seen.shape == correct.shape == counts.shape:
            rows.append(np.divide(correct, seen, out=np.full(seen.shape, np.nan), where=seen > 0))
    if not rows:
        return np.zeros(0), np.zeros((0, 0))
    accuracy = np.array(rows)
    usable = ~np.isnan(accuracy).any(axis=0) & (counts > 0)
    levels = np.unique(counts[usable])[::-1]
    bins = np.array_split(levels, min(MOST_POINTS, len(levels))) if len(levels) else []
    places = [np.exp(np.log(level).mean()) for level in bins]
    means = [accuracy[:, usable & np.isin(counts, level)].mean(axis=1) for level in bins]
    return np.array(places), np.array(means).T if means else np.zeros((0, 0))


def _rows(run: Run, kind: str):
    return run.train if kind == "train" else run.val


def _curve(group: Group, kind: str, key: str, most: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Epochs [p] and values [seeds, p] at the steps that every seed has logged; thinned to at most `most`."""
    by_seed = []
    for run in group.runs:
        read = {number(row.get("step")): (number(row.get("epoch")), number(row.get(key)))
                for row in _rows(run, kind)}
        by_seed.append({s: pair for s, pair in read.items() if s is not None and None not in pair})
    by_seed = [seed for seed in by_seed if seed]
    steps = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
    if len(steps) > most:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, most).round().astype(int)]
    if not steps:
        return np.zeros(0), np.zeros((0, 0))
    epochs = np.array([by_seed[0][step][0] for step in steps], dtype=np.float64)
    return epochs, np.array([[seed[step][1] for step in steps] for seed in by_seed], dtype=np.float64)


def _short(text: str, most: int = 18) -> str:
    return text if len(text) <= most else text[:most - 1] + "…"


def _narrow(names: Sequence[str]) -> bool:
    return sum(min(len(name), 18) for name in names) <= 70
