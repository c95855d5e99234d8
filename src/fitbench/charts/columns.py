"""The axes of parallel coordinates: where each run crosses the axis of a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench.analysis.axes import LARGEST, axis_of, different, tick_texts
from fitbench.analysis.telling import text
from fitbench.record.reading import is_number
from fitbench.text import natural_order

DISTINCT = 12  # numbers of a column that get a tick of their own
TICKS = 6  # about, where they do not
SPREAD = 0.6  # of the room between two values, which the lines through each are spread over
WIDEST = 0.2  # of an axis, that the lines through one value are spread over
EDGE = 0.06  # of an axis, beyond the first and the last number
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


def scale(name: str, values: Sequence[Any], metric: np.ndarray) -> Scale:
    """The axis of a configuration column; `metric` is float [N].

    Numbers are in their order, by the rules of `analysis.axes`, and runs without a value stand below them. All else are
    categories from the top, in `natural_order`. Where runs share a value, they would cross the axis at one point: they
    are spread around it in the order of the metric, unless the numbers are many.
    """
    present = [value for value in values if not _is_absent(value)]
    if present and all(is_number(value) and abs(value) <= LARGEST for value in present):
        numbers = np.array([math.nan if _is_absent(value) else value for value in values], float)
        return _of_numbers(name, numbers, metric)
    texts = [ABSENT if _is_absent(value) else text(value) for value in values]
    names = sorted(set(texts), key=lambda name: (name == ABSENT, natural_order(name)))
    centres = 1 - (np.arange(len(names)) + 0.5) / len(names)
    places, slots = _spread(np.array([centres[names.index(name)] for name in texts]), metric)
    return Scale(name, places, list(zip(centres.tolist(), names, strict=True)), slots)


def _of_numbers(name: str, values: np.ndarray, metric: np.ndarray) -> Scale:
    present = ~np.isnan(values)
    distinct = np.unique(values[present]).tolist()
    few = len(distinct) <= DISTINCT
    shown = axis_of(distinct, margin=0.0)
    bottom = 0.2 if not present.all() else 0.0

    def place(number: float) -> float:
        return bottom + EDGE + shown.place(number) * (1 - 2 * EDGE - bottom)

    marks = distinct if few else shown.ticks(TICKS)
    texts = different(marks) if few else tick_texts(marks, shown.log)
    ticks = list(zip(map(place, marks), texts, strict=True))
    places = np.full(len(values), EDGE)
    places[present] = [place(value) for value in values[present].tolist()]
    if bottom:
        ticks.append((EDGE, ABSENT))
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


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
