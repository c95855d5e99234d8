"""How charts for a paper look, and how they are written: sizes, fonts, and files that depend on data alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.analysis.axes import MARGIN, UNLIMITED, Axis, Ends, axis_of, enclosed, tick_texts
from fitbench.analysis.palette import GREY
from fitbench.charts.labels import FONT, SIZE, in_lines, labels
from fitbench.charts.style import style
from fitbench.record.files import write_whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis
    from matplotlib.figure import Figure

WIDTHS = {"column": 3.4, "full": 7.0}  # inches: one column, and the whole text, of a paper in two columns
DPI = 300
SCREEN_DPI = 200  # of pictures in the folder of a run
SUFFIXES = (".png", ".svg", ".pdf")
ROOM = {"x": 0.55, "y": 0.4}  # inches of a figure for each tick


# -- figures ----------------------------------------------------------------------------------------------------------


def empty(width: float, height: float, layout: bool = True) -> Figure:
    """A figure of so many inches, without pyplot's state and windows.

    It fits its parts into itself, unless `layout` is False, which is faster where a figure has many parts.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from fitbench.charts.inline import InlineFigure

    engine = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0) if layout else "none"
    figure = InlineFigure(figsize=(width, height), dpi=DPI, facecolor="white", layout=engine)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def write(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix; the same data give the same bytes."""
    content = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with style():
        figure.savefig(content, format=kind, dpi=dpi, metadata=dates.get(kind))
    write_whole(path, content.getvalue())


def lacking(figure: Figure) -> str:
    """The characters of a figure's texts that the font lacks; a box is drawn for each."""
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.text import Text

    used = {character for text in figure.findobj(Text) for character in text.get_text()}
    has = get_font(findfont(FONT)).get_charmap()
    return "".join(sorted(character for character in used - {"\n"} if ord(character) not in has))


# -- above the axes ---------------------------------------------------------------------------------------------------


def head(figure: Figure, text: str) -> None:
    """Put a text above all, in as many lines as it needs."""
    if text:
        name = in_lines(text, figure.get_figwidth() - 0.1)
        figure.suptitle(name, x=0.04 / figure.get_figwidth(), ha="left", fontsize=SIZE, color=GREY)


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
            title=in_lines(title, figure.get_figwidth() - 0.2) or None, alignment="left",
        )  # fmt: skip
        legend.get_title().set_color(GREY)
        box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        if box.width / figure.dpi <= figure.get_figwidth() - 0.06 or count == 1:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


# -- axes -------------------------------------------------------------------------------------------------------------


def fit(
    axis: DrawnAxis,
    values: Iterable[float],
    limits: Ends = UNLIMITED,
    margin: float = MARGIN,
    log: bool | None = None,
    whole: bool = False,
    most: int | None = None,
    enclose: bool = False,
) -> Axis:
    """Give an axis of Matplotlib the scale, the range and the ticks that `axes.axis_of` states for these values.

    `whole`: the ticks are integers. `most`: about how many there are; None: as many as the figure has room for.
    `enclose`: the values lie between two ticks, see `axes.enclosed`.
    """
    from matplotlib.ticker import NullLocator

    values = list(values)
    shown, which = axis_of(values, limits, margin, log), axis.axis_name  # type: ignore[attr-defined]
    inches = axis.axes.figure.get_size_inches()["xy".index(which)]  # type: ignore[union-attr]
    most = most or max(2, int(inches / ROOM[which]))
    ticks = shown.ticks(most, whole)
    if enclose:
        shown, ticks = enclosed(shown, values, limits, most)
    axis.axes.set(**{f"{which}scale": "log" if shown.log else "linear", f"{which}lim": (shown.low, shown.high)})
    axis.set_ticks(ticks, labels=tick_texts(ticks, shown.log))
    axis.set_minor_locator(NullLocator())
    axis.grid(True)
    return shown


def over_epochs(axes: Axes, first: int, last: int, most: int | None = None) -> None:
    """Make the x axis one of epochs, with ticks at whole ones."""
    fit(axes.xaxis, [first, last], margin=0.02, log=False, whole=True, most=most)
    axes.xaxis.grid(False)
    axes.set_xlabel("epoch")


def name_rows(axes: Axes, names: Sequence[str], inches: float) -> None:
    """Make the y axis one of named rows, the first on top; names are at most so many inches long."""
    axes.set_yticks(range(len(names)), labels(names, inches))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
