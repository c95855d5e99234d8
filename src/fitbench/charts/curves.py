"""Learning curves of groups of runs: means over the epochs with their intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST, UNLIMITED, Ends
from fitbench.analysis.frame import histories, say_left_out
from fitbench.analysis.groups import Group, resolutions
from fitbench.analysis.mean_curves import MeanCurve, Run, mean_curve
from fitbench.analysis.sample import Sample
from fitbench.analysis.series import axis_label, with_capital
from fitbench.charts import paper
from fitbench.charts.chart import Chart, best, heading, intervals_of, mean_over, wanting
from fitbench.charts.labels import in_two_lines
from fitbench.charts.looks import MOST, Look, grid_of, looks
from fitbench.errors import RequestError
from fitbench.metrics import history_key
from fitbench.quantities import Quantity
from fitbench.record.reading import is_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BESIDE = 2.5  # points between the bars at the last epoch
MOST_BANDS = 5  # curves with bands; the bands of more would hide each other


def chart_of_curves(groups: Sequence[Group], frame: pd.DataFrame, metric: Quantity, width: str) -> Chart:
    """Learning curves of the groups, the best 10 of more; `metric` is one of `series.series`.

    The mean of a group and its interval stand only at epochs that all its runs recorded: where some stopped early, a
    mean over the others would be of another, chosen, set of runs. What the others did is drawn as it is.

    Raises:
        RequestError: no run has the metric in its history.
    """
    drawn, left_out = best(groups, MOST)
    folders = {folder for group in drawn for folder in group.folders}
    name = _series_name(metric)
    recorded = _recorded(frame[frame["folder"].isin(folders)], name)
    steps = resolutions(frame, metric)
    limits = (metric.low, metric.high)
    curves, samples = [], []
    for group in drawn:
        runs, sample = group.among(recorded)
        if runs:
            resolution = sample.resolution([steps[folder] for folder in runs], metric.part)
            of = mean_curve([recorded[folder] for folder in runs], sample, limits, resolution)
            curves.append(Curve(group.label, tuple(group.keys.values()), of))
            samples.append(sample)
    shown = sum(len(sample.seeds) for sample in samples)
    missing = len(folders) - shown
    left_out["without epochs"] = missing
    if not curves:
        raise RequestError(f"none of the runs has {name} in its history.jsonl")
    caption = f"{with_capital(axis_label(metric))} by epoch, {mean_over(samples)}." + _about(curves, samples)
    if missing:
        lacking = "1 run has" if missing == 1 else f"{missing:,} runs have"
        caption += f" {lacking} no history of {name}."
    figure = draw_curves(curves, axis_label(metric), heading(drawn), limits, width)
    return Chart(figure, shown, len(curves), caption, left_out)


def _series_name(metric: Quantity) -> str:
    """The column of history.jsonl that holds the metric."""
    assert metric.part is not None and metric.metric is not None
    return history_key(metric.part, metric.metric)


def _recorded(frame: pd.DataFrame, name: str) -> dict[str, Run]:
    """The epochs and values of a series by folder; runs without any are left out."""
    epochs = histories(frame)
    say_left_out(epochs.attrs["left_out"][len(frame.attrs.get("left_out", [])) :])
    if name not in epochs:
        return {}
    drawable = epochs[epochs[name].abs() <= LARGEST].sort_values("epoch")
    return {
        str(folder): (rows["epoch"].to_numpy(int), rows[name].to_numpy(float))
        for folder, rows in drawable.groupby("folder", sort=False)
    }


def _about(curves: Sequence[Curve], samples: Sequence[Sample]) -> str:
    """What the caption says of bands, and of runs that stopped early."""
    text = ""
    if any(np.isfinite(curve.of.low).any() for curve in curves):
        what = "Bands" if len(curves) <= MOST_BANDS else "Bars beside the last epoch"
        text += f" {what} are {intervals_of(samples)}."
    if (wanted := wanting(samples)) and any(len(sample.members) > 1 for sample in samples):
        text += f" Groups of fewer than {wanted} have no {'band' if len(curves) <= MOST_BANDS else 'bar'}."
    if any(curve.of.tails for curve in curves):
        text += (
            " Some runs stopped early: a mean ends at the last epoch that all runs of its group reached, "
            "and thin lines are the single runs that continued."
        )
    return text


# -- the figure -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Curve:
    """The mean curve of a group: what the legend calls it, and the values of its keys in their order."""

    label: str
    values: tuple[Any, ...]
    of: MeanCurve

    @property
    def reached(self) -> np.ndarray:
        """Every epoch that is drawn, int."""
        return np.concatenate([self.of.epochs, *(epochs for epochs, _ in self.of.tails)])

    @property
    def heights(self) -> np.ndarray:
        """Every value that a line goes through, float; NaN among them."""
        return np.concatenate([self.of.mean, *(values for _, values in self.of.tails)])

    @property
    def ends(self) -> np.ndarray:
        """The ends of its interval at every epoch, float; NaN among them."""
        return np.concatenate([self.of.low, self.of.high])

    @property
    def last_ends(self) -> tuple[int, float, float] | None:
        """The last epoch that has an interval, and its ends."""
        there = np.flatnonzero(np.isfinite(self.of.low))
        return (int(self.of.epochs[there[-1]]), self.of.low[there[-1]], self.of.high[there[-1]]) if len(there) else None


def draw_curves(
    curves: Sequence[Curve], metric: str, title: str = "", limits: Ends = UNLIMITED, width: str = "column"
) -> Figure:
    """Learning curves: a line per group, a band where it has an interval, thin lines for runs that went on alone.

    There are at most `MOST` curves. `metric` names the axis, which stays within `limits`; `title` stands above the
    legend.
    """
    curves = in_order(curves)
    bands = len(curves) <= MOST_BANDS
    grid = grid_of([curve.values for curve in curves])
    if grid:
        curves = sorted(curves, key=lambda curve: tuple(map(list.index, grid, curve.values)))
    with paper.style():
        figure = paper.empty(paper.WIDTHS[width], 2.3 if width == "column" else 3.3)
        axes = figure.add_subplot()
        epochs = np.concatenate([curve.reached for curve in curves])
        first, last = int(epochs.min()), int(epochs.max())
        every = max(1, (last - first) // 8)
        handles = []
        for i, (curve, look) in enumerate(zip(curves, looks([curve.values for curve in curves]), strict=True)):
            start = i * every // len(curves) % max(len(curve.of.epochs), 1)
            handles.append(_draw(axes, curve, look, (start, every), None if bands else BESIDE * (i + 1)))
        paper.over_epochs(axes, first, last)
        heights = [value for curve in curves for value in curve.heights.tolist()]
        for curve in curves:
            heights += curve.ends.tolist() if bands else (curve.last_ends or ())[1:]
        paper.fit(axes.yaxis, heights, limits, enclose=True)
        axes.set_ylabel(in_two_lines(metric, figure.get_figheight() - 0.6))
        columns = len(grid[1]) if grid and len(curves) == len(grid[0]) * len(grid[1]) else 0
        paper.legend_above(figure, handles, [curve.label for curve in curves], title, columns)
    return figure


def in_order(curves: Sequence[Curve]) -> list[Curve]:
    """The curves in the order of those keys whose values are numbers, or lists of them; else as they are."""
    columns = list(zip(*(curve.values for curve in curves), strict=True))
    numbers = [column for column in columns if len(set(column)) > 1 and all(map(_is_numeric, column))]
    keys = [tuple(map(_numbers, values)) for values in zip(*numbers, strict=True)]
    return [curves[i] for i in sorted(range(len(curves)), key=lambda i: keys[i])] if numbers else list(curves)


def _is_numeric(value: Any) -> bool:
    return is_number(value) or (isinstance(value, str) and re.fullmatch(r"\[[-+.,\de ]+\]", value) is not None)


def _numbers(value: Any) -> list[float]:
    return json.loads(value) if isinstance(value, str) else [value]


def _draw(axes: Axes, curve: Curve, look: Look, marked: tuple[int, int], beside: float | None) -> Artist:
    """Draw one curve with markers at every n-th epoch from the first one on; gives its line.

    Its interval is a band, or a bar, which stands so many points `beside` its last epoch.
    """
    from matplotlib.transforms import offset_copy

    if beside is None and np.isfinite(curve.of.low).any():
        axes.fill_between(curve.of.epochs, curve.of.low, curve.of.high, color=look.color, alpha=0.18, linewidth=0)
    elif beside is not None and curve.last_ends:
        last, *ends = curve.last_ends
        place = offset_copy(axes.transData, axes.get_figure(root=True), x=beside, units="points")
        axes.plot([last, last], ends, color=look.color, linewidth=1.2, clip_on=False, gid="interval", transform=place)
    for epochs, values in curve.of.tails:
        axes.plot(epochs, values, color=look.color, linewidth=0.6, gid="tail")
    (line,) = axes.plot(
        curve.of.epochs, curve.of.mean, color=look.color, linestyle=look.line, marker=look.marker, markeredgewidth=0.8,
        markerfacecolor=look.color if look.filled else "white", markevery=marked, gid="mean",
        clip_on=not len(curve.of.epochs),
    )  # fmt: skip
    return line
