"""How every picture looks and how it leaves the house: palette, style, deterministic SVG, PNG."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ltjax.analysis.groups import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b2430"
MUTED = "#75808c"
GRID = "#d9dee3"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d4f")
"""Okabe and Ito's colours without yellow and black, which vanish on one of the two backgrounds."""

MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")

STYLE: Any = {
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.titlesize": 10.0,
    "axes.titlelocation": "left", "axes.labelsize": 9.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "axes.facecolor": "none", "figure.facecolor": "none",
    "savefig.facecolor": "none", "grid.color": GRID, "grid.linewidth": 0.7, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0, "ytick.labelsize": 9.0, "xtick.major.size": 3.0, "ytick.major.size": 3.0,
    "font.size": 9.5, "legend.frameon": False, "legend.fontsize": 9.5, "lines.linewidth": 1.8,
    "lines.markersize": 5.0, "text.parse_math": False, "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash of one method: told apart without seeing colours, too."""

    color: str
    marker: str
    dash: str


def looks(groups: Sequence[Group]) -> list[tuple[Group, Look]]:
    """Each group with its look, in the given order."""
    n, m = len(PALETTE), len(MARKERS)
    return [(group, Look(PALETTE[i % n], MARKERS[(i + i // n) % m], DASHES[i // n % len(DASHES)]))
            for i, group in enumerate(groups)]


@contextmanager
def style() -> Iterator[None]:
    """The library's style and nothing of the user's; the settings before come back afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


Drawing = TypeVar("Drawing", bound=Callable[..., "Figure"])


def drawn(function: Drawing) -> Drawing:
    """Decorator: the picture is drawn in the library's style."""
    @functools.wraps(function)
    def styled(*args, **kwargs):
        with style():
            return function(*args, **kwargs)

    return styled  # type: ignore[return-value]


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, outside pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def legend_below(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """One legend for the whole figure, from the entries of one of its axes."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)))


def plain_log(axis) -> None:
    """Whole numbers instead of powers on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def to_svg(figure: Figure, prefix: str = "") -> str:
    """The figure as `<svg>...</svg>`: the same bytes every time, no date, no metadata, no address to load.

    Args:
      figure: what one of the functions of `plots` returned.
      prefix: stands before every id, so that several pictures can share one page.
    """
    import matplotlib

    out = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": "ltjax"}):
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg"):], flags=re.DOTALL)
    if prefix:
        text = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", text)
    return text


def to_png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as PNG on a white ground."""
    out = io.BytesIO()
    with style():
        figure.savefig(out, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return out.getvalue()
