"""The axis of an objective on which the distance from the best value is logarithmic.

Good trials stand apart on it, and bad ones are still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis.axes import Axis, Ends, tick_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLAT = 12.0  # times the distance to the best quarter: a worst value farther off would flatten a linear axis
FAR = 1000.0  # times this distance: what is farther off is not shown
SHOWN = 0.75  # of the values, that are shown at least
SAME = 1e-9  # of the best value: a smaller distance from it is none
NARROWER = 4.0  # times: the range of the next finer ticks


@dataclass(frozen=True)
class FromBest:
    """A scale with steps of equal size up to the distance `near` from the best value, and of equal ratio beyond."""

    best: float
    near: float
    shown: Ends

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where values stand, float [N]: 0 is the best one."""
        distance = values - self.best
        return np.sign(distance) * np.log1p(np.abs(distance) / self.near)

    def value(self, places: np.ndarray) -> np.ndarray:
        """What stands at these places, float [N]."""
        return self.best + np.sign(places) * self.near * np.expm1(np.abs(places))

    def ticks(self, ends: Ends, most: int) -> list[float]:
        """Round numbers between two ends, denser near the best value; at most one in `most` parts of the axis."""
        low, high = self.place(np.array(ends))
        span, kept = ends[1] - ends[0], list[float]()
        while span > self.near / NARROWER:
            axis = Axis(max(ends[0], self.best - span), min(ends[1], self.best + span))
            for tick in axis.ticks(most):
                apart = np.abs(self.place(np.array(kept)) - self.place(np.array(tick)))
                if (apart >= (high - low) / most).all():
                    kept.append(tick)
            span /= NARROWER
        return sorted(kept)


def from_best(values: Sequence[float], maximize: bool) -> FromBest | None:
    """The scale for the values of finished trials; None where a linear axis shows them well."""
    ordered = sorted(values, reverse=maximize)
    distances = [abs(value - ordered[0]) for value in ordered]
    apart = SAME * abs(ordered[0])
    near = next((distance for distance in distances[(len(ordered) - 1) // 4 :] if distance > apart), 0.0)
    if not near or distances[-1] <= FLAT * near:
        return None
    least = distances[int(SHOWN * (len(ordered) - 1))]
    worst = ordered[sum(distance <= max(FAR * near, least) for distance in distances) - 1]
    return FromBest(ordered[0], near, (min(worst, ordered[0]), max(worst, ordered[0])))


def fit_from_best(axes: Axes, scale: FromBest, limits: Ends, margin: float, most: int) -> None:
    """Give the y axis this scale, with the range that it shows; a margin does not go beyond the limits."""
    from matplotlib.ticker import NullLocator

    low, high = scale.place(np.array(scale.shown))
    apart = margin * (high - low)
    ends = scale.value(np.array([low - apart, high + apart])).clip(*limits).tolist()
    axes.set_yscale("function", functions=(scale.place, scale.value))
    axes.set_ylim(*ends)
    ticks = scale.ticks((ends[0], ends[1]), most)
    axes.yaxis.set_ticks(ticks, labels=tick_texts(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.grid(True)
