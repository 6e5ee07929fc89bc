"""A comparison table as rich terminal table, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from ltjax.analysis.stats import MISSING, format_difference, format_mean

if TYPE_CHECKING:
    import rich.table

    from ltjax.analysis.table import Column, MethodRow, Table

DIFFERENCES = ("all", "few")
"""Columns whose difference to the baseline is printed; JSON and CSV carry those of every column."""

PADDING = 3
"""Cells between two columns of the terminal table."""

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def marks(row: MethodRow) -> str:
    """The note numbers of a row, raised: `¹ ³`."""
    return " ".join(str(mark).translate(SUPERSCRIPT) for mark in row.marks)


def differences(table: Table) -> list[Column]:
    """Columns whose difference is worth printing: there is a baseline and something was measured."""
    if table.baseline is None or len(table.rows) < 2:
        return []
    names = dict.fromkeys((*DIFFERENCES, table.sort))
    return [column for column in table.columns if column.name in names
            and any(row.differences[column.name] is not None for row in table.rows)]


def published_splits(table: Table) -> list[str]:
    """Columns for which at least one published figure is known."""
    return [c.name for c in table.columns if any(c.name in row.published for row in table.rows)]


def header(table: Table) -> list[str]:
    """Headings of the printed table."""
    names = ["method", "seeds", *(table.titles[column.name] for column in table.columns)]
    names += [f"Δ {column.title}" for column in differences(table)]
    splits = published_splits(table)
    return names + [f"published {split}" for split in splits] + (["source"] if splits else [])


def cells(table: Table, row: MethodRow) -> list[str]:
    """What stands in a row of the printed table."""
    texts = [f"{row.label} {marks(row)}".strip(), str(len(row.seeds))]
    texts += [format_mean(row.scores[c.name], c.scale, c.digits) for c in table.columns]
    for column in differences(table):
        shown = format_difference(row.differences[column.name], column.scale, column.digits)
        texts.append("baseline" if row.label == table.baseline else shown)
    splits = published_splits(table)
    texts += [published_text(row, split) for split in splits]
    return texts + ([sources(row)] if splits else [])


def published_text(row: MethodRow, split: str) -> str:
    """The first published figure of a row, the original's where there is one."""
    return f"{row.published[split][0].value:.1f}" if split in row.published else MISSING


def sources(row: MethodRow) -> str:
    """Where the published figures of a row stand, and how far other reports of the same setting differ."""
    told = list(dict.fromkeys(figures[0].text for figures in row.published.values()))
    for split, figures in row.published.items():
        if len(figures) > 1:
            values = [figure.value for figure in figures]
            told.append(f"{len(figures)} reports of {split}: {min(values):.1f} to {max(values):.1f}")
    return "; ".join(told) or MISSING


def terminal(table: Table, width: int | None = None) -> rich.table.Table:
    """A rich table with the columns that fit, notes and legend below; labels are text, never markup."""
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    lines = [cells(table, row) for row in table.rows]
    names = [name.replace(" (", "\n(") for name in header(table)]
    keep = _fitting(table, names, lines, width or rich.console.Console().width)
    left = [name.split("\n")[0] for i, name in enumerate(names) if i not in keep]
    hint = [f"Not shown for want of width: {', '.join(left)}."] if left else []
    caption = Text("\n".join([*numbered(table), *hint, *table.legend]))
    view = rich.table.Table(box=rich.box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    for i in keep:
        text = names[i] in ("method", "source")
        view.add_column(Text(names[i]), justify="left" if text else "right", no_wrap=names[i] != "source")
    for row, line in zip(table.rows, lines, strict=True):
        view.add_row(*(Text(line[i]) for i in keep), style="bold" if row.label == table.baseline else "")
    return view


def markdown(table: Table) -> str:
    """A Markdown table followed by notes and legend."""
    names = header(table)
    align = ["---" if i == 0 or name == "source" else "---:" for i, name in enumerate(names)]
    lines = [names, align, *(list(map(_markdown_text, cells(table, row))) for row in table.rows)]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    below = [_markdown_text(line) for line in (*numbered(table), *table.legend)]
    return text + "\n\n" + "\n\n".join(below) + "\n"


def comma_separated(table: Table) -> str:
    """One row per method: means, spreads, bounds and paired differences as plain numbers."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["method", "identity", "seeds"]
    for column in table.columns:
        names += [f"{column.name}{part}" for part in ("", "_sd", "_low", "_high")]
    for column in table.columns:
        names += [f"difference_{column.name}{part}" for part in ("", "_sd", "_low", "_high", "_seeds")]
    splits = published_splits(table)
    writer.writerow([*names, *(f"published_{split}" for split in splits), "source", "notes"])
    for row in table.rows:
        line: list[Any] = [_csv_text(row.label), _csv_text(row.identity), len(row.seeds)]
        for column in table.columns:
            s = row.scores[column.name]
            line += [s.mean, s.sd, s.low, s.high]
        for column in table.columns:
            d = row.differences[column.name]
            line += [d.mean, d.sd, d.low, d.high, d.n] if d else [None] * 5
        line += [row.published[s][0].value / 100 if s in row.published else None for s in splits]
        line += [_csv_text(sources(row)) if row.published else "",
                 _csv_text(" ".join(table.notes[mark - 1] for mark in row.marks))]
        writer.writerow(line)
    return out.getvalue()


def as_json(table: Table) -> str:
    """Everything the table knows, fractions instead of percent."""
    rows = [{
        "method": row.label, "identity": row.identity, "seeds": list(row.seeds),
        "scores": {name: score.as_dict() for name, score in row.scores.items()},
        "values": {name: {str(seed): v for seed, v in by_seed.items()}
                   for name, by_seed in row.values.items()},
        "differences": {name: d and d.as_dict() for name, d in row.differences.items()},
        "published": {split: [{"value": figure.value / 100, "source": figure.text} for figure in figures]
                      for split, figures in row.published.items()},
        "notes": list(row.marks),
    } for row in table.rows]
    whole = {"baseline": table.baseline, "sort": table.sort, "level": table.level,
             "columns": dict(table.titles), "rows": rows, "notes": list(table.notes),
             "legend": list(table.legend)}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def numbered(table: Table) -> list[str]:
    """The notes with their raised numbers."""
    return [f"{str(i).translate(SUPERSCRIPT)} {note}" for i, note in enumerate(table.notes, 1)]


def _fitting(table: Table, names: list[str], lines: list[list[str]], width: int) -> list[int]:
    """Numbers of the columns that fit the terminal, the ones that matter most first in line."""
    sort = next(column.title for column in table.columns if column.name == table.sort)
    first = ["method", sort, "seeds", "all", "few", f"Δ {sort}", "many", "medium", "balanced", "ECE", "NLL"]
    short = [name.split("\n")[0] for name in names]
    order = sorted(range(len(names)), key=lambda i: first.index(short[i]) if short[i] in first else 99 + i)
    keep: list[int] = []
    for i in order:
        width -= PADDING + max(len(part) for text in (names[i], *(line[i] for line in lines))
                               for part in text.split("\n"))
        if width < 0 and keep:
            break
        keep.append(i)
    return sorted(keep)


def _markdown_text(text: str) -> str:
    for mark, safe in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("_", "\\_"),
                       ("`", "\\`"), ("](", "]\\(")):
        text = text.replace(mark, safe)
    return text


def _csv_text(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text
