"""Print the table and write the HTML report of run folders.

  ltjax report runs
  ltjax report runs/digits_lt runs/synthetic -o both.html
  ltjax report runs/cifar100_lt --sort few --published figures.csv
  ltjax report runs --format csv > table.csv

Finished runs below the named folders are read, those on different data under a table each. The report is one file that
loads nothing: table, notes, pictures, and where every number comes from.
"""

from __future__ import annotations

import argparse
import sys

from ltjax.commands import tables


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUNS", nargs="+", help="run folders, or folders above them")
    parser.add_argument("-o", "--output", metavar="FILE.html", default="report.html", help="default: report.html")
    parser.add_argument("--title", default="Learning from a long tail", help="heading of the page")
    tables.add(parser)


def run(args: argparse.Namespace) -> int:
    from ltjax.analysis import find_runs
    from ltjax.registry import ConfigError

    runs = find_runs(args.runs)
    if not runs:
        told = " ".join(runs.notes)
        raise ConfigError(f"{', '.join(args.runs)}: no finished run below. {told}".strip())
    figures = tables.figures(args)
    tables.show(runs, args, figures)
    path = tables.write(runs, args.output, args, figures, title=args.title)
    print(f"report: {path}", file=sys.stdout if args.format == "text" else sys.stderr)
    return 0
