"""Claimed against measured as a figure: a line for each row, with the tolerance and the interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis.statistics import Interval
from fitbench.charts import paper
from fitbench.charts.paper import COLOURS, GREY, WIDTHS
from fitbench.tables.definition import Table
from fitbench.tables.outcome import Outcome
from fitbench.tables.rendering import ends
from fitbench.tables.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = COLOURS[0], COLOURS[3]
ROW_INCHES = 0.3
LABEL_INCHES = 0.4 * WIDTHS["full"]
LEGEND = ("claimed", "tolerance", "mean over the seeds", "one seed", "95% interval of the difference")
APART = 0.17  # of the claim above and the measurement below the middle of a row, in rows


def chart(table: Table, results: Sequence[Outcome]) -> Figure:
    """The rows from the top: the claim (a diamond, a bar for a range), and below it the mean and the single seeds.

    The grey band around a claim is the tolerance. The thin line around a mean has the half-width of the
    95% interval of the difference. A printed claim stands for all that rounds to it, so a diamond may lie just beyond
    the line. Rows without a claim and a measurement keep their place.
    """
    unit = table.unit
    numbers = np.array([value for outcome in results for value in _numbers(outcome, unit)])
    with paper.style():
        figure = paper.empty(WIDTHS["full"], 0.6 + ROW_INCHES * max(len(results), 2))
        axes = figure.add_subplot()
        for place, outcome in enumerate(results):
            _draw_claim(axes, place, outcome, table)
            _draw_measured(axes, place + APART, outcome, unit)
        axes.set_yticks(range(len(results)), paper.labels([outcome.row.label for outcome in results], LABEL_INCHES))
        axes.set_ylim(len(results) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if paper.wide(numbers):
            paper.logarithmic(axes, numbers)
        axes.set_xlabel(table.heading)
        axes.grid(axis="x")
        between_rows = np.arange(len(results) - 1) + 0.5
        axes.hlines(between_rows, 0, 1, transform=axes.get_yaxis_transform(), color="#eeeeee", lw=0.5)
        paper.legend_above(figure, _handles(), LEGEND)
    return figure


def _numbers(outcome: Outcome, unit: Unit) -> list[float]:
    """The finite numbers that are drawn for a row, without the tolerance, which may be cut off at the edge."""
    claim = outcome.row.claim
    values = [*outcome.values, *(_interval(outcome) or ()), *((claim.low, claim.high) if claim else ())]
    return [number for value in values if math.isfinite(number := unit.number(value))]


def _interval(outcome: Outcome) -> Interval | None:
    """The mean with the half-width of the difference to both sides."""
    mean, half_width = outcome.judgement.measured.mean, outcome.judgement.half_width
    return None if mean is None or half_width is None else (mean - half_width, mean + half_width)


def _draw_claim(axes: Axes, place: float, outcome: Outcome, table: Table) -> None:
    claim, unit = outcome.row.claim, table.unit
    if claim is None:
        return
    band = ends((claim.lowest - table.tolerance, claim.highest + table.tolerance), unit)
    axes.fill_betweenx([place - 0.42, place + 0.42], *band, color=GREY, alpha=0.13, linewidth=0, gid="tolerance")
    low, high = ends((claim.low, claim.high), unit)
    at = [place - APART, place - APART]
    if low < high:
        axes.plot([low, high], at, color=GREY, linewidth=4, solid_capstyle="butt", gid="claim")
    else:
        axes.plot([low], at[:1], "D", color=GREY, markersize=4, gid="claim")


def _draw_measured(axes: Axes, place: float, outcome: Outcome, unit: Unit) -> None:
    mean, interval = outcome.judgement.measured.mean, _interval(outcome)
    if mean is None:
        return
    if interval is not None:
        axes.plot(ends(interval, unit), [place, place], color=BLUE, linewidth=1.0, gid="interval")
    values = [unit.number(value) for value in outcome.values]
    if len(values) > 1:
        axes.plot(
            values, [place + 0.16] * len(values), "o", color=ORANGE, markersize=2.2, alpha=0.7, markeredgewidth=0,
            gid="seed",
        )  # fmt: skip
    axes.plot([unit.number(mean)], [place], "o", color=BLUE, markersize=4, gid="mean")


def _handles() -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color=GREY, marker="D", linestyle="none", markersize=4),
        Patch(color=GREY, alpha=0.13, linewidth=0),
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=4),
        Line2D([], [], color=ORANGE, marker="o", linestyle="none", markersize=2.2),
        Line2D([], [], color=BLUE, linewidth=1.0),
    ]
