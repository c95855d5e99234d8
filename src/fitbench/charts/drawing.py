"""Charts of groups of runs as figures of Matplotlib: learning curves, and means with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.charts import paper
from fitbench.charts.paper import COLOURS, GREY, WIDTHS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, PALE, VERMILION = COLOURS[0], "#b5d4e8", COLOURS[3]


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of a group over the epochs that all its runs reached, and of single runs beyond them.

    `epochs` is int [E]; `mean`, `low` and `high` are float [E], the latter two NaN where there is no interval. `tails`
    are pairs (epochs [T], values [T]), each of one run, that begin at the last epoch of the mean.
    """

    label: str
    values: tuple[Any, ...]  # of the keys, in their order
    epochs: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tails: Sequence[tuple[np.ndarray, np.ndarray]] = ()


def draw_curves(
    curves: Sequence[Curve],
    metric: str,
    heading: str = "",
    limits: tuple[float, float] = (-math.inf, math.inf),
    width: str = "column",
) -> Figure:
    """Learning curves: a line per group, a band where it has an interval, thin lines for runs that went on alone.

    There are at most `paper.MOST` curves. `metric` names the axis, which stays within `limits`; `heading` stands above
    the legend.
    """
    grid = paper.grid_of([curve.values for curve in curves])
    if grid:
        curves = sorted(curves, key=lambda curve: tuple(map(list.index, grid, curve.values)))
    with paper.style():
        figure = paper.empty(WIDTHS[width], 2.3 if width == "column" else 3.3)
        axes = figure.add_subplot()
        reached = [x for curve in curves for x in (curve.epochs, *(tail[0] for tail in curve.tails)) if len(x)]
        first, last = int(min(x[0] for x in reached)), int(max(x[-1] for x in reached))
        every = max(1, (last - first) // 8)
        handles = []
        for i, (curve, look) in enumerate(zip(curves, paper.looks([curve.values for curve in curves]), strict=True)):
            if np.isfinite(curve.low).any():
                axes.fill_between(curve.epochs, curve.low, curve.high, color=look.color, alpha=0.18, linewidth=0)
            for epochs, values in curve.tails:
                axes.plot(epochs, values, color=look.color, linewidth=0.6, gid="tail")
            handles += axes.plot(
                curve.epochs, curve.mean, color=look.color, linestyle=look.line, marker=look.marker,
                markerfacecolor=look.color if look.filled else "white", markeredgewidth=0.8,
                markevery=(i * every // len(curves) % max(len(curve.epochs), 1), every),
                gid="mean", clip_on=not len(curve.epochs),
            )  # fmt: skip
        paper.over_epochs(axes, first, last)
        axes.set_ylabel(metric)
        axes.set_ylim(paper.within(axes.get_ylim(), limits))
        axes.grid(axis="y")
        texts = [curve.label for curve in curves]
        columns = len(grid[1]) if grid and len(curves) == len(grid[0]) * len(grid[1]) else 0
        paper.legend_above(figure, handles, texts, heading, columns=columns)
    return figure


@dataclass(frozen=True)
class Row:
    """A metric of a group: the mean, the ends of its interval (NaN: there is none), and the runs' own values."""

    label: str
    mean: float
    low: float
    high: float
    singles: Sequence[float] = field(default=())


def draw_rows(
    rows: Sequence[Row],
    metric: str,
    heading: str = "",
    limits: tuple[float, float] = (-math.inf, math.inf),
    width: str = "column",
) -> Figure:
    """Means with their intervals, the first row on top, and below each mean the runs' own values.

    Bars where `begin_at_zero`. Else dots, on an axis that begins where the data do, since bars that do not begin at
    zero mislead. `metric` names that axis, which stays within `limits`; `heading` stands above the labels.
    """
    means = np.array([row.mean for row in rows])
    bars = begin_at_zero(rows)
    with paper.style():
        figure = paper.empty(WIDTHS[width], 0.55 + (0.24 if len(rows) <= 15 else 0.18) * max(len(rows), 2))
        axes = figure.add_subplot()
        places = np.arange(len(rows))
        if bars:
            axes.barh(places, means, height=0.7, color=PALE, edgecolor=BLUE, linewidth=0.6)
        else:
            axes.plot(means, places, "o", color=BLUE, markersize=4.5, gid="mean", zorder=2.2, clip_on=False)
        for place, row in enumerate(rows):
            if np.isfinite([row.low, row.high]).all():
                axes.plot([row.low, row.high], [place, place], color=BLUE, linewidth=1.6, gid="interval")
            if len(row.singles) > 1:
                axes.plot(
                    row.singles, [place + 0.25] * len(row.singles), "o", color=VERMILION, markersize=2.4, alpha=0.7,
                    markeredgewidth=0, gid="run", clip_on=False,
                )  # fmt: skip
        axes.set_yticks(places, paper.labels([row.label for row in rows], 0.45 * WIDTHS[width]))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(bars)
        axes.set_xlabel(metric)
        axes.set_xlim(paper.within(axes.get_xlim(), limits))
        axes.grid(axis="x")
        if np.abs(means).max() >= 1e4:
            paper.short_numbers(axes.xaxis)
        if heading:
            name = paper.shortened(heading, WIDTHS[width] - 0.1)
            figure.suptitle(name, x=0.01, ha="left", fontsize=8, color=GREY)
    return figure


def begin_at_zero(rows: Sequence[Row]) -> bool:
    """Whether an axis from zero shows the differences: the longest bar would be twice the shortest or more."""
    means = [row.mean for row in rows]
    return 0 <= min(means) <= max(means) / 2 and max(means) > 0
