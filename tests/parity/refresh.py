"""Copies golden values into tests/golden, or compares the copy with its source.

    python -m tests.parity.refresh --source DIR            copy (DIR holds <family>/<key>.json)
    python -m tests.parity.refresh --source DIR --check    compare only; exit code 1 if anything differs

LTJAX_GOLDEN_SOURCE stands in for --source. Numbers, parameters and the source of each file are kept, its
remarks are not. Every file that is new, changed, refused or without a counterpart is named.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

COPY = Path(__file__).parent.parent / "golden"
FAMILIES: dict[str, tuple[str, ...]] = {
    "rebalance": (),
    "evaluation": ("calibration", "prior_shift", "prior_weighted_accuracy", "relative_accuracy",
                   "roc_auc_multiclass", "shot_metrics"),
}
"""Family -> the keys that we keep; none named are all."""
KEPT = ("key", "family", "paper", "source", "derived", "reduction")
LIMIT = 1 << 20


def canonical(text: str) -> str:
    """The file as we keep it: the named fields, then one line per case."""
    content = json.loads(text)
    head = {name: content[name] for name in KEPT if name in content}
    cases = ",\n  ".join(json.dumps(case) for case in content["cases"])
    return json.dumps(head, indent=1)[:-2] + ',\n "cases": [\n  ' + cases + "\n ]\n}\n"


def refresh(source: Path, copy: Path, families, check: bool, say=print) -> int:
    """Brings `copy` up to date (or only compares); returns the number of files that do not agree."""
    open_ends = 0
    for family in families:
        wanted = FAMILIES.get(family, ())
        theirs = {path.name: path for path in sorted((source / family).glob("*.json"))
                  if not wanted or path.stem in wanted}
        if not theirs:
            raise FileNotFoundError(f"{source / family} holds no golden files: --source must be the folder "
                                    "that holds <family>/<key>.json.")
        ours = {path.name: path for path in sorted((copy / family).glob("*.json"))}
        for name in sorted(theirs | ours):
            state = _bring(theirs.get(name), copy / family / name, check)
            if state != "same":
                say(f"{family}/{name}: {state}")
            open_ends += state not in ("same", "written")
    say(f"{open_ends} of the files {'differ' if check else 'were left as they are'}.")
    return open_ends


def _bring(theirs: Path | None, ours: Path, check: bool) -> str:
    if theirs is None:
        return "only in our copy: delete it if the key is gone"
    try:
        text = canonical(theirs.read_text())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"refused, not a golden file ({type(error).__name__}: {error})"
    if len(text.encode()) >= LIMIT:
        return f"refused, {len(text.encode())} bytes are too many (below {LIMIT})"
    if ours.exists() and ours.read_text() == text:
        return "same"
    if check:
        return "changed at the source" if ours.exists() else "missing in our copy"
    ours.parent.mkdir(parents=True, exist_ok=True)
    ours.write_text(text)
    return "written"


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--source", default=os.environ.get("LTJAX_GOLDEN_SOURCE"),
                        help="folder of golden families (default: LTJAX_GOLDEN_SOURCE)")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument("--families", nargs="+", default=tuple(FAMILIES), metavar="FAMILY")
    args = parser.parse_args(argv)
    if not args.source:
        parser.error("give --source DIR or set LTJAX_GOLDEN_SOURCE")
    return 1 if refresh(Path(args.source), COPY, args.families, args.check) else 0


if __name__ == "__main__":
    sys.exit(main())
