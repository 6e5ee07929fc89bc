"""What the report's template shows of a table and its groups, as plain values."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ltjax.analysis import render
from ltjax.analysis.groups import Group
from ltjax.analysis.runs import Run, mapping, number, printable
from ltjax.analysis.stats import MISSING, format_interval, format_mean
from ltjax.analysis.table import Column, MethodRow, Table

MOST_FACTS = 30
LONGEST = 240


def part(table: Table, groups: Sequence[Group]) -> dict[str, Any]:
    """Heads, rows, notes, tiles, facts and runs of one section."""
    runs = [run for group in groups for run in group.runs]
    return {
        "lead": _lead(runs[0]),
        "tiles": list(_tiles(table)),
        "notes": table.notes,
        "heads": _heads(table),
        "rows": [{"label": row.label, "marks": render.marks(row), "seeds": len(row.seeds),
                  "base": row.label == table.baseline, "cells": _cells(table, row)} for row in table.rows],
        "legend": table.legend,
        "sources": [(row.label, render.sources(row)) for row in table.rows if row.published],
        "facts": list(_facts(groups, runs)),
        "runs": [_run(group.label, run) for group in groups for run in group.runs],
    }


def _heads(table: Table) -> list[dict[str, str]]:
    heads = []
    for name in render.header(table)[2:]:
        short, _, more = name.partition(" (")
        if name.startswith("published"):
            short, more = "paper", name.removeprefix("published ")
        if name != "source":
            heads.append({"name": short, "more": more.rstrip(")")})
    return heads


def _cells(table: Table, row: MethodRow) -> list[dict[str, str]]:
    cells = []
    for column in table.columns:
        mean, _, spread = format_mean(row.scores[column.name], column.scale, column.digits).partition(" ")
        cells.append(_cell(mean, spread=spread, style="best" if _is_best(table, row, column) else ""))
    for column in render.differences(table):
        d = row.differences[column.name]
        if row.label == table.baseline or d is None or d.mean is None:
            cells.append(_cell("baseline" if row.label == table.baseline else MISSING))
            continue
        better = (d.mean > 0) == column.higher_is_better
        cells.append(_cell(f"{d.mean * column.scale:+.{column.digits}f}",
                           bounds=format_interval(d.low, d.high, column.scale, column.digits, signed=True),
                           style=("up" if better else "down") if d.excludes_zero else ""))
    splits = render.published_splits(table)
    return cells + [_cell(render.published_text(row, split)) for split in splits]


def _cell(text: str, spread: str = "", bounds: str = "", style: str = "") -> dict[str, str]:
    return {"text": text, "spread": spread, "bounds": bounds, "style": style}


def _is_best(table: Table, row: MethodRow, column: Column) -> bool:
    means = [r.scores[column.name].mean for r in table.rows]
    known = [mean for mean in means if mean is not None]
    if len(known) < 2 or min(known) == max(known):
        return False
    return row.scores[column.name].mean == (max(known) if column.higher_is_better else min(known))


def _tiles(table: Table) -> Iterator[dict[str, str]]:
    """The numbers to see first: the best mean of the sorted column, of few, and the largest sure gain."""
    columns = {column.name: column for column in table.columns}
    for name in dict.fromkeys(("all", "few", table.sort)):
        column = columns[name]
        known = [row for row in table.rows if row.scores[name].mean is not None]
        if known:
            pick = max if column.higher_is_better else min
            best = pick(known, key=lambda row: row.scores[name].mean or 0.0)
            yield {"value": format_mean(best.scores[name], column.scale, column.digits),
                   "words": f"best mean “{column.title}”: {best.label}"}
    shown = [row for row in table.rows if row.differences["few"] is not None]
    if shown:
        sure = [d for row in shown if (d := row.differences["few"]) and d.excludes_zero and (d.mean or 0) > 0]
        yield {"value": f"{len(sure)} of {len(shown)}",
               "words": f"above {table.baseline} on “few” with the whole interval of the difference"}
    counts = sorted({len(row.seeds) for row in table.rows})
    spread = " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))
    yield {"value": spread, "words": "seeds per method"}


def _lead(run: Run) -> str:
    counts = run.counts
    ratio = f", imbalance {counts.max() / counts.min():.4g}" if counts.min() > 0 else ""
    tests = run.split.get("test_counts")
    test = sum(number(v) or 0 for v in tests) if isinstance(tests, list) else number(run.metrics.get("n"))
    return (f"{len(counts)} classes with {counts.max():g} to {counts.min():g} training examples{ratio}; "
            f"{counts.sum():,.0f} examples for training" + (f", {test:,.0f} for testing." if test else "."))


def _facts(groups: Sequence[Group], runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Data, model, budget, seeds, versions, device: one line each, with every value that occurs."""
    yield "data", _some(_flat(mapping(run.config.get("data"))) for run in runs)
    yield "model", _some(_flat(mapping(run.config.get("model"))) for run in runs)
    yield "epochs", _some(run.setting("optim", "epochs") for run in runs)
    yield "batch", _some(run.setting("optim", "batch") for run in runs)
    yield "epoch that counts", _some(run.setting("eval", "select") or "last" for run in runs)
    yield "seeds", "; ".join(f"{g.label}: {', '.join(map(str, g.seeds))}" for g in groups)[:4 * LONGEST]
    yield "training rows (sha256)", _some(str(run.split.get("train_sha256"))[:16] for run in runs)
    names = list(dict.fromkeys(name for run in runs for name in run.env))
    for name in [name for name in names if name not in ("command", "time")][:MOST_FACTS]:
        yield printable(name).replace("_", " "), _some(_flat(run.env.get(name)) for run in runs)


def _run(label: str, run: Run) -> dict[str, Any]:
    accuracy = number(run.metrics.get("accuracy"))
    return {"label": label, "seed": run.seed, "identity": run.identity[:12], "started": _started(run),
            "time": _duration(run.seconds), "path": printable(run.path),
            "accuracy": MISSING if accuracy is None else f"{100 * accuracy:.2f} %"}


def _started(run: Run) -> str:
    times = [number(event.get("time")) for event in run.events]
    first = next((time for time in times if time is not None), None)
    if first is None or not 0 <= first < 1e11:
        return MISSING
    return datetime.datetime.fromtimestamp(first, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _flat(value: Any) -> str:
    """`name resnet32, width 16` for a dict; text for everything else."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(v)}" for key, v in value.items() if v is not None)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _some(values: Iterable[Any], most: int = 4) -> str:
    """The different values, in order of appearance."""
    known = (value for value in values if value not in (None, "null", ""))
    seen = list(dict.fromkeys(printable(value)[:LONGEST] for value in known))
    more = f" and {len(seen) - most} more" if len(seen) > most else ""
    return ("; ".join(seen[:most]) or MISSING) + more
