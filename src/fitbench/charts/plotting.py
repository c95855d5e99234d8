"""`fitbench plot`: from run folders to a chart in a file, with a caption and what the chart leaves out."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench import metrics, quantities
from fitbench.analysis.series import series
from fitbench.charts import charts, paper
from fitbench.errors import FitbenchError, RequestError
from fitbench.quantities import Quantity
from fitbench.text import clean, console

if TYPE_CHECKING:
    import pandas as pd

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
        metric: None: the primary metric of the runs, on the test part; for curves on the validation part.
        x: of a scatter, the metric that is the cost; None: parameters.
        where: a filter, see `filters`.
        width: 'column' (3.4 inches) or 'full' (7); None: full for parallel coordinates.

    Raises:
        RequestError: something asked for does not exist, or there is nothing to draw.
        FitbenchError: the file cannot be written.
    """
    _check(kind, output, x, width)
    if where is not None:
        from fitbench.analysis.filters import parse

        parse(where)

    from fitbench.analysis.frame import column, load_runs, quantities_of, say_left_out
    from fitbench.analysis.groups import default_keys, group

    frame = load_runs(*paths)
    say_left_out(frame)
    unread = len(frame.attrs["left_out"])
    if where is not None:
        from fitbench.analysis.filters import select

        count = len(frame)
        frame = select(frame, where)
        if not len(frame):
            raise RequestError(f"--where keeps none of the {count} runs")
    available = quantities_of(frame)
    measured = _measured_by_epoch(metric, frame) if kind == "curves" else _measured(metric, frame)
    cost = quantities.find(x or "parameters", available)
    columns = [measured.column, *([cost.column] if kind == "scatter" else [])]
    too_large = (frame[columns].abs() > charts.LARGEST).any(axis=1)
    frame = frame[~too_large]
    if by is not None:
        keys = [column(frame, name.strip()) for name in by.split(",")]
    else:
        keys = charts.varying_keys(frame) if kind == "parallel" else default_keys(frame)
    groups = group(frame, keys, measured)
    uncounted = _uncounted(groups) + Counter({"too large to draw": int(too_large.sum()), "unreadable": unread})
    groups = [each for each in groups if each.values]
    if not groups:
        raise RequestError(f"none of the runs can be shown: {_counted(uncounted)}")
    _warn_of_mixed(groups)

    size = width or ("full" if kind == "parallel" else "column")
    if kind == "curves":
        chart = charts.chart_of_curves(groups, frame, measured, size)
    elif kind == "bars":
        chart = charts.chart_of_bars(groups, measured, size)
    elif kind == "scatter":
        chart = charts.chart_of_scatter(groups, frame, measured, cost, size)
    else:
        chart = charts.chart_of_parallel(groups, measured, size)
    _write(chart, output)
    _print(chart, output, keys, uncounted + Counter(chart.left_out))


def _check(kind: str, output: Path, x: str | None, width: str | None) -> None:
    """Refuse what cannot be met whatever the runs are.

    Raises:
        RequestError: the kind or the width does not exist, or the file cannot be written there.
    """
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


def _measured(metric: str | None, frame: pd.DataFrame) -> Quantity:
    """The quantity that the runs are ranked by."""
    from fitbench.analysis.frame import primary_of, quantities_of

    return quantities.find(metric or metrics.join("test", primary_of(frame)), quantities_of(frame))


def _measured_by_epoch(metric: str | None, frame: pd.DataFrame) -> Quantity:
    """The quantity of learning curves, named as in history.jsonl or as in `metrics` of result.json.

    Raises:
        RequestError: the runs do not record it, or epochs do not measure it.
    """
    from fitbench.analysis.frame import primary_of, quantities_of

    available = quantities_of(frame)
    by_epoch = series(available)
    name = (metric or metrics.join("val", primary_of(frame))).removeprefix("metrics.")
    quantity = quantities.find(by_epoch[name].column if name in by_epoch else name, available)
    if quantity not in by_epoch.values():
        names = ", ".join(by_epoch)
        raise RequestError(f"--metric {metric!r} is not recorded every epoch; curves show {names}")
    return quantity


def _uncounted(groups: Sequence[Group]) -> Counter[str]:
    total: Counter[str] = Counter()
    for group in groups:
        total.update(group.uncounted)
        total["recorded twice"] += len(group.repeated)
    return +total


def _warn_of_mixed(groups: Sequence[Group]) -> None:
    mixed = list(dict.fromkeys(key for group in groups for key in group.mixed))
    if mixed:
        keys = ", ".join(groups[0].keys)
        text = f"runs of one group by {keys} differ in {', '.join(mixed)}; add that to --by, or choose with --where"
        sys.stderr.write(f"fitbench: {clean(text)}\n")


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)


def _write(chart: Chart, output: Path) -> None:
    """Write the figure, and name the characters that its font lacks."""
    try:
        paper.write(chart.figure, output)
    except OSError as error:
        raise FitbenchError(f"{output}: cannot be written ({error.strerror or error})") from None
    if lacking := paper.lacking(chart.figure):
        sys.stderr.write(f"fitbench: {clean(output)}: the font lacks {clean(lacking[:20])}; boxes are drawn instead\n")


def _print(chart: Chart, output: Path, keys: Sequence[str], left_out: Mapping[str, int]) -> None:
    runs = "1 run" if chart.runs == 1 else f"{chart.runs:,} runs"
    groups = "1 group" if chart.groups == 1 else f"{chart.groups:,} groups"
    line = f"{output}: {runs} in {groups} by {', '.join(keys)}"
    reasons = _counted(left_out)
    if reasons:
        line += f"; {sum(left_out.values()):,} left out ({reasons})"
    out = console()
    out.print(clean(line), soft_wrap=True)
    out.print(clean(chart.caption), soft_wrap=True)
