"""Parallel coordinates: a line per run, through the values of its configuration to its metric, which colours it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.groups import text
from fitbench.charts import paper
from fitbench.charts.paper import WIDTHS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DISTINCT = 12  # numbers of a column that get a tick of their own
SPREAD = 0.6  # of the room between two values, which the lines through each are spread over
WIDEST = 0.2  # of an axis, that the lines through one value are spread over
STRIP = 0.015  # of the width, that the colours of the metric take
LARGEST = 1e300  # number that an axis has; a file can name larger ones
ABSENT = "(none)"  # where runs without a value stand


@dataclass(frozen=True, eq=False)
class Scale:
    """An axis: where each run crosses it, float [N] from 0 to 1, and its ticks (place, text).

    `slots` are the ranges (low, high) over which the runs of one value are spread.
    """

    name: str
    places: np.ndarray
    ticks: Sequence[tuple[float, str]]
    slots: Sequence[tuple[float, float]] = ()


def scale(
    name: str,
    values: Sequence[Any],
    metric: np.ndarray,
    by_decades: bool | None = None,
    choices: Sequence[str] | None = None,
) -> Scale:
    """The axis of a configuration column; `metric` is float [N].

    Numbers are in their order, on a logarithmic axis where they span a factor of 10, and runs without a value stand
    below them; if `by_decades` is given, they are of an interval, and it says whether that is logarithmic. All else are
    categories from the top, in alphabetical order; if `choices` are given, all values are, in the order of these texts.
    Where runs share a value, they would cross the axis at one point: they are spread around it in the order of the
    metric, unless the numbers are many.
    """
    present = [value for value in values if not _absent(value)]
    if choices is None and present and all(_is_number(value) for value in present):
        numbers = np.array([math.nan if _absent(value) else value for value in values], float)
        return _of_numbers(name, numbers, metric, by_decades)
    texts = [ABSENT if _absent(value) else text(value) for value in values]
    rank = {choice: i for i, choice in enumerate(choices or ())}
    names = sorted(set(texts), key=lambda name: (name == ABSENT, rank.get(name, len(rank)), name))
    centres = 1 - (np.arange(len(names)) + 0.5) / len(names)
    places, slots = _spread(np.array([centres[names.index(name)] for name in texts]), metric)
    return Scale(name, places, list(zip(centres.tolist(), names, strict=True)), slots)


def _of_numbers(name: str, values: np.ndarray, metric: np.ndarray, by_decades: bool | None) -> Scale:
    distinct = np.unique(values[~np.isnan(values)])
    few = len(distinct) <= DISTINCT and (by_decades is None or bool((distinct == distinct.round()).all()))
    by_decades = paper.wide(distinct) if by_decades is None else by_decades and distinct[0] > 0
    ends = np.log10(distinct) if by_decades else distinct
    low, high = ends[0], ends[-1]
    bottom = 0.2 if np.isnan(values).any() else 0.0

    def place(numbers: np.ndarray) -> np.ndarray:
        at = np.log10(numbers) if by_decades else numbers
        share = (at - low) / (high - low) if high > low else np.full(len(at), 0.5)
        return bottom + 0.06 + share * (0.88 - bottom)

    marks = distinct if few else _round_numbers(distinct[0], distinct[-1], by_decades)
    texts = [paper.number(mark) for mark in marks] if few or by_decades else paper.numbers(marks)
    ticks = list(zip(place(marks).tolist(), texts, strict=True))
    places = np.full(len(values), 0.06)
    places[~np.isnan(values)] = place(values[~np.isnan(values)])
    if bottom:
        ticks.append((0.06, ABSENT))
    places, slots = _spread(places, metric) if few else (places, [])
    return Scale(name, places, ticks, slots)


def _spread(places: np.ndarray, metric: np.ndarray) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """The places, with those that are the same moved apart by the rank of their metric; and the range of each."""
    centres = np.unique(places)
    room = min([WIDEST * 2, *np.diff(centres), 2 * centres[0], 2 * (1 - centres[-1])]) * SPREAD
    moved, slots = places.copy(), []
    for centre in centres:
        inside = np.flatnonzero(places == centre)
        if len(inside) > 1:
            ranks = metric[inside].argsort(kind="stable").argsort(kind="stable")
            moved[inside] += room * (ranks / (len(inside) - 1) - 0.5)
            slots.append((float(centre - room / 2), float(centre + room / 2)))
    return moved, slots


def _round_numbers(low: float, high: float, by_decades: bool) -> np.ndarray:
    from matplotlib.ticker import LogLocator, MaxNLocator

    if by_decades:
        marks = LogLocator(subs=(1.0,) if high / low > 100 else (1.0, 2.0, 5.0)).tick_values(low, high)
    else:
        marks = MaxNLocator(6).tick_values(low, high)
    return np.array([mark for mark in marks if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)])


def draw_parallel(
    columns: Sequence[Scale], metric: np.ndarray, label: str, higher_is_better: bool, width: str | float = "full"
) -> Figure:
    """An axis per column and, on the right, one for the metric, float [N]; dark lines are the best and lie on top.

    `width` is one of `paper.WIDTHS`, or in inches.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.path import Path

    with paper.style():
        most = max(len(column.ticks) for column in columns)
        inches = width if isinstance(width, float) else WIDTHS[width]
        figure = paper.empty(inches, max(2.6, 0.75 + 0.16 * most))
        axes = figure.add_subplot()
        last = _of_metric(label, metric)
        span = metric.max() - metric.min()
        share = (metric - metric.min()) / span if span > 0 else np.ones(len(metric))
        colours = LinearSegmentedColormap.from_list("metric", _RAMP if higher_is_better else _RAMP[::-1])
        order = np.argsort(metric if higher_is_better else -metric, kind="stable")
        places = np.array([column.places for column in [*columns, last]])[:, order]  # [axes, runs]
        lines = PathCollection(
            [Path(*_smooth(run)) for run in places.T], facecolors="none", edgecolors=colours(share[order]),
            linewidths=1.1 if len(metric) <= 60 else 0.6, alpha=0.9 if len(metric) <= 200 else 0.5, zorder=1,
        )  # fmt: skip
        axes.add_collection(lines)
        _draw_axes(axes, [*columns, last], colours, span > 0, inches)
        axes.set_xlim(-0.01, len(columns) * (1 + STRIP))
        axes.set_ylim(-0.04, 1.02)
    return figure


_RAMP = ["#efd9a5", "#e3a857", "#b3697c", "#5b3f94", "#16165c"]  # from worst to best, evenly darker


def _of_metric(label: str, metric: np.ndarray) -> Scale:
    low, high = float(metric.min()), float(metric.max())
    if low == high:
        return Scale(label, np.full(len(metric), 0.5), [(0.5, paper.number(low))])
    marks = _round_numbers(low, high, by_decades=False)
    ticks = list(zip(((marks - low) / (high - low)).tolist(), paper.numbers(marks), strict=True))
    return Scale(label, (metric - low) / (high - low), ticks)


def _smooth(places: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Vertices [V, 2] and codes of Bezier curves that cross every axis at a right angle."""
    from matplotlib.path import Path

    vertices, codes = [(0.0, places[0])], [int(Path.MOVETO)]
    for x, (a, b) in enumerate(pairwise(places)):
        vertices += [(x + 0.4, a), (x + 0.6, b), (x + 1.0, b)]
        codes += [int(Path.CURVE4)] * 3
    return np.array(vertices), codes


def _draw_axes(axes: Axes, scales: Sequence[Scale], colours: Any, coloured: bool, width: float) -> None:
    axes.set_axis_off()
    end = len(scales) - 1
    room = 0.85 * width / len(scales)  # inches between two axes
    white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    for x, axis in enumerate(scales):
        axes.plot([x, x], [0, 1], color="#444444", linewidth=0.7, zorder=2)
        for low, high in axis.slots or [(place - 0.008, place + 0.008) for place, _ in axis.ticks if x < end]:
            axes.plot([x, x], [low, high], color="#444444", linewidth=2.2, solid_capstyle="butt", zorder=2, gid="slot")
        for (place, _), tick in zip(
            axis.ticks, paper.labels([label for _, label in axis.ticks], 0.75 * room, 7.5), strict=True
        ):
            axes.annotate(
                tick, (x, place), (-4 if x == 0 else 8 if x == end else 3, 0), textcoords="offset points",
                va="center", ha="right" if x == 0 else "left", fontsize=7.5, bbox=white, zorder=3, gid="tick",
            )  # fmt: skip
        section, _, name = ("", "", axis.name) if x == end else axis.name.removesuffix(".name").rpartition(".")
        head = "\n".join(paper.shortened(part, room) for part in (section, name))
        axes.annotate(
            head, (x, 1), (0, 8), textcoords="offset points", ha="center", va="bottom", fontsize=8, gid="head",
        )  # fmt: skip
    if coloured:
        axes.imshow(
            np.linspace(0, 1, 256)[:, None], cmap=colours, origin="lower", aspect="auto", zorder=2.5,
            extent=(end, end + STRIP * end, 0, 1),
        )  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
