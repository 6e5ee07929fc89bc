"""One self-contained HTML page from run folders: table, notes, pictures, provenance; it loads nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltjax.analysis import plots, report_view
from ltjax.analysis.figures import GRID, INK, MUTED
from ltjax.analysis.groups import Group, by_data, group_runs
from ltjax.analysis.published import Published
from ltjax.analysis.runs import Run, Runs
from ltjax.analysis.table import Table, comparison

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

MOST_LINES = 7
"""Methods drawn in one picture with lines; a report of more shows the baseline and the best."""


def write_report(runs: Iterable[Run], path: str | os.PathLike, *, title: str = "Learning from a long tail",
                 baseline: str = "erm", published: Iterable[Published] | None = None,
                 sort: str = "all") -> Path:
    """Writes the report and returns its path; a reader never sees a half written file.

    Args:
      runs: finished runs, as `find_runs` gives them; runs on different data get a section each.
      path: the HTML file; folders above it are made.
      title: heading of the page.
      baseline: label of the method that the others are compared with.
      published: figures from papers to show beside, see `read_published`.
      sort: column by which the table is sorted.
    """
    target = Path(path)
    if target.is_dir():
        raise ValueError(f"{target} is a folder. Give a file to write: {target / 'report.html'}.")
    text = html(runs, title=title, baseline=baseline, published=published, sort=sort)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def html(runs: Iterable[Run], *, title: str, baseline: str = "erm",
         published: Iterable[Published] | None = None, sort: str = "all") -> str:
    """The page as text; every string from a run folder is escaped."""
    import jinja2

    figures = None if published is None else list(published)
    runs = runs if isinstance(runs, Runs) else Runs(runs)
    if not runs:
        raise ValueError("There is no finished run to report. Train at least one with `ltjax train`.")
    parts = [_part(i, name, members, baseline, figures, sort)
             for i, (name, members) in enumerate(by_data(runs).items())]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
                                     autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html.j2").render(title=title, lead=_lead(runs), parts=parts)


def _part(number: int, title: str, runs: Runs, baseline: str, published: Sequence[Published] | None,
          sort: str) -> dict[str, Any]:
    """What the template shows for one data set."""
    table = comparison(runs, baseline=baseline, published=published, sort=sort)
    by_identity = {group.identity: group for group in group_runs(runs)}
    groups = [by_identity[row.identity] for row in table.rows]
    return {
        "title": title,
        "figures": _figures(f"p{number}", table, groups),
        **report_view.part(table, groups),
    }


def _figures(prefix: str, table: Table, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The pictures with title and caption, those without data left out."""
    lines = list(groups[:MOST_LINES])
    whole = len(lines) == len(groups)
    few = "" if whole else f" Shown: the first {len(lines)} of {len(groups)} rows of the table."
    best = [group for group in groups if group.label != table.baseline][:1]
    base = [group for group in groups if group.label == table.baseline]
    drawn: list[tuple[str, str, Figure, str]] = [
        ("Accuracy by group", "Dot: mean over seeds; bar: its t-interval, cut at 0 and 100 %; small dots: "
         "single seeds; dotted line: the baseline. A hollow dot is a single seed.", plots.dots(table), ""),
        ("Training examples per class", "Classes from frequent to rare on a logarithmic axis; shaded: the "
         "shot groups with their number of classes.", plots.class_counts(groups[0].first), ""),
        ("Accuracy along the tail", "Test accuracy of the classes against how often they were seen in "
         "training; mean over seeds, bars: one standard deviation; dotted lines bound the shot groups." + few,
         plots.class_accuracy(lines), ""),
    ]
    if any(run.train or run.val for group in lines for run in group.runs):
        drawn.append(("Learning curves", "Mean over seeds, band: one standard deviation. The test set is "
                      "read once, at the end, and therefore has no curve." + few,
                      plots.learning_curves(lines), ""))
    if any(plots.pooled_bins(group) for group in lines):
        drawn.append(("Reliability", "Blue: accuracy in a bin of confidence; hatched: the gap to the mean "
                      "confidence; dotted: perfect calibration; below: share of the test examples." + few,
                      plots.reliability(lines), "wide"))
    drawn += [("Confusion", "Each row sums to 100 %; classes from frequent to rare, seeds pooled.",
               plots.confusion(group), "small")
              for group in (*base, *best) if plots.pooled_confusion(group) is not None]
    return [{"title": name, "caption": caption, "shape": shape,
             "svg": _inline(plots.to_svg(figure, f"{prefix}f{i}"), name)}
            for i, (name, caption, figure, shape) in enumerate(drawn)]


def _inline(svg: str, name: str) -> Markup:
    """The SVG for the page: colours follow the reader's light or dark scheme, no address is left in it."""
    import markupsafe

    for fixed, free in ((INK, "currentColor"), (MUTED, "var(--muted)"), (GRID, "var(--grid)")):
        svg = svg.replace(fixed, free)
    for address in (' xmlns:xlink="http://www.w3.org/1999/xlink"', ' xmlns="http://www.w3.org/2000/svg"'):
        svg = svg.replace(address, "", 1)
    named = markupsafe.Markup('<svg role="img" aria-label="{}"').format(name)
    return markupsafe.Markup(svg.replace("<svg", named, 1))  # matplotlib has escaped every text in it


def _lead(runs: Runs) -> str:
    configurations = len({run.identity for run in runs})
    seeds = sorted({run.seed for run in runs})
    return (f"{len(runs)} finished run{'s' if len(runs) > 1 else ''}, {configurations} "
            f"configuration{'s' if configurations > 1 else ''}, seeds {', '.join(map(str, seeds[:12]))}"
            f"{' …' if len(seeds) > 12 else ''}. Every number of ours comes from the run folders listed at "
            "the end of its section.")
