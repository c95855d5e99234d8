"""How charts for a paper look, and how they are written: sizes, fonts, colours, and files that depend on data alone."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.record.files import write_whole
from fitbench.text import clean

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTHS = {"column": 3.4, "full": 7.0}  # inches: one column, and the whole text, of a paper in two columns
DPI = 300
SUFFIXES = (".png", ".svg", ".pdf")
STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so it is the same everywhere
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-99, 99),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.4,
    "legend.labelspacing": 0.3,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.2,
    "pdf.fonttype": 42,  # TrueType, which publishers take
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fitbench",  # else the names inside an SVG are new every time
}

# Okabe and Ito's palette without its yellow, which white swallows, and three more; the first differ most in luminance.
COLOURS = (
    "#0072B2", "#E69F00", "#222222", "#D55E00", "#56B4E9", "#009E73", "#CC79A7", "#7A3000", "#8A8A8A", "#5D3A9B",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
MOST = len(COLOURS)  # groups that colours and markers can tell apart
GREY = "#555555"
LONGEST = 150  # characters of a text that are looked at
SMALLEST = 1e-100  # number on a logarithmic axis
DECADE = 10.0  # an axis whose values span this factor or more is logarithmic


# -- groups -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """How one group is drawn."""

    color: str
    marker: str
    line: Any
    filled: bool


def looks(values: Sequence[tuple[Any, ...]]) -> list[Look]:
    """A look for each group, given the values of its keys; at most `MOST` groups.

    In a grid, colour and marker tell the first key, line and filling the second. Else each group has a colour and a
    marker of its own.
    """
    grid = grid_of(values)
    if grid:
        first, second = grid
        return [Look(COLOURS[i := first.index(a)], MARKERS[i], LINES[j := second.index(b)], not j % 2)
                for a, b in values]  # fmt: skip
    return [Look(COLOURS[i], MARKERS[i], LINES[i % len(LINES)], i < MOST // 2) for i in range(len(values))]


def grid_of(values: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[Any]] | None:
    """The values of two keys that both vary, the second over few enough for a line of its own each; else None."""
    if not all(len(value) == 2 for value in values):
        return None
    first, second = (list(dict.fromkeys(value[i] for value in values)) for i in (0, 1))
    return (first, second) if len(first) > 1 and 1 < len(second) <= len(LINES) else None


# -- texts ------------------------------------------------------------------------------------------------------------


def shortened(text: object, inches: float, size: float = 8) -> str:
    """The text without control characters, as long as fits into so many inches in a font of `size` points.

    Of a longer one the middle is left out, since names differ at their ends.
    """
    text = clean(text)
    if len(text) <= LONGEST and length(text, size) <= inches:
        return text

    def cut(kept: int) -> str:
        return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"

    most = min(LONGEST, len(text) - 1)
    return cut(max(0, bisect_right(range(most + 1), inches, key=lambda kept: length(cut(kept), size)) - 1))


def length(text: str, size: float) -> float:
    """How long a line of text is in a font of `size` points, in inches."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont(STYLE["font.family"]))
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64 / 72


def labels(texts: Sequence[object], inches: float, size: float = 8) -> list[str]:
    """The texts, shortened; those that would then be the same are numbered."""
    short = [shortened(text, inches, size) for text in texts]
    count, seen = Counter(short), Counter[str]()
    for i, text in enumerate(short):
        if count[text] > 1:
            seen[text] += 1
            short[i] = f"{shortened(text, inches - 0.25, size)} ({seen[text]})"
    return short


def number(value: float) -> str:
    """A number on an axis, to four digits: 0.001, 128, 61.7k, 1.2M, 1e-07."""
    for unit, suffix in ((1e12, ""), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if suffix == 'k' else unit):.4g}{suffix}" if suffix else f"{value:.4g}"
    return f"{value:.4g}"


def numbers(values: np.ndarray) -> list[str]:
    """Evenly spaced numbers on an axis, with the same decimals: 0.900, 0.925."""
    if np.abs(values).max(initial=0) >= 1e4:
        return [number(value) for value in values]
    decimals = next((d for d in range(9) if np.allclose(values, values.round(d), rtol=0, atol=10.0 ** -(d + 4))), 9)
    return [f"{value:.{decimals}f}" for value in values]


# -- figures ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in this style, whatever a matplotlibrc says."""
    import matplotlib.style

    with matplotlib.style.context(["default", dict(STYLE)]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")  # see `lacking`
        yield


def empty(width: float, height: float) -> Figure:
    """A figure of so many inches that fits its parts into itself, without pyplot's state and windows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def legend_above(
    figure: Figure, handles: Sequence[Artist], texts: Sequence[str], title: str = "", columns: int = 0
) -> None:
    """Put a legend above the axes, read in rows; the figure grows by its height.

    It has so many columns if they fit, else as many as do.
    """
    texts = labels(texts, figure.get_figwidth() - 0.5)
    for count in (columns, *range(min(len(handles), 5), 0, -1)):
        if not count:
            continue
        order = [i for column in range(count) for i in range(column, len(handles), count)]
        legend = figure.legend(
            [handles[i] for i in order], [texts[i] for i in order], loc="outside upper left", ncols=count,
            title=shortened(title, figure.get_figwidth() - 0.2) or None, alignment="left",
        )  # fmt: skip
        legend.get_title().set_color(GREY)
        box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        if box.width / figure.dpi <= figure.get_figwidth() - 0.06 or count == 1:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


def write(figure: Figure, path: Path) -> None:
    """Write a figure as PNG (300 dots per inch), SVG or PDF, by the suffix; the same data give the same bytes."""
    content = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with style():
        figure.savefig(content, format=kind, dpi=DPI, metadata=dates.get(kind))
    write_whole(path, content.getvalue())


def lacking(figure: Figure) -> str:
    """The characters of a figure's texts that the font lacks; a box is drawn for each."""
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.text import Text

    used = {character for text in figure.findobj(Text) for character in text.get_text()}
    has = get_font(findfont(STYLE["font.family"])).get_charmap()
    return "".join(sorted(character for character in used - {"\n"} if ord(character) not in has))


# -- axes -------------------------------------------------------------------------------------------------------------


def wide(values: np.ndarray) -> bool:
    """Whether values span so much that their axis should be logarithmic: all positive, by a factor of 10 or more."""
    return bool(len(values) and values.min() > SMALLEST and values.max() >= DECADE * values.min())


def logarithmic(axes: Axes, values: np.ndarray) -> None:
    """Make the x axis logarithmic, with ticks at 1, 2 and 5 where it spans few decades."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    decades = math.log10(values.max() / values.min())
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    short_numbers(axes.xaxis)


def over_epochs(axes: Axes, first: int, last: int) -> None:
    """Make the x axis one of epochs, with ticks at whole ones."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    apart = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - apart, last + apart)


def within(ends: tuple[float, float], limits: tuple[float, float]) -> tuple[float, float]:
    """The ends of an axis, cut where they go beyond the limits, unless nothing would be left."""
    low, high = max(ends[0], limits[0]), min(ends[1], limits[1])
    return (low, high) if low < high else ends


def short_numbers(axis: Axis) -> None:
    """Ticks such as 20k, which keep mathematical notation out."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
