"""`fitbench plot`: from run folders to a chart in a file, with a caption and what the chart leaves out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench import metrics, quantities
from fitbench.analysis import request
from fitbench.analysis.axes import LARGEST
from fitbench.analysis.frame import in_known_groups, of_known_task, primary_of, quantities_of
from fitbench.analysis.groups import Group, group
from fitbench.analysis.series import series
from fitbench.analysis.telling import default_keys
from fitbench.charts import paper
from fitbench.charts.bars import chart_of_bars
from fitbench.charts.chart import Chart
from fitbench.charts.curves import chart_of_curves
from fitbench.charts.parallel import chart_of_parallel, varying_keys
from fitbench.charts.scatter import chart_of_scatter
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.record.files import check_output, check_suffix, writing
from fitbench.stderr import write_note
from fitbench.text import clean, console, first_of

if TYPE_CHECKING:
    import pandas as pd


def plot(
    which: request.Which,
    kind: str,
    output: Path,
    by: str | None = None,
    metric: str | None = None,
    x: str | None = None,
    width: str | None = None,
) -> None:
    """Draw runs into a file and print what it shows. Only finished runs that have the metric count.

    Args:
        which: the runs.
        kind: one of `KINDS`.
        output: .png, .svg or .pdf, in a folder that exists.
        by: columns with commas between them, whose values make a group; None: `telling.default_keys`, and all columns
            that vary for parallel coordinates (`parallel.varying_keys`).
        metric: None: the primary metric of the runs, see `request.measured`; for curves on the validation part.
        x: of a scatter, the metric that is the cost; None: parameters.
        width: 'column' (3.4 inches) or 'full' (7); None: full for parallel coordinates.

    Raises:
        RequestError: something asked for does not exist, or there is nothing to draw.
        FitbenchError: the file cannot be written.
    """
    _check(kind, output, x, width)
    frame = request.newest_set(request.selected_runs(which.located()), metric)
    asked = KINDS[kind]
    measured, cost = asked.measured(frame, metric), quantities.find(x or "parameters", quantities_of(frame))
    too_large = (frame[[measured.column, cost.column]].abs() > LARGEST).any(axis=1)
    others = {"too large to draw": int(too_large.sum()), "unreadable": len(frame.attrs["left_out"])}
    frame = frame[~too_large]
    keys = asked.keys(of_known_task(frame)) if by is None else request.keys(frame, by)
    frame = in_known_groups(frame, keys)
    groups, uncounted = _groups(frame, keys, measured, others)
    chart = asked.draw(Selected(groups, frame, measured, cost, width or asked.width))
    _write(chart, output)
    _print(chart, output, keys, uncounted + Counter(chart.left_out))


def _check(kind: str, output: Path, x: str | None, width: str | None) -> None:
    """Refuse what cannot be met whatever the runs are.

    Raises:
        RequestError: the kind or the width does not exist, or the file cannot be written there.
    """
    if kind not in KINDS:
        raise RequestError(f"--kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    check_suffix("-o", output, paper.SUFFIXES)
    check_output("-o", output)
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise RequestError(f"-o {output}: no permission to write into {output.parent}")
    if width is not None and width not in paper.WIDTHS:
        raise RequestError(f"--width is {width!r}; it must be one of {', '.join(paper.WIDTHS)}")
    if x is not None and kind != "scatter":
        raise RequestError("--x goes with --kind scatter alone")


# -- the runs ---------------------------------------------------------------------------------------------------------


def _groups(
    frame: pd.DataFrame, keys: Sequence[str], measured: Quantity, others: Mapping[str, int]
) -> tuple[list[Group], Counter[str]]:
    """The groups that have a value, and how many runs do not count by reason, with `others` among them."""
    groups = group(frame, keys, measured)
    uncounted: Counter[str] = Counter()
    for each in groups:
        uncounted.update(each.uncounted)
        uncounted["recorded twice"] += len(each.repeated)
    uncounted.update(others)
    uncounted.update(frame.attrs.get("without_task", {}))
    groups = [each for each in groups if each.values]
    if not groups:
        raise RequestError(f"none of the runs can be shown: {_counted(uncounted)}")
    mixed = list(dict.fromkeys(key for each in groups for key in each.mixed))
    if mixed:
        text = f"runs of one group by {', '.join(groups[0].keys)} differ in {first_of(mixed)}"
        write_note(f"{clean(text)}; add that to --by, or choose with --where")
    return groups, uncounted


# -- the kinds --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selected:
    """What is drawn: groups, best first, of the runs of a frame, by a metric and its cost, in a width of a paper."""

    groups: list[Group]
    frame: pd.DataFrame
    metric: Quantity
    cost: Quantity
    width: str


def _measured_by_epoch(frame: pd.DataFrame, metric: str | None) -> Quantity:
    """The quantity of learning curves, named as in history.jsonl or as in `metrics` of result.json.

    Raises:
        RequestError: the runs do not record it, or epochs do not measure it.
    """
    available = quantities_of(frame)
    by_epoch = series(available)
    name = (metric or metrics.join("val", primary_of(frame))).removeprefix("metrics.")
    quantity = quantities.find(by_epoch[name].column if name in by_epoch else name, available)
    if quantity not in by_epoch.values():
        names = ", ".join(by_epoch)
        raise RequestError(f"--metric {metric!r} is not recorded every epoch; curves show {names}")
    return quantity


@dataclass(frozen=True)
class Kind:
    """A kind of chart: how it is drawn, and what it shows unless the request says otherwise."""

    draw: Callable[[Selected], Chart]
    measured: Callable[[pd.DataFrame, str | None], Quantity] = request.measured
    keys: Callable[[pd.DataFrame], list[str]] = default_keys
    width: str = "column"


KINDS = {
    "curves": Kind(lambda of: chart_of_curves(of.groups, of.frame, of.metric, of.width), measured=_measured_by_epoch),
    "bars": Kind(lambda of: chart_of_bars(of.groups, of.metric, of.width)),
    "scatter": Kind(lambda of: chart_of_scatter(of.groups, of.frame, of.metric, of.cost, of.width)),
    "parallel": Kind(lambda of: chart_of_parallel(of.groups, of.metric, of.width), keys=varying_keys, width="full"),
}


# -- what is written --------------------------------------------------------------------------------------------------


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)


def _write(chart: Chart, output: Path) -> None:
    """Write the figure, and name the characters that its font lacks."""
    with writing(output):
        paper.write(chart.figure, output)
    if lacking := paper.lacking(chart.figure):
        write_note(f"{clean(output)}: the font lacks {clean(lacking[:20])}; boxes are drawn instead")


def _print(chart: Chart, output: Path, keys: Sequence[str], left_out: Mapping[str, int]) -> None:
    runs = "1 run" if chart.runs == 1 else f"{chart.runs:,} runs"
    groups = "1 group" if chart.groups == 1 else f"{chart.groups:,} groups"
    line = f"{output}: {runs} in {groups} by {', '.join(keys)}"
    reasons = _counted(left_out)
    if reasons:
        line += f"; {sum(left_out.values()):,} left out ({reasons})"
    out = console()
    out.print(clean(line), soft_wrap=True)
    out.print(clean(chart.caption), soft_wrap=not out.is_terminal)
