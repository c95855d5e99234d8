"""The trials of a search by two objectives, the first one up, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import number
from fitbench.charts import paper
from fitbench.charts.placing import Point
from fitbench.charts.scatter import draw_points, draw_scatter
from fitbench.charts.trials import WIDTH, Trial, Trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 2.2  # inches of one of several planes
TEXTS = ["no other trial is better in every objective", "dominated"]


def draw_planes(search: Trials) -> Figure:
    """One plane; with more than two objectives one for each further objective. Trials far off are counted instead."""
    low, high = search.range()
    drawn = [trial for trial in search.finished if low <= trial["values"][0] <= high or trial in search.best]
    heading = search.heading
    if beyond := len(search.finished) - len(drawn):
        side, end = ("below", low) if search.maximizes(0) else ("above", high)
        heading += f"; {beyond:,} with {search.labels[0]} {side} {number(end)} not shown"
    if len(search.names) == 2:
        return draw_scatter(_points(drawn, 1), search.objectives[1], search.objectives[0], "full", heading)
    on = np.array([trial in search.best for trial in drawn])
    with paper.style():
        across = len(search.names) - 1
        figure = paper.empty(max(WIDTH, LEAST * across), 2.4)
        planes: Any = figure.subplots(1, across, sharey=True, squeeze=False)
        for other, axes in enumerate(planes[0], 1):
            handles = draw_points(
                axes, _points(drawn, other), on, search.objectives[other], search.objectives[0], most=4
            )
        planes[0, 0].set_ylabel(search.labels[0])
        paper.legend_above(figure, handles, TEXTS[: len(handles)], heading)
    return figure


def _points(trials: Sequence[Trial], across: int) -> list[Point]:
    return [Point(f"trial {trial['number']}", trial["values"][across], trial["values"][0]) for trial in trials]
