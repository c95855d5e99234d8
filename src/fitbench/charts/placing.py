"""Points of a plane with labels that cover little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.palette import GREY
from fitbench.charts.labels import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    @property
    def intervals(self) -> list[tuple[list[float], list[float]]]:
        """The ends of the lines that show the intervals: their x, their y."""
        lines = [([self.x, self.x], [self.y_low, self.y_high]), ([self.x_low, self.x_high], [self.y, self.y])]
        return [line for line in lines if np.isfinite(line).all()]


def write_labels(axes: Axes, points: Sequence[Point], on: np.ndarray, stairs: Sequence[tuple[float, float]]) -> None:
    """Write each label where it covers least. Those on the front are written, others where they cover nothing.

    `on`, bool [N], says which points are on the front; `stairs` are the corners of a line that labels avoid.
    """
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    inside = _box(axes.get_window_extent(renderer))
    taken = [_around(axes, [point.x], [point.y], 2.5) for point in points]
    taken += [_around(axes, xs, ys, 0.5) for point in points for xs, ys in point.intervals]
    taken += [_around(axes, [a[0], b[0]], [a[1], b[1]], 0.5) for a, b in pairwise(stairs)]
    texts = labels([point.label for point in points], LABEL, SIZE)
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
