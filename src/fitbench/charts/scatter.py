"""A metric against what it costs, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis import statistics
from fitbench.analysis.groups import Group, resolutions
from fitbench.analysis.palette import ACCENT, GREY
from fitbench.analysis.sample import Sample
from fitbench.analysis.series import axis_label, with_capital
from fitbench.charts import paper
from fitbench.charts.chart import Chart, intervals_of, mean_and_ends, mean_over
from fitbench.charts.labels import in_two_lines
from fitbench.charts.placing import Point, write_labels
from fitbench.errors import RequestError
from fitbench.quantities import Quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.1  # of the axes, for labels

Ends = tuple[float, float, float]  # a mean, and the ends of its interval


def chart_of_scatter(
    groups: Sequence[Group], frame: pd.DataFrame, metric: Quantity, cost: Quantity, width: str
) -> Chart:
    """The groups' means of a metric against those of a cost, with the Pareto front.

    Raises:
        RequestError: no run has the cost.
    """
    costs = dict(zip(frame["folder"].tolist(), frame[cost.column].tolist(), strict=True))
    steps = {of.column: resolutions(frame, of) for of in (metric, cost)}

    def mean(of: Quantity, values: Mapping[str, float], sample: Sample, folders: Sequence[str]) -> Ends:
        sizes = [steps[of.column][folder] for folder in folders]
        return mean_and_ends(sample.summary([values[folder] for folder in folders], of, sizes))

    having = {folder for folder, value in costs.items() if math.isfinite(value)}
    points, samples = [], []
    for group in groups:
        values = dict(zip(group.folders, group.values, strict=True))
        both, sample = group.among(having)
        if both:
            x, x_low, x_high = mean(cost, costs, sample, both)
            y, y_low, y_high = mean(metric, values, sample, both)
            points.append(Point(group.label, x, y, x_low, x_high, y_low, y_high))
            samples.append(sample)
    if not points:
        raise RequestError(f"none of the runs has {cost.name}; choose another --x")
    caption = f"{with_capital(axis_label(metric))} against {axis_label(cost)}, {mean_over(samples)}."
    if max(len(sample.members) for sample in samples) >= statistics.FEWEST:
        caption += f" Lines are {intervals_of(samples)}."
    caption += " Filled points are on the Pareto front: no other is as good in both and better in one."
    runs = sum(len(sample.seeds) for sample in samples)
    missing = sum(len(group.values) for group in groups) - runs
    figure = draw_scatter(points, cost, metric, width)
    return Chart(figure, runs, len(points), caption, {f"without {cost.name}": missing})


# -- the figure -------------------------------------------------------------------------------------------------------


def pareto_front(x: np.ndarray, y: np.ndarray, low_x: bool, low_y: bool) -> np.ndarray:
    """Which points no other one dominates, bool [N]: none is as good in both, and better in one.

    `x` and `y` are float [N], `low_x` and `low_y` say whether lower is better. V. Pareto (1906), Manuale di economia
    politica; equal points are on the front together. Takes N log N steps.
    """
    x, y = (x if low_x else -x), (y if low_y else -y)
    on = np.zeros(len(x), bool)
    best, at = math.inf, math.nan  # the least y so far, and the x that has it
    for i in np.lexsort((y, x)):
        if y[i] < best:
            best, at = y[i], x[i]
        on[i] = y[i] == best and x[i] == at
    return on


def draw_scatter(
    points: Sequence[Point], across: Quantity, up: Quantity, width: str = "column", title: str = ""
) -> Figure:
    """One quantity, such as a metric, against another, such as a cost.

    The points on the Pareto front are filled, labelled and joined by a staircase, which bounds what they dominate. The
    others are grey, and labelled where they are few and there is room. `title` stands above all.
    """
    x, y = np.array([point.x for point in points]), np.array([point.y for point in points])
    low_x = not across.higher_is_better
    on = pareto_front(x, y, low_x, not up.higher_is_better)
    order = np.flatnonzero(on)[np.lexsort((y[on], x[on]))]
    stairs = _stairs(x[order], y[order], low_x)
    with paper.style():
        figure = paper.empty(paper.WIDTHS[width], 2.5 if width == "column" else 3.6)
        axes = figure.add_subplot()
        handles = draw_points(axes, points, on, across, up)
        axes.plot(*zip(*stairs, strict=True), color=ACCENT, linewidth=0.6, alpha=0.6, zorder=1, gid="stairs")
        axes.set_ylabel(in_two_lines(axis_label(up), figure.get_figheight() - 0.6))
        if len(handles) > 1 or title:
            paper.legend_above(figure, handles, ["Pareto front", "dominated"][: len(handles)], title)
        figure.draw_without_rendering()  # places the axes
        write_labels(axes, points, on, stairs)
    return figure


def draw_points(
    axes: Axes, points: Sequence[Point], on: np.ndarray, across: Quantity, up: Quantity, most: int | None = None
) -> list[Artist]:
    """Draw points with their intervals, those on the front (bool [N]) filled; gives a mark of either kind.

    `most` is about how many ticks the x axis has.
    """
    handles: list[Artist] = []
    for point, best in zip(points, on, strict=True):
        for xs, ys in point.intervals:
            axes.plot(xs, ys, color=ACCENT if best else GREY, linewidth=0.8, gid="interval")
    for kind, colour, filling, these in (
        ("front", ACCENT, ACCENT, [point for point, best in zip(points, on, strict=True) if best]),
        ("dominated", GREY, "white", [point for point, best in zip(points, on, strict=True) if not best]),
    ):
        if these:
            places = sorted((point.x, point.y) for point in these)
            handles += axes.plot(
                *zip(*places, strict=True), "o", color=colour, markerfacecolor=filling, gid=kind, zorder=3,
                clip_on=False,
            )  # fmt: skip
    xs = [value for point in points for value in (point.x, point.x_low, point.x_high)]
    ys = [value for point in points for value in (point.y, point.y_low, point.y_high)]
    paper.fit(axes.xaxis, xs, (across.low, across.high), MARGIN, most=most)
    paper.fit(axes.yaxis, ys, (up.low, up.high), MARGIN)
    axes.set_xlabel(axis_label(across))
    return handles


def _stairs(x: np.ndarray, y: np.ndarray, low_x: bool) -> list[tuple[float, float]]:
    """The corners of the border of what the points dominate, from left to right; `x` is ascending."""
    corners = [(float(x[0]), float(y[0]))]
    for i in range(1, len(x)):
        corner = (x[i], y[i - 1]) if low_x else (x[i - 1], y[i])
        corners += [(float(corner[0]), float(corner[1])), (float(x[i]), float(y[i]))]
    return corners
