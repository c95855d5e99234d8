"""Claimed against measured values of a published table: a line for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import UNLIMITED, Ends, is_logarithmic
from fitbench.analysis.palette import ACCENT, FAINT, GREY, MAIN
from fitbench.charts import paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_INCHES = 0.3
LABEL_INCHES = 0.4 * paper.WIDTHS["full"]
APART = 0.17  # of the claim above and the measurement below the middle of a row, in rows
# What is drawn of a row: its look. A mark at the end of the axis is not cut off.
CLAIM: dict[str, Any] = {"color": GREY, "marker": "D", "linestyle": "", "markersize": 4, "clip_on": False}
TOLERANCE: dict[str, Any] = {"color": GREY, "alpha": 0.13, "linewidth": 0}
MEAN: dict[str, Any] = {"color": MAIN, "marker": "o", "linestyle": "", "markersize": 4, "clip_on": False}
SEED: dict[str, Any] = {
    "color": ACCENT,
    "marker": "o",
    "linestyle": "",
    "markersize": 2.2,
    "markeredgewidth": 0,
    "clip_on": False,
}
INTERVAL: dict[str, Any] = {"color": MAIN, "linewidth": 1.0}
LEGEND = ("claimed", "tolerance", "mean over the seeds", "one seed", "95% interval of the difference")


@dataclass(frozen=True)
class ClaimRow:
    """A row of a table, in the table's unit. What is None does not exist.

    Attributes:
        label: what stands beside the row.
        claim: the ends of what is claimed, equal for a single number.
        tolerance: the ends of what agrees with the claim.
        mean: the mean over the seeds.
        interval: around the mean, as wide as the 95% interval of the difference, within the range of the metric.
        seeds: the value of each seed.
    """

    label: str
    claim: Ends | None
    tolerance: Ends | None
    mean: float | None
    interval: Ends | None
    seeds: Sequence[float]


@dataclass(frozen=True)
class ClaimPanel:
    """Rows with one axis.

    Attributes:
        rows: from the top.
        heading: names the axis.
        limits: where the axis ends at most.
        of_errors: whether smaller is better; then the axis may be logarithmic.
    """

    rows: Sequence[ClaimRow]
    heading: str
    limits: Ends = UNLIMITED
    of_errors: bool = True


def draw_claims(panels: Sequence[ClaimPanel]) -> Figure:
    """Panels below each other. A row has the claim (a diamond, or a bar for a range), and below it the mean and seeds.

    The grey band around a claim is the tolerance, which may be cut off at the edge. A printed claim stands for all that
    rounds to it, so a diamond may lie just beyond the line.
    """
    heights = [0.6 + ROW_INCHES * max(len(panel.rows), 2) for panel in panels]
    with paper.style():
        figure = paper.empty(paper.WIDTHS["full"], sum(heights))
        grid = figure.add_gridspec(len(panels), height_ratios=heights)
        for place, panel in enumerate(panels):
            _draw_panel(figure.add_subplot(grid[place]), panel)
        paper.legend_above(figure, _handles(), LEGEND)
    return figure


def _draw_panel(axes: Axes, panel: ClaimPanel) -> None:
    rows = panel.rows
    numbers = [value for row in rows for value in (*row.seeds, *(row.interval or ()), *(row.claim or ()))]
    for place, row in enumerate(rows):
        _draw_claim(axes, place - APART, row)
        _draw_measured(axes, place + APART, row)
    paper.name_rows(axes, [row.label for row in rows], LABEL_INCHES)
    paper.fit(axes.xaxis, numbers, panel.limits, log=panel.of_errors and is_logarithmic(numbers))
    axes.set_xlabel(panel.heading)
    axes.hlines(np.arange(len(rows) - 1) + 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, lw=0.5)


def _draw_claim(axes: Axes, place: float, row: ClaimRow) -> None:
    if row.claim is None:
        return
    if row.tolerance is not None:
        middle = place + APART
        axes.fill_betweenx([middle - 0.42, middle + 0.42], *row.tolerance, gid="tolerance", **TOLERANCE)
    low, high = row.claim
    if low < high:
        axes.plot([low, high], [place, place], color=GREY, linewidth=4, solid_capstyle="butt", gid="claim")
    else:
        axes.plot([low], [place], gid="claim", **CLAIM)


def _draw_measured(axes: Axes, place: float, row: ClaimRow) -> None:
    if row.mean is None:
        return
    if row.interval is not None:
        axes.plot(row.interval, [place, place], gid="interval", **INTERVAL)
    if len(row.seeds) > 1:
        axes.plot(row.seeds, [place + 0.16] * len(row.seeds), alpha=0.7, gid="seed", **SEED)
    axes.plot([row.mean], [place], gid="mean", **MEAN)


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    claim, mean, seed, interval = (Line2D([], [], **look) for look in (CLAIM, MEAN, SEED, INTERVAL))
    return [claim, Patch(**TOLERANCE), mean, seed, interval]
