"""From groups of runs to a chart: what each kind takes from them, and what a caption has to say about it."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis import statistics
from fitbench.analysis.statistics import Summary
from fitbench.charts import paper
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.text import clean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from fitbench.analysis.groups import Group
    from fitbench.charts.drawing import Curve

PER_EPOCH = {  # what history.jsonl records, as a metric of the run: its range, and which end is better
    "val_accuracy": "metrics.val_accuracy",
    "accuracy": "metrics.train_accuracy",
    "val_loss": "metrics.val_loss",
    "loss": "metrics.train_loss",
}
ROWS = 40  # groups that bars show at most
AXES = 9  # columns that parallel coordinates show at most
LARGEST = 1e100  # number that an axis has; a training that diverged can record larger ones
VALUES = 30  # texts that one of their axes can hold
TITLES = {
    "fit_seconds": "training time (s)",
    "seconds": "time of the run (s)",
    "examples_per_second": "training speed (images/s)",
    "best_epoch": "best epoch",
    "accuracy": "training accuracy",
    "loss": "training loss",
}


@dataclass(frozen=True)
class Chart:
    """A figure, how many runs and groups it shows, and what a caption has to say about it."""

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


def chart_of_curves(groups: Sequence[Group], frame: pd.DataFrame, metric: str, width: str) -> Chart:
    """Learning curves of the groups, the best 10 of more; `metric` is one of `PER_EPOCH`.

    The mean of a group and its interval stand only at epochs that all its runs recorded: where some stopped early, a
    mean over the others would be of another, chosen, set of runs. What the others did is drawn as it is.
    """
    from fitbench.analysis.frame import histories, quantities_of
    from fitbench.charts.drawing import draw_curves

    shown, left_out = _best(groups, paper.MOST)
    wanted = {folder for one in shown for folder in one.folders}
    epochs = histories(frame[frame["folder"].isin(wanted)])
    for folder, reason in epochs.attrs["left_out"]:
        if folder in wanted:
            sys.stderr.write(f"fitbench: left out {clean(folder)}: {clean(reason)}\n")
    recorded: dict[str, dict[int, float]] = {}
    for folder, epoch, value in zip(*(epochs[name].tolist() for name in ("folder", "epoch", metric)), strict=True):
        if abs(value) <= LARGEST:
            recorded.setdefault(folder, {})[epoch] = value
    known = quantities_of(frame)[PER_EPOCH[metric]]
    members = [[recorded[folder] for folder in one.folders if folder in recorded] for one in shown]
    curves = [_curve(one, runs, known) for one, runs in zip(shown, members, strict=True) if runs]
    left_out["without epochs"] = sum(len(one.folders) for one in shown) - sum(map(len, members))
    if not curves:
        raise RequestError(f"none of the runs has {metric} in its history.jsonl")
    sizes = [len(runs) for runs in members if runs]
    caption = f"{title(metric).capitalize()} by epoch, {_mean_over(sizes)}."
    if any(np.isfinite(curve.low).any() for curve in curves):
        caption += " Bands are 95% intervals of the mean."
    if min(sizes) < statistics.FEWEST and max(sizes) > 1:
        caption += f" Groups of fewer than {statistics.FEWEST} runs have no band."
    if any(curve.tails for curve in curves):
        caption += (
            " Runs stopped early: a mean ends at the last epoch that all runs of its group reached, "
            "thin lines are the single runs that went on."
        )
    figure = draw_curves(curves, title(metric), _heading(shown), known.high, width)
    return Chart(figure, sum(sizes), len(curves), caption, left_out)


def _curve(one: Group, runs: Sequence[Mapping[int, float]], metric: Quantity) -> Curve:
    """The curve of a group whose runs recorded these values by epoch."""
    from fitbench.charts.drawing import Curve

    common = sorted(set.intersection(*(set(run) for run in runs)))
    at = [statistics.summarise([run[epoch] for run in runs], metric.low, metric.high) for epoch in common]
    end = common[-1] if common else 0
    tails = []
    for run in runs:
        beyond = sorted(epoch for epoch in run if epoch >= end)
        if len(beyond) > 1:
            tails.append((np.array(beyond), np.array([run[epoch] for epoch in beyond])))
    mean, low, high = np.array([_drawn(summary) for summary in at], float).reshape(-1, 3).T
    return Curve(_label(one), tuple(one.keys.values()), np.array(common, int), mean, low, high, tails)


def chart_of_bars(groups: Sequence[Group], metric: Quantity, width: str) -> Chart:
    """Mean, interval and runs of each group, the best on top; the best 40 of more."""
    from fitbench.charts.drawing import Row, begin_at_zero, draw_rows

    shown, left_out = _best(groups, ROWS)
    rows = [Row(_label(one), *_drawn(one.summary), one.values) for one in shown]
    sizes = [one.summary.n for one in shown]
    caption = f"{title(metric.name).capitalize()}, {_mean_over(sizes)}"
    caption += " (bars)" if begin_at_zero(rows) else " (large dots)"
    if any(one.summary.interval for one in shown):
        caption += ", with 95% intervals of the mean"
    caption += "; small dots are single runs." if max(sizes) > 1 else "."
    if min(sizes) < statistics.FEWEST:
        caption += f" An interval needs {statistics.FEWEST} runs."
    figure = draw_rows(rows, title(metric.name), _heading(shown), metric.high, width)
    return Chart(figure, sum(sizes), len(rows), caption, left_out)


def chart_of_scatter(
    groups: Sequence[Group], frame: pd.DataFrame, metric: Quantity, cost: Quantity, width: str
) -> Chart:
    """The groups' means of a metric against those of a cost, with the Pareto front."""
    from fitbench.charts.scatter import Point, draw_scatter

    costs = dict(zip(frame["folder"].tolist(), frame[cost.column].tolist(), strict=True))
    points, sizes = [], []
    for one in groups:
        pairs = [(costs[folder], y) for folder, y in zip(one.folders, one.values, strict=True)]
        both = [pair for pair in pairs if math.isfinite(pair[0])]
        if both:
            x, x_low, x_high = _drawn(statistics.summarise([x for x, _ in both], cost.low, cost.high))
            y, y_low, y_high = _drawn(statistics.summarise([y for _, y in both], metric.low, metric.high))
            points.append(Point(_label(one), x, y, x_low, x_high, y_low, y_high))
            sizes.append(len(both))
    if not points:
        raise RequestError(f"none of the runs has {cost.name}; choose another --x")
    caption = f"{title(metric.name).capitalize()} against {title(cost.name)}, {_mean_over(sizes)}."
    if max(sizes) >= statistics.FEWEST:
        caption += " Lines are 95% intervals of the mean."
    caption += " Filled points are on the Pareto front: no other is as good in both and better in one."
    figure = draw_scatter(
        points,
        title(cost.name),
        title(metric.name),
        not cost.higher_is_better,
        not metric.higher_is_better,
        metric.high,
        width,
    )
    return Chart(
        figure,
        sum(sizes),
        len(points),
        caption,
        {f"without {cost.name}": sum(len(one.values) for one in groups) - sum(sizes)},
    )


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
    values = np.array([value for one in groups for value in one.values])
    scales = []
    for key in keys:
        scales.append(scale(key, [one.keys[key] for one in groups for _ in one.values], values))
        if len(scales[-1].ticks) > VALUES:
            raise RequestError(
                f"--by {key} has {len(scales[-1].ticks)} texts and an axis shows {VALUES}; leave it out, or choose "
                "runs with --where"
            )
    better = "high" if metric.higher_is_better else "low"
    caption = (
        f"A line per run, dark where {title(metric.name)} is {better}. "
        "Runs that share a value are spread around it, in the order of the metric."
    )
    figure = draw_parallel(scales, values, title(metric.name), metric.higher_is_better, width)
    return Chart(figure, len(values), len(groups), caption, {})


# -- what is said -----------------------------------------------------------------------------------------------------


def title(metric: str) -> str:
    """What an axis calls a metric."""
    return TITLES.get(metric, metric.replace("val_", "validation ").replace("train_", "training ").replace("_", " "))


def _label(one: Group) -> str:
    """The values of the group's keys, fractions to four digits."""
    from fitbench.analysis.groups import text

    values = one.keys.values()
    return (
        ", ".join(f"{v:.4g}" if isinstance(v, float) and not v.is_integer() else text(v) for v in values) or one.label
    )


def _heading(groups: Sequence[Group]) -> str:
    """The names of the keys, where the values do not speak for themselves as names of models do."""
    names = [key.removesuffix(".name").removesuffix(".kind").rpartition(".")[2] for key in groups[0].keys]
    telling = all(key.endswith((".name", ".kind")) or "." not in key for key in groups[0].keys)
    return "" if telling else ", ".join(names)


def _mean_over(sizes: Sequence[int]) -> str:
    if max(sizes) == 1:
        return "one run each"
    least, most = min(sizes), max(sizes)
    return f"mean over {most if least == most else f'{least} to {most}'} runs each"


def _drawn(summary: Summary) -> tuple[float, float, float]:
    """The mean and the ends of its interval, NaN where there is none."""
    assert summary.mean is not None  # groups without values are not drawn
    low, high = summary.interval or (math.nan, math.nan)
    return summary.mean, low, high


def _best(groups: Sequence[Group], most: int) -> tuple[Sequence[Group], Counter[str]]:
    """The first groups, which are the best, and how many runs the others have."""
    if len(groups) <= most:
        return groups, Counter()
    sys.stderr.write(f"fitbench: of {len(groups)} groups the best {most} are shown; --where chooses others\n")
    return groups[:most], Counter({f"beyond the best {most} groups": sum(len(one.values) for one in groups[most:])})
