"""The mean of several runs over the epochs, with the interval of the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fitbench.analysis.axes import Ends
from fitbench.analysis.sample import Sample

Run = tuple[np.ndarray, np.ndarray]  # epochs, int [E] ascending, and the values of a metric, float [E]


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """A metric of a group over the epochs that all its runs reached, and of single runs beyond them.

    `epochs` is int [E]; `mean`, `low` and `high` are float [E], the latter two NaN where there is no interval. `tails`
    are pairs (epochs [T], values [T]), each of one run, that begin at the last epoch of the mean.
    """

    epochs: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tails: Sequence[Run] = ()


def mean_curve(
    runs: Sequence[Run], sample: Sample, limits: Ends, resolution: float, most: int | None = None
) -> MeanCurve:
    """The mean over one run or more, or over their folds, at the epochs that all runs recorded.

    If some runs stopped early, a mean of later epochs would leave them out and be of another set of runs.

    Args:
        runs: the epochs and values of each run.
        sample: that of these runs.
        limits, resolution: of the metric, see `statistics.summarise`.
        most: the epochs at which it is computed at most, evenly spaced; None: at all.
    """
    shared = runs[0][0]
    for epochs, _ in runs[1:]:
        shared = np.intersect1d(shared, epochs, assume_unique=True)
    shared = shared[thinned(len(shared), most)]
    table = np.array([values[np.searchsorted(epochs, shared)] for epochs, values in runs])
    summaries = [sample.summarise(values, *limits, resolution) for values in table.T.tolist()]
    rows = [(summary.mean, *(summary.interval or (math.nan, math.nan))) for summary in summaries]
    mean, low, high = np.array(rows, float).reshape(-1, 3).T
    tails = []
    for epochs, values in runs:
        after = np.flatnonzero(epochs >= shared[-1]) if len(shared) else np.arange(len(epochs))
        if len(after) > 1:
            rest = after[thinned(len(after), most)]
            tails.append((epochs[rest], values[rest]))
    return MeanCurve(shared, mean, low, high, tails)


def thinned(count: int, most: int | None) -> np.ndarray:
    """Evenly spaced positions below `count`, the first and the last among them, `most` of them at most; int [n]."""
    return np.unique(np.linspace(0, count - 1, min(count, most or count)).round().astype(int))
