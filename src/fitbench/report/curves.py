"""The learning curves on the page: of each run, and the means of groups.

So that 1,000 runs stay under 15 MB, a curve has 150 epochs at most (evenly spaced, and the best one) in 4 significant
digits, or as many as show its range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST
from fitbench.analysis.frame import RUN, histories
from fitbench.analysis.groups import Group, resolutions
from fitbench.analysis.mean_curves import Run, mean_curve, thinned
from fitbench.analysis.series import axis_label
from fitbench.analysis.series import series as series_of
from fitbench.quantities import Quantity
from fitbench.report.measures import Recorded, about, is_comparable
from fitbench.report.values import DIGITS, rounded_curve

if TYPE_CHECKING:
    import pandas as pd

POINTS = 150  # epochs of a curve at most
SERIES = 60  # columns of histories at most
NOT_SERIES = (*RUN, "epoch", "seconds")  # of a history
LEARNING_RATE = "learning_rate"

Curve = dict[str, np.ndarray]  # 'epoch' int [E], and every column that is recorded, float [E] with NaN
LeftOut = list[tuple[str, str]]  # what cannot be read, and why


def read_curves(frame: pd.DataFrame, left_out: LeftOut) -> list[Curve | None]:
    """The epochs of each run of a frame, None without any. A learning rate that does not change is left out."""
    epochs = histories(frame)
    left_out += epochs.attrs["left_out"][len(frame.attrs.get("left_out", [])) :]
    names = [str(name) for name in epochs if name not in NOT_SERIES]
    curves: dict[str, Curve] = {}
    for folder, rows in epochs.groupby("folder", sort=False):
        columns = {name: rows[name].to_numpy(float) for name in names}
        curve: Curve = {name: values for name, values in columns.items() if np.isfinite(values).any()}
        if LEARNING_RATE in curve and np.ptp(curve[LEARNING_RATE]) == 0:
            del curve[LEARNING_RATE]
        curves[str(folder)] = {"epoch": rows["epoch"].to_numpy(int)} | curve
    return [curves.get(str(folder)) for folder in frame["folder"].tolist()]


def series(curves: Sequence[Curve | None], recorded: Recorded) -> list[dict[str, Any]]:
    """The columns of the histories: those of recorded metrics, validation first, then any others."""
    present = {name for curve in curves if curve for name in curve} - {"epoch"}
    by_epoch = series_of(recorded)
    described = [{"name": name, "label": axis_label(by_epoch[name]), **about(by_epoch[name])} for name in by_epoch]
    others = dict.fromkeys((LEARNING_RATE, *sorted(present - set(by_epoch))))
    plain = [{"name": name, "label": name.replace("_", " "), "kind": "metric", "digits": DIGITS} for name in others]
    return [each for each in (*described, *plain) if each["name"] in present]


def compact(curve: Curve, best_epoch: int | None, names: Sequence[str]) -> dict[str, Any]:
    """These series of a curve: the number of epochs where they are 1, 2, 3, ..., else the epochs themselves."""
    epochs = curve["epoch"]
    kept = thinned(len(epochs), POINTS)
    if best_epoch is not None:
        kept = np.union1d(kept, np.flatnonzero(epochs == best_epoch))
    whole = np.array_equal(epochs[kept], np.arange(1, len(kept) + 1))
    values = {name: rounded_curve(curve[name][kept]) for name in names if name in curve}
    return {"epochs": len(kept) if whole else epochs[kept].tolist(), "series": values}


def group_curves(
    frame: pd.DataFrame, groups: Sequence[Group], curves: Sequence[Curve | None], recorded: Recorded
) -> dict[str, list[dict[str, Any]]]:
    """By series: the mean curve of each group of runs of the frame that has common epochs."""
    run_at = {str(folder): run for run, folder in enumerate(frame["folder"].tolist())}
    quantities: dict[str, Quantity | None] = {**series_of(recorded), LEARNING_RATE: None}
    by_series: dict[str, list[dict[str, Any]]] = {}
    for name, quantity in quantities.items():
        if quantity is not None and not is_comparable(quantity):
            continue
        limits = (quantity.low, quantity.high) if quantity else (0.0, math.inf)
        steps = resolutions(frame, quantity) if quantity else {}
        part = quantity.part if quantity else None
        having = {folder for folder, run in run_at.items() if name in (curves[run] or ())}
        for place, group in enumerate(groups):
            folders, sample = group.among(having)
            if not folders:
                continue
            resolution = sample.resolution([steps.get(folder, 0.0) for folder in folders], part)
            runs = [_finite(curves[run_at[folder]], name) for folder in folders]
            mean = mean_curve(runs, sample, limits, resolution, POINTS)
            if len(mean.epochs):
                numbers = {key: rounded_curve(getattr(mean, key)) for key in ("mean", "low", "high")}
                tails = [(epochs.tolist(), rounded_curve(values)) for epochs, values in mean.tails]
                curve = {"group": place, "epochs": mean.epochs.tolist(), **numbers, "tails": tails}
                by_series.setdefault(name, []).append(curve)
    return by_series


def _finite(curve: Mapping[str, np.ndarray] | None, name: str) -> Run:
    """The epochs that have a value of the series which an axis can show, and these values."""
    assert curve is not None
    finite = np.abs(curve[name]) <= LARGEST  # not of NaN
    return curve["epoch"][finite], curve[name][finite]
