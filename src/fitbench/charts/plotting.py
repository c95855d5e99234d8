"""`fitbench plot`: from run folders to a chart in a file, and in words what it shows and what it leaves out."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.charts import charts, paper
from fitbench.errors import FitbenchError, RequestError
from fitbench.text import clean, console

if TYPE_CHECKING:
    from fitbench.analysis.groups import Group
    from fitbench.charts.charts import Chart

KINDS = ("curves", "bars", "scatter", "parallel")


def plot(
    paths: Sequence[str | Path],
    kind: str,
    output: Path,
    by: str | None = None,
    metric: str | None = None,
    x: str | None = None,
    where: str | None = None,
    width: str | None = None,
) -> None:
    """Draw the runs below the paths into a file and print what it shows. Only finished runs that have the metric count.

    Args:
        paths: as `frame.load_runs` takes them; none: outputs/.
        kind: curves, bars, scatter or parallel.
        output: .png, .svg or .pdf, in a folder that exists.
        by: columns with commas between them, whose values make a group; None: `groups.default_keys`, and all columns
            that vary for parallel coordinates (`charts.varying_keys`).
        metric: None: test_accuracy, for curves val_accuracy.
        x: of a scatter, the metric that is the cost; None: parameters.
        where: a filter, see `filters`.
        width: 'column' (3.4 inches) or 'full' (7); None: full for parallel coordinates.

    Raises:
        RequestError: something asked for does not exist, or there is nothing to draw; most before any run is read.
        FitbenchError: the file cannot be written.
    """
    measured_name = _checked(kind, output, metric, x, width)
    if where is not None:
        from fitbench.analysis.filters import parse

        parse(where)

    from fitbench.analysis.frame import column, load_runs, primary_of, quantities_of, say_left_out
    from fitbench.analysis.groups import default_keys, group
    from fitbench.quantities import find

    frame = load_runs(*paths)
    say_left_out(frame)
    unread = len(frame.attrs["left_out"])
    if where is not None:
        from fitbench.analysis.filters import select

        count = len(frame)
        frame = select(frame, where)
        if not len(frame):
            raise RequestError(f"--where keeps none of the {count} runs")
    recorded = quantities_of(frame)
    measured = find(measured_name or f"test_{primary_of(frame)}", recorded)
    cost = find(x or "parameters", recorded)
    drawn = [measured.column, *([cost.column] if kind == "scatter" else [])]
    too_large = (frame[drawn].abs() > charts.LARGEST).any(axis=1)
    frame = frame[~too_large]
    if by is not None:
        keys = [column(frame, name.strip()) for name in by.split(",")]
    else:
        keys = charts.varying_keys(frame) if kind == "parallel" else default_keys(frame)
    groups = group(frame, keys, measured)
    uncounted = _uncounted(groups) + Counter({"too large to draw": int(too_large.sum()), "unreadable": unread})
    groups = [one for one in groups if one.values]
    if not groups:
        raise RequestError(f"none of the runs can be shown: {_counted(uncounted)}")
    _say_mixed(groups)

    size = width or ("full" if kind == "parallel" else "column")
    if kind == "curves":
        chart = charts.chart_of_curves(groups, frame, (metric or "val_accuracy").removeprefix("metrics."), size)
    elif kind == "bars":
        chart = charts.chart_of_bars(groups, measured, size)
    elif kind == "scatter":
        chart = charts.chart_of_scatter(groups, frame, measured, cost, size)
    else:
        chart = charts.chart_of_parallel(groups, measured, size)
    try:
        paper.write(chart.figure, output)
    except OSError as error:
        raise FitbenchError(f"{output}: cannot be written ({error.strerror or error})") from None
    if lacking := paper.lacking(chart.figure):
        sys.stderr.write(f"fitbench: {clean(output)}: boxes stand for what the font lacks: {clean(lacking[:20])}\n")
    left_out = uncounted + Counter(chart.left_out)
    _print(chart, output, keys, left_out)


def _checked(kind: str, output: Path, metric: str | None, x: str | None, width: str | None) -> str | None:
    """The name of the metric that ranks (None: the default), if no part of the request is wrong whatever the runs."""
    if kind not in KINDS:
        raise RequestError(f"--kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if output.suffix.lower() not in paper.SUFFIXES:
        raise RequestError(f"-o {output}: the name must end in one of {', '.join(paper.SUFFIXES)}")
    if not output.parent.is_dir():
        raise RequestError(f"-o {output}: there is no folder {output.parent}; make it first")
    if output.is_dir():
        raise RequestError(f"-o {output} is a folder; give the name of a file")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise RequestError(f"-o {output}: no permission to write into {output.parent}")
    if width is not None and width not in paper.WIDTHS:
        raise RequestError(f"--width is {width!r}; it must be one of {', '.join(paper.WIDTHS)}")
    if x is not None and kind != "scatter":
        raise RequestError("--x goes with --kind scatter alone")
    if kind == "curves":
        name = (metric or "val_accuracy").removeprefix("metrics.")
        if name not in charts.PER_EPOCH:
            raise RequestError(
                f"--metric {metric!r} is not recorded every epoch; curves show {', '.join(charts.PER_EPOCH)}"
            )
        return charts.PER_EPOCH[name]
    return metric


def _uncounted(groups: Sequence[Group]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in groups:
        found.update(one.uncounted)
        found["recorded twice"] += len(one.repeated)
    return +found


def _say_mixed(groups: Sequence[Group]) -> None:
    mixed = list(dict.fromkeys(key for one in groups for key in one.mixed))
    if mixed:
        keys = ", ".join(groups[0].keys)
        said = f"runs of one group by {keys} differ in {', '.join(mixed)}; add that to --by, or choose with --where"
        sys.stderr.write(f"fitbench: {clean(said)}\n")


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)


def _print(chart: Chart, output: Path, keys: Sequence[str], left_out: Mapping[str, int]) -> None:
    runs = "1 run" if chart.runs == 1 else f"{chart.runs:,} runs"
    groups = "1 group" if chart.groups == 1 else f"{chart.groups:,} groups"
    said = f"{output}: {runs} in {groups} by {', '.join(keys)}"
    reasons = _counted(left_out)
    if reasons:
        said += f"; {sum(left_out.values()):,} left out ({reasons})"
    out = console()
    out.print(clean(said), soft_wrap=True)
    out.print(clean(chart.caption), soft_wrap=True)
