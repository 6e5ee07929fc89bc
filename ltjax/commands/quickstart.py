"""Compare methods on long-tailed handwritten digits: eight methods, three seeds each, table and HTML report.

  ltjax quickstart
  ltjax quickstart --root /tmp/runs --seeds 5

It needs no data file and a minute or two on two CPU cores. It is short for
`ltjax compare --config digits_lt:ir=50 --methods @quickstart --seeds 3`; a second time it only reads what is there.
"""

from __future__ import annotations

import argparse

from ltjax.cli import parser_of
from ltjax.commands import compare, settings

CONFIG, METHODS = "digits_lt:ir=50", "@quickstart"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", metavar="DIR", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--seeds", metavar="N", type=settings.whole_number(1), default=3, help="default: 3")


def run(args: argparse.Namespace) -> int:
    report = f"{args.root}/reports/quickstart.html"
    words = ["--config", CONFIG, "--methods", METHODS, "--seeds", str(args.seeds), f"--root={args.root}",
             f"--report={report}"]
    code = compare.run(parser_of("compare").parse_known(words))
    print(f"runs: {args.root}. Next: `ltjax list methods`, and your own loss with "
          f"`ltjax compare --config {CONFIG} --plugin my_loss.py --loss my_loss --against {METHODS}`.")
    return code
