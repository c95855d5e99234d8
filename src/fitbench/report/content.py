"""What a report shows, as JSON holds it: a frame of runs, their curves, their mistakes and the comparison of groups."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.analysis import axes, palette
from fitbench.analysis.frame import configuration, plain_values, quantities_of, varying
from fitbench.analysis.groups import group
from fitbench.analysis.series import with_capital
from fitbench.analysis.telling import default_keys, text
from fitbench.quantities import Quantity
from fitbench.report import searches
from fitbench.report.comparison import comparisons, keys_of
from fitbench.report.curves import SERIES, Curve, LeftOut, compact, group_curves, read_curves, series
from fitbench.report.measures import Recorded, in_order, metrics, mixed
from fitbench.report.predictions import predictions
from fitbench.report.run_columns import environment, parallel_axes, run_columns
from fitbench.report.values import plain
from fitbench.text import encodable
from fitbench.version import __version__

if TYPE_CHECKING:
    import pandas as pd

NAMED = 3  # studies that are named; with more, they are counted


def collect(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, paths: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Everything on the page, for `report.page`. Lists that are about runs are in the order of the frame.

    `frame` is what `load_runs` gives; history.jsonl and predictions.npz are read here. What cannot be read of them
    joins the frame's `left_out`. `by` names the columns that make a group (none: `telling.default_keys`), `metric` is
    what groups are ranked by.

    Raises:
        RequestError: `by` names no column.
    """
    left_out: LeftOut = [(str(folder), str(reason)) for folder, reason in frame.attrs.get("left_out", [])]
    columns = {str(name): plain(frame[name]) for name in frame.columns}
    folders = [str(folder) for folder in columns["folder"]]
    primary = sorted(set(columns["primary"]) - {None}, key=lambda name: (name != metric.metric, name))
    recorded = in_order(quantities_of(frame), primary)
    vary, defaults = varying(frame), default_keys(frame)
    telling = [name for name in vary if name in defaults or len(set(columns[name]) - {None}) > 1]
    curves = read_curves(frame, left_out)
    described = series(curves, recorded)
    constant = [name for name in configuration(frame) if name not in vary and folders]
    return {
        **_about_runs(columns, paths),
        "axes": axes.CONSTANTS,
        "marks": {"markers": palette.MARKERS, "dashes": palette.DASHES, "ramp": len(palette.RAMP)},
        "columns": run_columns(columns, vary, [*telling, metric.column], recorded, primary),
        "constant": [(name, text(columns[name][0])) for name in constant],
        "environment": environment(columns),
        "metric": metric.column,
        "metrics": metrics(recorded),
        "parallel": parallel_axes(columns, telling, metric),
        **_curves(curves, columns["metrics.best_epoch"], described),
        "notices": _notices(frame, len(described), recorded),
        "groups": _groups(frame, by or defaults, metric, recorded, curves),
        **predictions(folders, columns["state"], left_out),
        "searches": searches.collect(folders, paths or ("outputs",), left_out, recorded),
        "left_out": [(encodable(folder), encodable(reason)) for folder, reason in left_out],
    }


def _about_runs(columns: dict[str, list[Any]], paths: Sequence[str | Path]) -> dict[str, Any]:
    studies = sorted(set(columns["study"]))
    return {
        "title": ", ".join(studies) if 0 < len(studies) <= NAMED else f"{len(studies)} studies",
        "written": round(time.time()),
        "version": __version__,
        "paths": [encodable(str(path)) for path in paths or ("outputs",)],
        "count": len(columns["folder"]),
        "states": Counter(columns["state"]).most_common(),
        "folders": [encodable(folder) for folder in columns["folder"]],
        "errors": columns["error"],
    }


def _curves(
    curves: Sequence[Curve | None], best: Sequence[int | None], described: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The curves of the runs, and the columns that they have."""
    names = [each["name"] for each in described[:SERIES]]
    return {
        "series": described[:SERIES],
        "histories": [curve and compact(curve, epoch, names) for curve, epoch in zip(curves, best, strict=True)],
    }


def _notices(frame: pd.DataFrame, columns: int, recorded: Recorded) -> list[str]:
    """What a reader has to know of the page, a sentence each; `columns` are those of the histories."""
    others = frame.attrs.get("other_tasks", "")
    return [
        *[f"{with_capital(others)}."] * bool(others),
        *mixed(recorded),
        *[f"{SERIES} of the {columns:,} columns of the histories are on the page."] * (columns > SERIES),
    ]


def _groups(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, recorded: Recorded, curves: Sequence[Curve | None]
) -> dict[str, Any]:
    """The groups in the ranking by `metric`: their keys and names, their comparisons, and their learning curves.

    `of` is the group of each run; groups are named by their position, runs by their position in the frame.
    """
    ranked = group(frame, by, metric)
    keys = list(ranked[0].keys) if ranked else []
    place = {tuple(each.keys.values()): i for i, each in enumerate(ranked)}
    values = zip(*(plain_values(frame[key]) for key in keys), strict=True) if keys else [()] * len(frame)
    return {
        "by": keys,
        "keys": keys_of(ranked),
        "names": [each.label for each in ranked],
        "of": [place[key] for key in values],
        "metrics": comparisons(frame, ranked, metric, recorded),
        "curves": group_curves(frame, ranked, curves, recorded),
    }
