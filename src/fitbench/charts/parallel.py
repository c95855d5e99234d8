"""Parallel coordinates: a line per run, through the values of its configuration to its metric, which colours it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis.axes import axis_of, number, tick_texts
from fitbench.analysis.frame import varying
from fitbench.analysis.groups import Group
from fitbench.analysis.palette import EDGE, RAMP
from fitbench.analysis.series import axis_label
from fitbench.analysis.telling import default_keys
from fitbench.charts import paper
from fitbench.charts.chart import Chart
from fitbench.charts.columns import Scale, scale
from fitbench.charts.labels import broken, labels, shortened
from fitbench.errors import RequestError
from fitbench.quantities import Quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = 9  # columns that are shown at most
VALUES = 30  # texts that one of their axes can hold
TICKS = 6  # about, on the axis of the metric
LEFT = 1.5  # inches of a text beside the first axis at most
TEXT = 7.5  # points of the text of a tick
LEAST = 1.3  # times its height, between two of them
HEAD = 0.75  # inches of the figure's height that the axes do not have
STRIP = 0.015  # of the width, that the colours of the metric take


def varying_keys(frame: pd.DataFrame) -> list[str]:
    """The configuration columns that vary, without those that a name or kind implies, as adam implies beta_1."""
    columns = varying(frame)
    names = [name for name in columns if name.endswith((".name", ".kind"))]

    def implied(column: str) -> bool:
        by_name = (frame.groupby(name, dropna=False, sort=False)[column] for name in names)
        return any(values.nunique(dropna=False).max() == 1 for values in by_name)

    return [column for column in columns if column in names or not implied(column)] or default_keys(frame)


def chart_of_parallel(groups: Sequence[Group], metric: Quantity, width: str) -> Chart:
    """A line per run through its group's values of the keys to its metric.

    Raises:
        RequestError: there are more than 9 keys, or a key has more than 30 texts.
    """
    keys = list(groups[0].keys)
    if len(keys) > AXES:
        raise RequestError(
            f"{len(keys)} columns vary and parallel coordinates show {AXES}; choose with --by from {', '.join(keys)}"
        )
    values = np.array([value for group in groups for value in group.values])
    scales = []
    for key in keys:
        scales.append(scale(key, [group.keys[key] for group in groups for _ in group.values], values))
        if len(scales[-1].ticks) > VALUES:
            raise RequestError(
                f"--by {key} has {len(scales[-1].ticks)} texts and an axis shows {VALUES}; leave it out, or choose "
                "runs with --where"
            )
    better = "high" if metric.higher_is_better else "low"
    caption = (
        f"A line per run, dark where {axis_label(metric)} is {better}. "
        "Runs that share a value are spread around it, in the order of the metric."
    )
    figure = draw_parallel(scales, values, metric, width)
    return Chart(figure, len(values), len(groups), caption, {})


def draw_parallel(columns: Sequence[Scale], values: np.ndarray, metric: Quantity, width: str = "full") -> Figure:
    """An axis per column and, on the right, one for the metric's values, float [N]; the best are dark and on top."""
    from matplotlib.collections import PathCollection
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.path import Path

    higher = metric.higher_is_better
    last = _of_metric(metric, values)
    scales = [*columns, last]
    varies = bool(np.ptp(values))
    share = last.places if varies else np.ones(len(values))
    ramp = [colour.light for colour in (RAMP if higher else RAMP[::-1])]
    colours = LinearSegmentedColormap.from_list("metric", ramp)
    order = np.argsort(values if higher else -values, kind="stable")
    places = np.array([column.places for column in scales])[:, order]  # [axes, runs]
    with paper.style():
        inches = paper.WIDTHS[width]
        figure = paper.empty(inches, max(2.6, HEAD + 0.16 * max(len(column.ticks) for column in columns)))
        axes = figure.add_subplot()
        lines = PathCollection(
            [Path(*_smooth(run)) for run in places.T], facecolors="none", edgecolors=colours(share[order]),
            linewidths=1.1 if len(values) <= 60 else 0.6, alpha=0.9 if len(values) <= 200 else 0.5, zorder=1,
        )  # fmt: skip
        axes.add_collection(lines)
        for x, column in enumerate(scales):
            _draw_axis(axes, x, len(columns), column, 0.9 * (inches - LEFT) / len(columns))
        if varies:
            strip = (len(columns), len(columns) * (1 + STRIP), 0, 1)
            gradient = np.linspace(0, 1, 256)[:, None]
            axes.imshow(gradient, cmap=colours, origin="lower", aspect="auto", zorder=2.5, extent=strip)
        axes.set_axis_off()
        axes.set_xlim(-0.01, len(columns) * (1 + STRIP))
        axes.set_ylim(-0.04, 1.02)
    return figure


def _of_metric(metric: Quantity, values: np.ndarray) -> Scale:
    label = axis_label(metric)
    if not np.ptp(values):
        return Scale(label, np.full(len(values), 0.5), [(0.5, number(float(values[0])))])
    shown = axis_of(values.tolist(), (metric.low, metric.high), margin=0.0)
    ticks = shown.ticks(TICKS)
    places = np.array([shown.place(value) for value in values.tolist()])
    return Scale(label, places, list(zip(map(shown.place, ticks), tick_texts(ticks, shown.log), strict=True)))


def _smooth(places: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Vertices [V, 2] and codes of Bezier curves that cross every axis at a right angle."""
    from matplotlib.path import Path

    vertices, codes = [(0.0, places[0])], [int(Path.MOVETO)]
    for x, (a, b) in enumerate(pairwise(places)):
        vertices += [(x + 0.4, a), (x + 0.6, b), (x + 1.0, b)]
        codes += [int(Path.CURVE4)] * 3
    return np.array(vertices), codes


def apart(ticks: Sequence[tuple[float, str]], least: float) -> list[tuple[float, str]]:
    """The ticks (place, text) that are so far from each other at least; both ends stay."""
    ordered = sorted(ticks)
    kept = ordered[:1]
    for tick in ordered[1:-1]:
        if min(tick[0] - kept[-1][0], ordered[-1][0] - tick[0]) >= least:
            kept.append(tick)
    return [*kept, *ordered[1:][-1:]]


def _draw_axis(axes: Axes, x: int, end: int, column: Scale, room: float) -> None:
    """Draw the axis at `x`, of which `end` is the last; `room` is the inches between two axes."""
    axes.plot([x, x], [0, 1], color=EDGE, linewidth=0.7, zorder=2)
    for low, high in column.slots or [(place - 0.008, place + 0.008) for place, _ in column.ticks if x < end]:
        axes.plot([x, x], [low, high], color=EDGE, linewidth=2.2, solid_capstyle="butt", zorder=2, gid="slot")
    white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    height = axes.figure.get_size_inches()[1] - HEAD  # type: ignore[union-attr]
    ticks = apart(column.ticks, LEAST * TEXT / 72 / height)
    texts = labels([text for _, text in ticks], LEFT if x == 0 else 0.9 * room, TEXT)
    for (place, _), text in zip(ticks, texts, strict=True):
        axes.annotate(
            text, (x, place), (-4 if x == 0 else 8 if x == end else 3, 0), textcoords="offset points", va="center",
            ha="right" if x == 0 else "left", fontsize=TEXT, bbox=white, zorder=3, gid="tick",
        )  # fmt: skip
    section, _, name = ("", "", column.name) if x == end else column.name.removesuffix(".name").rpartition(".")
    lines = [section, *broken(name, room)]
    head = "\n".join(shortened(line, room) for line in lines)
    axes.annotate(head, (x, 1), (0, 8), textcoords="offset points", ha="center", va="bottom", fontsize=8, gid="head")
