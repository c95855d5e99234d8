"""A metric against what it costs, with the Pareto front, as a figure of Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.charts import paper
from fitbench.charts.paper import COLOURS, GREY, WIDTHS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VERMILION = COLOURS[3]
LABELLED = 15  # points; with more, only those on the front are labelled
LABEL = 1.5  # inches of a label that are shown
SIZE = 7  # of a label, in points
# Of a label: its distance from the point in points, and which side of it is nearest to the point.
PLACES: tuple[tuple[float, float, str, str], ...] = (
    (5, 0, "left", "center"), (-5, 0, "right", "center"), (0, 5, "center", "bottom"), (0, -5, "center", "top"),
    (4, 4, "left", "bottom"), (4, -4, "left", "top"), (-4, 4, "right", "bottom"), (-4, -4, "right", "top"),
    *((6 * right, up * far, "left" if right > 0 else "right", "bottom" if up > 0 else "top")
      for far in (12, 24, 36, 48) for up in (1, -1) for right in (1, -1)),
)  # fmt: skip
NEAR = 6  # points; a label that is further away gets a line to its point
LEADER = {"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkA": 0, "shrinkB": 3}


@dataclass(frozen=True)
class Point:
    """A group in the plane: `x` and `y` are means, the rest the ends of their intervals (NaN: there is none)."""

    label: str
    x: float
    y: float
    x_low: float = math.nan
    x_high: float = math.nan
    y_low: float = math.nan
    y_high: float = math.nan


@dataclass(frozen=True)
class Axis:
    """What an axis measures: its label, which direction is better, and the range that values can have."""

    label: str
    higher_is_better: bool
    low: float = -math.inf
    high: float = math.inf


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


def draw_scatter(points: Sequence[Point], across: Axis, up: Axis, width: str = "column", heading: str = "") -> Figure:
    """One quantity, such as a metric, against another, such as a cost.

    The points on the Pareto front are filled, labelled and joined by a staircase, which bounds what they dominate. The
    others are grey, and labelled where they are few and there is room. The x axis is logarithmic where it spans a
    factor of 10. `heading` stands above all.
    """
    x, y = np.array([point.x for point in points]), np.array([point.y for point in points])
    low_x = not across.higher_is_better
    on = pareto_front(x, y, low_x, not up.higher_is_better)
    order = np.flatnonzero(on)[np.lexsort((y[on], x[on]))]
    with paper.style():
        figure = paper.empty(WIDTHS[width], 2.5 if width == "column" else 3.6)
        axes = figure.add_subplot()
        for point, best in zip(points, on, strict=True):
            for xs, ys in _intervals(point):
                axes.plot(xs, ys, color=VERMILION if best else GREY, linewidth=0.9, gid="interval")
        stairs = _stairs(x[order], y[order], low_x)
        axes.plot(*zip(*stairs, strict=True), color=VERMILION, linewidth=1, gid="stairs")
        handles = axes.plot(x[order], y[order], "o", color=VERMILION, gid="front", zorder=3, clip_on=False)
        if not on.all():
            handles += axes.plot(
                x[~on], y[~on], "o", color=GREY, markerfacecolor="white", gid="dominated", clip_on=False
            )
        axes.margins(0.12)
        if paper.wide(x):
            paper.logarithmic(axes, x)
        elif x.max() >= 1e4:
            paper.short_numbers(axes.xaxis)
        if np.abs(y).max() >= 1e4:
            paper.short_numbers(axes.yaxis)
        axes.set_xlabel(across.label)
        axes.set_ylabel(up.label)
        axes.set_xlim(paper.within(axes.get_xlim(), (across.low, across.high)))
        axes.set_ylim(paper.within(axes.get_ylim(), (up.low, up.high)))
        axes.grid()
        if not on.all() or heading:
            paper.legend_above(figure, handles, ["Pareto front", "dominated"][: len(handles)], heading)
        figure.draw_without_rendering()  # places the axes
        _write_labels(axes, points, on, stairs)
    return figure


def _stairs(x: np.ndarray, y: np.ndarray, low_x: bool) -> list[tuple[float, float]]:
    """The corners of the border of what the points dominate, from left to right; `x` is ascending."""
    corners = [(float(x[0]), float(y[0]))]
    for i in range(1, len(x)):
        corners += [
            (float(x[i]), float(y[i - 1])) if low_x else (float(x[i - 1]), float(y[i])),
            (float(x[i]), float(y[i])),
        ]
    return corners


def _intervals(point: Point) -> list[tuple[list[float], list[float]]]:
    """The ends of the lines that show the point's intervals: their x, their y."""
    lines = [
        ([point.x, point.x], [point.y_low, point.y_high]),
        ([point.x_low, point.x_high], [point.y, point.y]),
    ]
    return [line for line in lines if np.isfinite(line).all()]


def _write_labels(axes: Axes, points: Sequence[Point], on: np.ndarray, stairs: Sequence[tuple[float, float]]) -> None:
    """Write each label where it covers least. Those on the front are written, others where they cover nothing."""
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    inside = _box(axes.get_window_extent(renderer))
    taken = [_around(axes, [point.x], [point.y], 2.5) for point in points]
    taken += [_around(axes, xs, ys, 0.5) for point in points for xs, ys in _intervals(point)]
    taken += [_around(axes, [a[0], b[0]], [a[1], b[1]], 0.5) for a, b in pairwise(stairs)]
    texts = paper.labels([point.label for point in points], LABEL, SIZE)
    others = np.flatnonzero(~on) if len(points) <= LABELLED else np.empty(0, int)
    for i in [*np.flatnonzero(on), *others]:
        at, color = (points[i].x, points[i].y), "black" if on[i] else GREY
        text = axes.annotate(
            texts[i], at, (0, 0), textcoords="offset points", fontsize=SIZE, color=color, gid="label"
        )  # fmt: skip
        text.set_in_layout(False)
        low, high = _box(text.get_window_extent(renderer))
        boxes = [_at(axes, at, place, high - low) for place in PLACES]
        size = float(np.prod(high - low))
        costs = [
            (sum(_common(box, other) for other in taken) + 3 * (size - _common(box, inside))) / size for box in boxes
        ]
        best = int(np.argmin(np.round(costs, 3)))  # of equal ones the first, which is nearest
        if not on[i] and costs[best] > 0.02:
            text.remove()
            continue
        taken.append(boxes[best])
        right, up, across, along = PLACES[best]
        text.set(ha=across, va=along)
        text.xyann = (right, up)
        if abs(up) > NEAR:
            leader = axes.annotate("", at, (right, up), textcoords="offset points", arrowprops=LEADER)
            leader.set_in_layout(False)


def _at(axes: Axes, point: tuple[float, float], place: tuple[float, float, str, str], size: np.ndarray) -> np.ndarray:
    """The box on the canvas of a label of so many pixels at this place of a point in data."""
    right, up, across, along = place
    anchor = axes.transData.transform(point) + np.array([right, up]) * axes.figure.dpi / 72
    before = {"left": 0, "bottom": 0, "center": 0.5, "right": 1, "top": 1}  # the part that is left of, or below, it
    low = anchor - size * [before[across], before[along]]
    return np.array([low, low + size])


def _around(axes: Axes, xs: Sequence[float], ys: Sequence[float], points: float) -> np.ndarray:
    """The box on the canvas around places in data, with a margin in points: [[left, low], [right, high]] in pixels."""
    where = axes.transData.transform(np.column_stack([xs, ys]))
    margin = points * axes.figure.dpi / 72
    return np.array([where.min(axis=0) - margin, where.max(axis=0) + margin])


def _box(box: Any) -> np.ndarray:
    return np.array([box.min, box.max])


def _common(a: np.ndarray, b: np.ndarray) -> float:
    """The area that two boxes share."""
    sides = np.minimum(a[1], b[1]) - np.maximum(a[0], b[0])
    return float(np.prod(np.maximum(sides, 0)))
