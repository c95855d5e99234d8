"""From groups of runs to a chart of each kind, with its caption."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis import statistics
from fitbench.analysis.series import axis_label, resolutions_by_folder, with_capital
from fitbench.analysis.statistics import Summary
from fitbench.charts import paper
from fitbench.errors import RequestError
from fitbench.metrics import history_key
from fitbench.text import clean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from fitbench.analysis.groups import Group
    from fitbench.charts.drawing import Curve
    from fitbench.quantities import Quantity

ROWS = 40  # groups that bars show at most
AXES = 9  # columns that parallel coordinates show at most
LARGEST = 1e100  # number that an axis has; a training that diverged can record larger ones
VALUES = 30  # texts that one of their axes can hold


@dataclass(frozen=True)
class Chart:
    """A figure, how many runs and groups it shows, its caption, and how many runs it leaves out by reason."""

    figure: Figure
    runs: int
    groups: int
    caption: str
    left_out: Mapping[str, int]


def varying_keys(frame: pd.DataFrame) -> list[str]:
    """The configuration columns that vary, without those that a name or kind implies, as adam implies beta_1."""
    from fitbench.analysis.frame import varying
    from fitbench.analysis.groups import default_keys

    columns = varying(frame)
    names = [name for name in columns if name.endswith((".name", ".kind"))]

    def implied(column: str) -> bool:
        by_name = (frame.groupby(name, dropna=False, sort=False)[column] for name in names)
        return any(values.nunique(dropna=False).max() == 1 for values in by_name)

    return [column for column in columns if column in names or not implied(column)] or default_keys(frame)


# -- the kinds --------------------------------------------------------------------------------------------------------


def chart_of_curves(groups: Sequence[Group], frame: pd.DataFrame, metric: Quantity, width: str) -> Chart:
    """Learning curves of the groups, the best 10 of more; `metric` is one of `series.series`.

    The mean of a group and its interval stand only at epochs that all its runs recorded: where some stopped early, a
    mean over the others would be of another, chosen, set of runs. What the others did is drawn as it is.

    Raises:
        RequestError: no run has the metric in its history.
    """
    from fitbench.charts.drawing import draw_curves

    drawn, left_out = _best(groups, paper.MOST)
    folders = {folder for group in drawn for folder in group.folders}
    recorded = _recorded(frame[frame["folder"].isin(folders)], _series_name(metric))
    steps = resolutions_by_folder(frame, metric)
    members = [[folder for folder in group.folders if folder in recorded] for group in drawn]
    curves = [
        _curve(group, [recorded[folder] for folder in runs], metric, max(steps[folder] for folder in runs))
        for group, runs in zip(drawn, members, strict=True)
        if runs
    ]
    missing = len(folders) - sum(map(len, members))
    left_out["without epochs"] = missing
    if not curves:
        raise RequestError(f"none of the runs has {_series_name(metric)} in its history.jsonl")
    sizes = [len(runs) for runs in members if runs]
    caption = f"{with_capital(axis_label(metric))} by epoch, {_mean_over(sizes)}."
    caption += _about_curves(curves, sizes)
    if missing:
        runs = "1 run has" if missing == 1 else f"{missing:,} runs have"
        caption += f" {runs} no history of {_series_name(metric)}."
    figure = draw_curves(curves, axis_label(metric), _heading(drawn), (metric.low, metric.high), width)
    return Chart(figure, sum(sizes), len(curves), caption, left_out)


def _series_name(metric: Quantity) -> str:
    """The column of history.jsonl that holds the metric."""
    assert metric.part is not None and metric.metric is not None
    return history_key(metric.part, metric.metric)


def _recorded(frame: pd.DataFrame, name: str) -> dict[str, dict[int, float]]:
    """The values of a series by folder and epoch; runs without any are left out."""
    from fitbench.analysis.frame import histories

    before = len(frame.attrs.get("left_out", []))
    epochs = histories(frame)
    for folder, reason in epochs.attrs["left_out"][before:]:
        sys.stderr.write(f"fitbench: left out {clean(folder)}: {clean(reason)}\n")
    recorded: dict[str, dict[int, float]] = {}
    if name in epochs:
        columns = (epochs[column].tolist() for column in ("folder", "epoch", name))
        for folder, epoch, value in zip(*columns, strict=True):
            if abs(value) <= LARGEST:
                recorded.setdefault(folder, {})[epoch] = value
    return recorded


def _about_curves(curves: Sequence[Curve], sizes: Sequence[int]) -> str:
    """What the caption says of bands, and of runs that stopped early."""
    text = ""
    if any(np.isfinite(curve.low).any() for curve in curves):
        text += " Bands are 95% intervals of the mean."
    if min(sizes) < statistics.FEWEST and max(sizes) > 1:
        text += f" Groups of fewer than {statistics.FEWEST} runs have no band."
    if any(curve.tails for curve in curves):
        text += (
            " Some runs stopped early: a mean ends at the last epoch that all runs of its group reached, "
            "and thin lines are the single runs that continued."
        )
    return text


def _curve(group: Group, runs: Sequence[Mapping[int, float]], metric: Quantity, resolution: float) -> Curve:
    """The curve of a group whose runs recorded these values by epoch."""
    from fitbench.charts.drawing import Curve

    common = sorted(set.intersection(*(set(run) for run in runs)))
    summaries = [
        statistics.summarise([run[epoch] for run in runs], metric.low, metric.high, resolution) for epoch in common
    ]
    end = common[-1] if common else 0
    tails = []
    for run in runs:
        beyond = sorted(epoch for epoch in run if epoch >= end)
        if len(beyond) > 1:
            tails.append((np.array(beyond), np.array([run[epoch] for epoch in beyond])))
    mean, low, high = np.array([_mean_and_ends(summary) for summary in summaries], float).reshape(-1, 3).T
    return Curve(_label(group), tuple(group.keys.values()), np.array(common, int), mean, low, high, tails)


def chart_of_bars(groups: Sequence[Group], metric: Quantity, width: str) -> Chart:
    """Mean, interval and runs of each group, the best on top; the best 40 of more."""
    from fitbench.charts.drawing import Row, begin_at_zero, draw_rows

    drawn, left_out = _best(groups, ROWS)
    rows = [Row(_label(group), *_mean_and_ends(group.summary), group.values) for group in drawn]
    sizes = [group.summary.n for group in drawn]
    caption = f"{with_capital(axis_label(metric))}, {_mean_over(sizes)}"
    caption += " (bars)" if begin_at_zero(rows) else " (large dots)"
    if any(group.summary.interval for group in drawn):
        caption += ", with 95% intervals of the mean"
    caption += "; small dots are single runs." if max(sizes) > 1 else "."
    if min(sizes) < statistics.FEWEST:
        caption += f" An interval needs {statistics.FEWEST} runs."
    figure = draw_rows(rows, axis_label(metric), _heading(drawn), (metric.low, metric.high), width)
    return Chart(figure, sum(sizes), len(rows), caption, left_out)


def chart_of_scatter(
    groups: Sequence[Group], frame: pd.DataFrame, metric: Quantity, cost: Quantity, width: str
) -> Chart:
    """The groups' means of a metric against those of a cost, with the Pareto front.

    Raises:
        RequestError: no run has the cost.
    """
    from fitbench.charts.scatter import Axis, Point, draw_scatter

    costs = dict(zip(frame["folder"].tolist(), frame[cost.column].tolist(), strict=True))
    steps = {of.column: resolutions_by_folder(frame, of) for of in (metric, cost)}
    points, sizes = [], []
    for group in groups:
        both = [
            (folder, costs[folder], y)
            for folder, y in zip(group.folders, group.values, strict=True)
            if math.isfinite(costs[folder])
        ]
        if both:
            folders, xs, ys = zip(*both, strict=True)
            (x, x_low, x_high), (y, y_low, y_high) = (
                _mean_and_ends(
                    statistics.summarise(values, of.low, of.high, max(steps[of.column][folder] for folder in folders))
                )
                for of, values in ((cost, xs), (metric, ys))
            )
            points.append(Point(_label(group), x, y, x_low, x_high, y_low, y_high))
            sizes.append(len(both))
    if not points:
        raise RequestError(f"none of the runs has {cost.name}; choose another --x")
    caption = f"{with_capital(axis_label(metric))} against {axis_label(cost)}, {_mean_over(sizes)}."
    if max(sizes) >= statistics.FEWEST:
        caption += " Lines are 95% intervals of the mean."
    caption += " Filled points are on the Pareto front: no other is as good in both and better in one."
    across, up = (Axis(axis_label(of), of.higher_is_better, of.low, of.high) for of in (cost, metric))
    figure = draw_scatter(points, across, up, width)
    missing = sum(len(group.values) for group in groups) - sum(sizes)
    return Chart(figure, sum(sizes), len(points), caption, {f"without {cost.name}": missing})


def chart_of_parallel(groups: Sequence[Group], metric: Quantity, width: str) -> Chart:
    """A line per run through its group's values of the keys to its metric.

    Raises:
        RequestError: there are more than 9 keys, or a key has more than 30 texts.
    """
    from fitbench.charts.parallel import draw_parallel, scale

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
    figure = draw_parallel(scales, values, axis_label(metric), metric.higher_is_better, width)
    return Chart(figure, len(values), len(groups), caption, {})


# -- texts ------------------------------------------------------------------------------------------------------------


def _label(group: Group) -> str:
    """The values of the group's keys, fractions to four digits."""
    from fitbench.analysis.groups import text

    values = group.keys.values()
    texts = [f"{v:.4g}" if isinstance(v, float) and not v.is_integer() else text(v) for v in values]
    return ", ".join(texts) or group.label


def _heading(groups: Sequence[Group]) -> str:
    """The names of the keys, unless the values explain themselves as names of models do."""
    names = [key.removesuffix(".name").removesuffix(".kind").rpartition(".")[2] for key in groups[0].keys]
    explain = all(key.endswith((".name", ".kind")) or "." not in key for key in groups[0].keys)
    return "" if explain else ", ".join(names)


def _mean_over(sizes: Sequence[int]) -> str:
    if max(sizes) == 1:
        return "one run each"
    least, most = min(sizes), max(sizes)
    return f"mean over {most if least == most else f'{least} to {most}'} runs each"


def _mean_and_ends(summary: Summary) -> tuple[float, float, float]:
    """The mean and the ends of its interval, NaN where there is none."""
    assert summary.mean is not None  # groups without values are not drawn
    low, high = summary.interval or (math.nan, math.nan)
    return summary.mean, low, high


def _best(groups: Sequence[Group], most: int) -> tuple[Sequence[Group], Counter[str]]:
    """The first groups, which are the best, and how many runs the others have."""
    if len(groups) <= most:
        return groups, Counter()
    sys.stderr.write(f"fitbench: of {len(groups)} groups the best {most} are drawn; --where chooses others\n")
    rest = sum(len(group.values) for group in groups[most:])
    return groups[:most], Counter({f"beyond the best {most} groups": rest})
