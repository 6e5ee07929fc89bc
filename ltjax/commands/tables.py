"""Tables on standard output and reports in files, as `compare`, `report` and `quickstart` show them."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

FORMATS = ("text", "markdown", "csv", "json")
COLUMNS = ("all", "many", "medium", "few", "balanced", "nll", "ece")
NARROWEST, WIDEST = 80, 200


def add(parser: argparse.ArgumentParser) -> None:
    """Options of every verb that prints a table."""
    parser.add_argument("--baseline", metavar="NAME", default="erm", help="row that the others are compared with, "
                        "seed by seed (default: erm)")
    parser.add_argument("--sort", metavar="COLUMN", default="all", choices=COLUMNS,
                        help=f"{', '.join(COLUMNS[:-1])} or {COLUMNS[-1]} (default: all)")
    parser.add_argument("--published", metavar="FILE.csv", help="figures of papers to stand beside ours: columns "
                        "method, split, value, and what you know of their setting")
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the printed table (default: text)")


def figures(args: argparse.Namespace) -> Any:
    """The published figures that were asked for, or None."""
    from ltjax.analysis.published import read_published

    return read_published(args.published) if args.published else None


def width() -> int:
    """Columns of the terminal; a file or pipe gets a wide table."""
    return max(NARROWEST, shutil.get_terminal_size((WIDEST, 24)).columns) if sys.stdout.isatty() else WIDEST


def show(runs: Any, args: argparse.Namespace, published: Any) -> None:
    """Prints one table per data set."""
    from rich.console import Console

    from ltjax.analysis.groups import by_data
    from ltjax.analysis.table import comparison

    console = Console(width=width(), highlight=False)
    for title, members in by_data(runs).items():
        table = comparison(members, baseline=args.baseline, published=published, sort=args.sort)
        if args.format == "text":
            console.print(title, style="bold", markup=False)
            console.print(table.rich(console.width))
        else:
            print(getattr(table, args.format)(), end="")


def write(runs: Any, path: str | Path, args: argparse.Namespace, published: Any, **heading: str) -> Path:
    """Writes the HTML report and returns its path."""
    from ltjax.analysis.report import write_report

    return write_report(runs, path, baseline=args.baseline, published=published, sort=args.sort, **heading)
