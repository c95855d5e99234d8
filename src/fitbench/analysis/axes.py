"""The rules of every axis: when it is logarithmic, which range it shows, and where its ticks are.

Charts for a paper and the curves in a terminal call these functions. The page of a report has the same rules in
page/axes.js, with the constants of `CONSTANTS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

DECADE = 10.0  # an axis whose values span this factor or more is logarithmic
MARGIN = 0.04  # of the range, beyond the first and the last value
SMALLEST = 1e-100  # number on a logarithmic axis
LARGEST = 1e100  # number on any axis; a training that diverged can record larger ones
STEPS = (1, 2, 5, 10, 20)  # between two ticks, times a power of ten
LOG_STEPS = ((1, 2, 5), (1, 3), (1,))  # ticks in a decade: the most that there is room for
COUNTABLE = 2.0**50  # steps from zero; with more, floats cannot tell two ticks apart
DIGITS, MOST_DIGITS = 4, 12  # significant ones of a number that stands for itself; more if they tell it from others
CLOSE = 1e-3  # of the distance between two ticks, by which a text may differ from its tick
UNITS = ((1e12, "", 1.0), (1e9, "G", 1e9), (1e6, "M", 1e6), (1e4, "k", 1e3))  # from which number on, suffix, divisor
DECIMALS = 5  # of ticks that have the same ones, at most
LEAST = 2 / 3  # of the values of finished trials, that their axis shows: see `window`
REACH = 3  # times the distance from the best value to the median: see `window`
SPARE = 0.25  # of the range, by which an axis grows at most to end at a tick
UNLIMITED = (-math.inf, math.inf)

CONSTANTS: dict[str, Any] = {
    "decade": DECADE,
    "margin": MARGIN,
    "smallest": SMALLEST,
    "largest": LARGEST,
    "steps": STEPS,
    "log_steps": LOG_STEPS,
    "spare": SPARE,
    "countable": COUNTABLE,
    "digits": DIGITS,
    "most_digits": MOST_DIGITS,
    "units": UNITS,
    "decimals": DECIMALS,
    "close": CLOSE,
}

Ends = tuple[float, float]


def is_logarithmic(values: Iterable[float], limits: Ends = UNLIMITED) -> bool:
    """Whether the axis of these values is logarithmic: all are positive, and they span a factor of `DECADE` or more.

    A quantity whose range has two ends, as an accuracy has, keeps a linear axis. `limits` are these ends.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite or all(map(math.isfinite, limits)):
        return False
    return min(finite) > SMALLEST and max(finite) >= DECADE * min(finite)


@dataclass(frozen=True)
class Axis:
    """What an axis shows: from `low` to `high`, which differ, by the logarithm or not."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, from 0 at the low end to 1 at the high end."""
        low, high, at = (math.log10(number) if self.log else number for number in (self.low, self.high, value))
        return (at - low) / (high - low)

    def ticks(self, most: int, whole: bool = False) -> list[float]:
        """As many round numbers from the low end to the high end as there is room for, `most`; `whole`: integers."""
        if self.log:
            ticks = _log_ticks(math.log10(self.low), math.log10(self.high), most)
            if len(ticks) > 1:
                return ticks
        return _linear_ticks(self.low, self.high, most, whole)


def axis_of(values: Iterable[float], limits: Ends = UNLIMITED, margin: float = MARGIN, log: bool | None = None) -> Axis:
    """The axis that shows all of these values.

    Args:
        values: the numbers that are drawn. NaN and infinity are ignored.
        limits: the range of the quantity. The margin does not go beyond it, unless a value does.
        margin: the part of the range that stays empty at both ends.
        log: None: as `is_logarithmic` says. True: values that are not positive are ignored.
    """
    finite = [min(max(value, -LARGEST), LARGEST) for value in values if math.isfinite(value)]
    log = is_logarithmic(finite, limits) if log is None else log
    if log:
        finite = [value for value in finite if value > SMALLEST]
    low, high = (min(finite), max(finite)) if finite else (1.0, 10.0) if log else (0.0, 1.0)
    a, b = (math.log10(low), math.log10(high)) if log else (low, high)
    apart = margin * (b - a) if b > a else 0.3 if log else 0.05 * abs(a) or 0.5
    ends = (10 ** (a - apart), 10 ** (b + apart)) if log else (a - apart, b + apart)
    if limits[0] <= low <= high <= limits[1]:
        cut = max(ends[0], limits[0]), min(ends[1], limits[1])
        ends = cut if cut[0] < cut[1] else ends
    return Axis(*ends, log)


def enclosed(axis: Axis, values: Iterable[float], limits: Ends, most: int) -> tuple[Axis, list[float]]:
    """The axis, grown at either end to the next tick where its last one lies within the values; and its ticks.

    It does not grow beyond `limits`, nor by more than `SPARE` of its range.
    """
    finite = [value for value in values if math.isfinite(value) and (value > SMALLEST or not axis.log)]
    ticks = axis.ticks(most)
    if not finite or len(ticks) < 2:
        return axis, ticks
    below, above = _beyond(ticks, axis.log)
    low, high = axis.low, axis.high
    if min(finite) < ticks[0] and below >= limits[0] and axis.place(below) >= -SPARE:
        low, ticks = below, [below, *ticks]
    if max(finite) > ticks[-1] and above <= limits[1] and axis.place(above) <= 1 + SPARE:
        high, ticks = above, [*ticks, above]
    return Axis(low, high, axis.log), ticks


def _beyond(ticks: Sequence[float], log: bool) -> Ends:
    """The tick before the first and the one after the last."""
    if not log:
        return _rounded(ticks[0] - (ticks[1] - ticks[0])), _rounded(ticks[-1] + (ticks[1] - ticks[0]))
    leading = {_rounded(tick / 10.0 ** math.floor(math.log10(tick) + 1e-9)) for tick in ticks}
    factors = next((factors for factors in reversed(LOG_STEPS) if leading <= set(factors)), LOG_STEPS[0])
    powers = range(math.floor(math.log10(ticks[0])) - 1, math.floor(math.log10(ticks[-1])) + 3)
    every = [_rounded(factor * 10.0**power) for power in powers for factor in factors]
    return max(tick for tick in every if tick < ticks[0]), min(tick for tick in every if tick > ticks[-1])


def _linear_ticks(low: float, high: float, most: int, whole: bool) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in STEPS:
        step = max(factor * power, 1.0) if whole else factor * power
        if max(-low, high) / step >= COUNTABLE:
            return [low, high]
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [_rounded(place * step) for place in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """`low` and `high` are logarithms to the base 10."""
    ticks: list[float] = []
    for factors in LOG_STEPS:
        powers = range(math.floor(low), math.floor(high) + 1)
        every = [_rounded(factor * 10.0**power) for power in powers for factor in factors]
        ticks = [value for value in every if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def _rounded(value: float) -> float:
    return float(f"{value:.{MOST_DIGITS}g}")


def tick_texts(ticks: Sequence[float], log: bool = False) -> list[str]:
    """What stands beside the ticks: evenly spaced numbers have the same decimals (0.900, 0.925) or the same unit."""
    largest = max(map(abs, ticks), default=0.0)
    close = CLOSE * min((abs(b - a) for a, b in pairwise(ticks)), default=largest)
    unit = largest if largest >= UNITS[-1][0] and not log else None
    for decimals in range(DECIMALS + 1) if unit is None and not log else ():
        if all(abs(tick - round(tick, decimals)) <= close for tick in ticks):
            return [f"{tick + 0.0:.{decimals}f}" for tick in ticks]
    digits = DIGITS
    while digits < MOST_DIGITS and any(abs(tick - float(f"{tick:.{digits}g}")) > close for tick in ticks):
        digits += 1
    return [number(tick, unit, digits) for tick in ticks]


def different(values: Sequence[float]) -> list[str]:
    """The numbers as `number` has them, with as many digits as tell them apart: 101.32k and 101.34k."""
    texts: list[str] = []
    for digits in range(DIGITS, MOST_DIGITS + 1):
        texts = [number(value, digits=digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def number(value: float, largest: float | None = None, digits: int = DIGITS) -> str:
    """A number on an axis, in so many significant digits: 0.001, 128, 61.71k, 1.2M, 1e-07.

    Its unit is that of `largest`, if given.
    """
    for least, suffix, divisor in UNITS:
        if value and abs(value if largest is None else largest) >= least:
            return f"{value / divisor:.{digits}g}{suffix}"
    return f"{value + 0.0:.{digits}g}"


def window(values: Sequence[float], maximize: bool, others: Sequence[float] = (), whole: bool = False) -> Ends:
    """The range that an axis shows of the values of finished trials, and of `others`: both ends are among the values.

    Trials far below the good ones would leave no room to tell these apart. So the axis ends at `REACH` times the
    distance from the best value to the median, or at twice as many times the distance to the best quarter if that is
    nearer, but two thirds of the values of finished trials are always shown. The whole range is shown if the shorter
    one would be at least half as long, or with `whole`, for instance for a size or a time.
    """
    best = max(values) if maximize else min(values)
    everything = [*values, *others]
    worst = min(everything) if maximize else max(everything)
    ordered = sorted(values, reverse=maximize)
    steps = (REACH * (median(ordered) - best), 2 * REACH * (ordered[(len(ordered) - 1) // 4] - best))
    least = ordered[math.ceil(LEAST * len(ordered)) - 1]
    end = best + (min((step for step in steps if step), key=abs, default=0.0))
    end = min(end, least) if maximize else max(end, least)
    if whole:
        return min(everything), max(everything)
    if end != best and abs(worst - best) > 2 * abs(end - best):
        inside = [value for value in everything if (value >= end if maximize else value <= end)]
        worst = min(inside) if maximize else max(inside)
    return min(worst, best), max(worst, best)
