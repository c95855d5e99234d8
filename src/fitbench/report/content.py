"""What a report shows of runs that may be compared, as JSON holds it: runs, curves, predictions and groups.

`collect` gives all of it for one frame, and depends on no other runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.analysis.frame import configuration, of_known_task, plain_values, quantities_of, varying
from fitbench.analysis.groups import group
from fitbench.analysis.names import short_name
from fitbench.analysis.telling import by_kind, default_keys, text
from fitbench.quantities import Quantity
from fitbench.report import searches
from fitbench.report.comparison import comparisons, keys_of, names_of
from fitbench.report.curves import SERIES, Curve, LeftOut, compact, group_curves, read_curves, series
from fitbench.report.measures import Recorded, in_order, metrics, mixed
from fitbench.report.predictions import predictions
from fitbench.report.run_columns import Columns, environment, parallel_axes, run_columns
from fitbench.report.values import plain_columns
from fitbench.text import encodable

if TYPE_CHECKING:
    import pandas as pd

DRAWN = 40  # groups that have a mean curve at most, the best ones


def collect(
    frame: pd.DataFrame,
    by: Sequence[str],
    metric: Quantity,
    paths: Sequence[str | Path] = (),
    curves: dict[str, Curve | None] | None = None,
) -> dict[str, Any]:
    """Everything that the page shows of these runs. Lists that are about runs are in the order of the frame.

    `frame` is what `load_runs` gives, or a part of it; history.jsonl and predictions.npz are read here. `left_out` is
    what cannot be read of them. `by` names the columns that make a group (none: `telling.default_keys`), `metric` is
    what groups are ranked by. The curves that are read join `curves`, by folder.

    Raises:
        RequestError: `by` names no column.
    """
    left_out: LeftOut = []
    read, columns = read_curves(frame, left_out), plain_columns(frame)
    if curves is not None:
        curves |= zip(frame["folder"].tolist(), read, strict=True)
    together = overview(frame, by, metric, read, columns)
    return {
        **together,
        **_of_single_runs(columns, read, [each["name"] for each in together["series"]], left_out),
        "searches": searches.collect(columns["folder"], paths or ("outputs",), left_out, quantities_of(frame)),
        "left_out": [(encodable(folder), encodable(reason)) for folder, reason in left_out],
    }


def overview(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, curves: Sequence[Curve | None], columns: Columns
) -> dict[str, Any]:
    """What the page shows of the runs together: the columns of their table, and their groups.

    `columns` are those of the frame, as `plain_columns` gives them.
    """
    primary = sorted(set(columns["primary"]) - {None}, key=lambda name: (name != metric.metric, name))
    recorded = in_order(quantities_of(frame), primary)
    vary, keys = varying(frame), default_keys(of_known_task(frame))
    telling = [name for name in keys if len(set(columns[name])) > 1]
    described = series(curves, recorded)
    constant = [name for name in configuration(frame) if name not in vary and columns[name][0] is not None]
    return {
        "count": len(frame),
        "states": Counter(columns["state"]).most_common(),
        "columns": run_columns(columns, vary, [*telling, metric.column], recorded, primary),
        "constant": [(name, text(columns[name][0])) for name in constant],
        "metric": metric.column,
        "metrics": metrics(recorded),
        "parallel": parallel_axes(columns, telling, metric),
        "series": described[:SERIES],
        "notices": _notices(len(described), recorded),
        "groups": _groups(frame, by or keys, metric, recorded, curves),
    }


def _of_single_runs(
    columns: Columns, curves: Sequence[Curve | None], names: Sequence[str], left_out: LeftOut
) -> dict[str, Any]:
    """What the page shows of each run by itself; `names` are those of series."""
    folders, best = columns["folder"], columns["metrics.best_epoch"]
    return {
        "folders": [encodable(folder) for folder in folders],
        "errors": columns["error"],
        "environment": environment(columns),
        "histories": [curve and compact(curve, epoch, names) for curve, epoch in zip(curves, best, strict=True)],
        **predictions(folders, columns["state"], left_out),
    }


def _notices(columns: int, recorded: Recorded) -> list[str]:
    """What a reader has to know of the runs, a sentence each; `columns` are those of the histories."""
    cut = f"{SERIES} of the {columns:,} columns of the histories are on the page."
    return [*mixed(recorded), *[cut] * (columns > SERIES)]


def _groups(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, recorded: Recorded, curves: Sequence[Curve | None]
) -> dict[str, Any]:
    """The groups in the ranking by `metric`: their keys and names, their comparisons, and their learning curves.

    `of` is the group of each run; groups are named by their position, runs by their position in the frame.
    """
    ranked = group(frame, by, metric)
    keys = list(ranked[0].keys) if ranked else []
    place = {each.identity: i for i, each in enumerate(ranked)}
    names = names_of(ranked, [short_name(frame, key) for key in keys])
    values = zip(*(plain_values(frame[key]) for key in keys), strict=True) if keys else [()] * len(frame)
    return {
        "by": keys,
        "keys": keys_of(ranked),
        "names": names,
        "of": [place[tuple(map(by_kind, key))] for key in values],
        "metrics": comparisons(frame, ranked, names, metric, recorded),
        "curves": group_curves(frame, ranked[:DRAWN], curves, recorded),
    }
