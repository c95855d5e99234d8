"""The mean of each group with its interval and its runs or folds, a row for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis.axes import UNLIMITED, Ends
from fitbench.analysis.groups import Group
from fitbench.analysis.palette import ACCENT, MAIN, PALE
from fitbench.analysis.series import axis_label, with_capital
from fitbench.charts import paper
from fitbench.charts.chart import Chart, best, heading, intervals_of, mean_and_ends, mean_over, wanting
from fitbench.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CROWD = (0.18, 0.46)  # below the middle of a row, over which values that are near to each other spread, in rows
SAME = 0.006  # of the range of all values: half of the width of a small dot
ROWS = 40  # groups that are shown at most


@dataclass(frozen=True)
class Row:
    """A metric of a group: the mean, the ends of its interval (NaN: there is none), and the values it is over."""

    label: str
    mean: float
    low: float
    high: float
    singles: Sequence[float] = field(default=())


def chart_of_bars(groups: Sequence[Group], metric: Quantity, width: str) -> Chart:
    """Mean, interval and runs or folds of each group, the best on top; the best 40 of more."""
    drawn, left_out = best(groups, ROWS)
    rows = [Row(group.label, *mean_and_ends(group.summary), group.means) for group in drawn]
    samples = [group.sample for group in drawn]
    caption = f"{with_capital(axis_label(metric))}, {mean_over(samples)}"
    caption += " (bars from zero)" if begin_at_zero(rows) else " (large dots: the axis does not begin at zero)"
    if any(group.summary.interval for group in drawn):
        caption += f", with {intervals_of(samples)}"
    dots = [f"single {noun}s" for noun in dict.fromkeys(sample.noun for sample in samples)]
    caption += f"; small dots are {' or '.join(dots)}." if any(len(group.means) > 1 for group in drawn) else "."
    if wanted := wanting(samples):
        caption += f" An interval needs {wanted}."
    figure = draw_rows(rows, axis_label(metric), heading(drawn), (metric.low, metric.high), width)
    return Chart(figure, sum(len(group.values) for group in drawn), len(rows), caption, left_out)


def draw_rows(
    rows: Sequence[Row], metric: str, title: str = "", limits: Ends = UNLIMITED, width: str = "column"
) -> Figure:
    """Means with their intervals, the first row on top, and below each mean the values that it is over.

    Bars where `begin_at_zero`. Else dots, on an axis that begins where the data do, since bars that do not begin at
    zero mislead. `metric` names that axis, which stays within `limits`; `title` stands above the labels.
    """
    means = np.array([row.mean for row in rows])
    bars = begin_at_zero(rows)
    numbers = [value for row in rows for value in (row.mean, row.low, row.high, *row.singles)]
    with paper.style():
        figure = paper.empty(paper.WIDTHS[width], 0.55 + (0.24 if len(rows) <= 15 else 0.18) * max(len(rows), 2))
        axes = figure.add_subplot()
        places = np.arange(len(rows))
        if bars:
            axes.barh(places, means, height=0.7, color=PALE, edgecolor=MAIN, linewidth=0.6)
        else:
            axes.plot(means, places, "o", color=MAIN, markersize=4.5, gid="mean", zorder=2.2, clip_on=False)
        near = SAME * np.ptp([value for value in numbers if np.isfinite(value)])
        for place, row in enumerate(rows):
            if np.isfinite([row.low, row.high]).all():
                axes.plot([row.low, row.high], [place, place], color=MAIN, linewidth=1.6, gid="interval")
            if len(row.singles) > 1:
                axes.plot(
                    row.singles, place + _below(row.singles, near), "o", color=ACCENT, markersize=2.4, alpha=0.7,
                    markeredgewidth=0, gid="run", clip_on=False,
                )  # fmt: skip
        paper.name_rows(axes, [row.label for row in rows], 0.45 * paper.WIDTHS[width])
        axes.spines["left"].set_visible(bars)
        paper.fit(
            axes.xaxis, [0.0, *numbers] if bars else numbers, (max(limits[0], 0.0), limits[1]) if bars else limits
        )
        axes.set_xlabel(metric)
        paper.head(figure, title)
    return figure


def _below(values: Sequence[float], near: float) -> np.ndarray:
    """How far below the middle of a row each value is drawn, float [N]: those that are near to each other spread out.

    `near` is the largest distance between neighbours that would lie on top of each other.
    """
    below = np.full(len(values), 0.25)
    order = np.argsort(values, kind="stable")
    for crowd in np.split(order, np.flatnonzero(np.diff(np.array(values)[order]) > near) + 1):
        if len(crowd) > 1:
            below[crowd] = np.linspace(*CROWD, len(crowd))
    return below


def begin_at_zero(rows: Sequence[Row]) -> bool:
    """Whether an axis from zero shows the differences: the longest bar would be twice the shortest or more."""
    means = [row.mean for row in rows]
    return 0 <= min(means) <= max(means) / 2 and max(means) > 0
