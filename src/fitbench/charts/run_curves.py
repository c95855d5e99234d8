"""The learning curves of one run: training and validation, a panel for each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST, number
from fitbench.analysis.palette import GREY, TRAIN, VALIDATION
from fitbench.analysis.run_files import Panel
from fitbench.analysis.series import with_capital
from fitbench.charts import paper
from fitbench.metrics import history_key
from fitbench.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

HEIGHT = 2.8  # inches
TICKS = 6  # of each axis, about
NAME = 10.0  # points between the names of two lines
PANEL = 0.7  # of the height, that a panel takes
MARKED_EPOCHS = 30  # with more, single epochs get no marker
PARTS = (("train", "train", TRAIN, "-", "o"), ("val", "validation", VALIDATION, "--", "s"))


def draw_run_curves(
    history: Sequence[Mapping[str, Any]], panels: Sequence[Panel], path: Path, title: str, best_epoch: int | None
) -> None:
    """Write metrics over the epochs as a PNG of 1400 x 560 pixels, as `figure_of_run_curves` draws them."""
    paper.write(figure_of_run_curves(history, panels, title, best_epoch), path, paper.SCREEN_DPI)


def figure_of_run_curves(
    history: Sequence[Mapping[str, Any]], panels: Sequence[Panel], title: str, best_epoch: int | None
) -> Figure:
    """Metrics over the epochs, training and validation in each panel.

    `history` has one entry or more, as `reading.read_history` gives them; what is null or absent is not drawn.
    """
    with paper.style():
        figure = paper.empty(paper.WIDTHS["full"], HEIGHT)
        places: Any = figure.subplots(1, len(panels), squeeze=False)
        for axes, panel in zip(places[0], panels, strict=True):
            _draw_panel(axes, history, panel, best_epoch)
        paper.head(figure, title)
    return figure


def _draw_panel(axes: Axes, history: Sequence[Mapping[str, Any]], panel: Panel, best_epoch: int | None) -> None:
    epochs = [epoch["epoch"] for epoch in history]
    drawn: list[float] = []
    for part, label, colour, line, marker in PARTS:
        values = np.array([epoch.get(history_key(part, panel.name)) for epoch in history], dtype=float)
        values[np.abs(values) > LARGEST] = np.nan
        if np.isfinite(values).any():
            size = 3 if len(epochs) <= MARKED_EPOCHS else 0
            axes.plot(epochs, values, line, label=label, color=colour, marker=marker, markersize=size)
            drawn += values.tolist()
    lines = list(axes.lines)
    paper.over_epochs(axes, epochs[0], epochs[-1], TICKS)
    paper.fit(axes.yaxis, drawn, panel.limits, most=TICKS, enclose=True)
    axes.set_title(with_capital(clean(panel.label)), loc="left")
    _name_lines(axes, lines)
    if best_epoch is not None and len(epochs) > 1:
        axes.axvline(best_epoch, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        _write_best(axes, lines, epochs, best_epoch)


def _name_lines(axes: Axes, lines: Sequence[Line2D]) -> None:
    """Write the name of each line at its right end, one below the other where they end close together."""
    heights = [np.asarray(line.get_ydata(), float) for line in lines]
    to_axes = axes.transScale + axes.transLimits
    places = [float(to_axes.transform((1, values[np.isfinite(values)][-1]))[1]) for values in heights]
    apart = NAME / (HEIGHT * PANEL * 72)
    lowest = -1.0
    for i in np.argsort(places).tolist():
        at = max(places[i], lowest + apart)
        lowest = at
        axes.annotate(
            str(lines[i].get_label()), (1, at), (5, 0), xycoords="axes fraction", textcoords="offset points",
            va="center", color=lines[i].get_color(), annotation_clip=False, gid="name",
        )  # fmt: skip


def _write_best(axes: Axes, lines: Sequence[Line2D], epochs: Sequence[int], best_epoch: int) -> None:
    """Write at the top right which epoch is the best, and the value there: that of validation, if there is one."""
    text = f"best epoch {best_epoch}"
    if lines and best_epoch in epochs:
        value = float(np.asarray(lines[-1].get_ydata(), float)[list(epochs).index(best_epoch)])
        text += f": {lines[-1].get_label()} {number(value)}" if math.isfinite(value) else ""
    axes.set_title(text, loc="right", color=GREY)
