"""Claimed against measured as a figure: a line for each row, with both intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fitbench.charts import paper
from fitbench.charts.paper import COLOURS, GREY, WIDTHS
from fitbench.tables.definition import Table, Unit
from fitbench.tables.lines import Line
from fitbench.tables.rendering import ends, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = COLOURS[0], COLOURS[3]
ROW_INCHES = 0.3
APART = 0.17  # of the claim above and the measurement below the middle of a row, in rows


def chart(table: Table, made: Sequence[Line]) -> Figure:
    """The rows from the top: the claim (a diamond, a bar for a range), and below it the mean and the single seeds.

    Thin lines are 95% intervals. Rows that have neither a claim nor a measurement keep their place, and are empty.
    """
    unit = table.unit
    numbers = np.array([value for line in made for value in _numbers(line, unit)])
    with paper.style():
        figure = paper.empty(WIDTHS["full"], 0.6 + ROW_INCHES * max(len(made), 2))
        axes = figure.add_subplot()
        for place, line in enumerate(made):
            _draw_claim(axes, place - APART, line, unit)
            _draw_measured(axes, place + APART, line, unit)
        axes.set_yticks(range(len(made)), paper.labels([line.row.label for line in made], 0.4 * WIDTHS["full"]))
        axes.set_ylim(len(made) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if paper.wide(numbers):
            paper.logarithmic(axes, numbers)
        axes.set_xlabel(quantity(table))
        axes.grid(axis="x")
        axes.hlines(np.arange(len(made) - 1) + 0.5, 0, 1, transform=axes.get_yaxis_transform(), color="#eeeeee", lw=0.5)
        paper.legend_above(figure, _handles(), ["claimed", "mean over the seeds", "one seed", "95% interval"])
    return figure


def _numbers(line: Line, unit: Unit) -> list[float]:
    """Everything that is drawn of a row, as far as it is finite."""
    pairs = [pair for pair in (line.judged.claimed, line.judged.measured.interval) if pair]
    values = [*(end for pair in pairs for end in pair), *line.values]
    return [shown for value in values if math.isfinite(shown := unit.shown(value))]


def _draw_claim(axes: Axes, place: float, line: Line, unit: Unit) -> None:
    claim, around = line.row.claim, line.judged.claimed
    if claim is None or around is None:
        return
    axes.plot(ends(around, unit), [place, place], color=GREY, linewidth=1.0, gid="claimed interval")
    low, high = ends((claim.low, claim.high), unit)
    if low < high:
        axes.plot([low, high], [place, place], color=GREY, linewidth=4, solid_capstyle="butt", gid="claim")
    else:
        axes.plot([low], [place], "D", color=GREY, markersize=4, gid="claim")


def _draw_measured(axes: Axes, place: float, line: Line, unit: Unit) -> None:
    summary = line.judged.measured
    if summary.mean is None:
        return
    if summary.interval is not None:
        axes.plot(ends(summary.interval, unit), [place, place], color=BLUE, linewidth=1.0, gid="interval")
    values = [unit.shown(value) for value in line.values]
    if len(values) > 1:
        axes.plot(
            values, [place + 0.16] * len(values), "o", color=ORANGE, markersize=2.2, alpha=0.7, markeredgewidth=0,
            gid="seed",
        )  # fmt: skip
    axes.plot([unit.shown(summary.mean)], [place], "o", color=BLUE, markersize=4, gid="mean")


def _handles() -> list:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=GREY, marker="D", linestyle="none", markersize=4),
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=4),
        Line2D([], [], color=ORANGE, marker="o", linestyle="none", markersize=2.2),
        Line2D([], [], color=BLUE, linewidth=1.0),
    ]
