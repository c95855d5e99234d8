"""`fitbench runs`: the runs below some paths, filtered, sorted, one per line."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.analysis.frame import column, configuration, load_runs, quantities_of, say_left_out, short_name, varying
from fitbench.analysis.series import quantity_text
from fitbench.columns import FORMATS, Column, Note, Table, print_as, width
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.record.folder import State
from fitbench.text import check_format, clean, console, shortened

if TYPE_CHECKING:
    import pandas as pd

STYLES = {"failed": "bold red", "pruned": "magenta", "running": "cyan", "interrupted": "yellow"}
CELLS = (40, 24, 16)  # characters of a text in a terminal: the first with which all columns fit, else the last
ERRORS = 5  # different errors that are listed
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def list_runs(
    paths: Sequence[str | Path],
    *,
    where: str | None = None,
    sort: str | None = None,
    columns: str | None = None,
    state: str | None = None,
    limit: int | None = None,
    format: str = "table",
) -> None:
    """Print the runs below the paths (outputs/ if there are none), one per line.

    Args:
        paths: as `load_runs` takes them.
        where: a filter; see `fitbench.analysis.filters`.
        sort: columns by which to sort, with commas; '-' before one for falling values. Missing values come last.
        columns: the columns to print, with commas; else `_usual_columns`, in csv and json those of `load_runs`.
        state: the states of the runs to print, with commas.
        limit: how many runs to print at most.
        format: one of `columns.FORMATS`.

    Raises:
        RequestError: there are no runs, or a state, column, filter or the format does not exist.
    """
    check_format(format, FORMATS)
    states = _states(state)
    frame = load_runs(*paths)
    say_left_out(frame.attrs["left_out"])
    every = list(frame.columns)
    frame["age"] = _ages(frame)
    by = _sort_keys(frame, sort)
    wanted = list(dict.fromkeys(column(frame, name) for name in _split(columns)))
    chosen = _sorted(_selected(frame, where, states), by)
    runs = chosen.head(limit or len(chosen))
    count = _count(frame, chosen, limit)
    if format in ("csv", "json"):
        print_as(format, [], _columns(frame, runs, wanted or every, for_people=False))
    else:
        names = wanted or _usual_columns(chosen)
        cells = _columns(frame, runs, names, for_people=True) if len(runs) else []
        in_table = [*_errors(runs), Note(count, "")] if format == "table" else []
        print_as(format, [Table(_common(frame, chosen, names), _narrowed(cells, runs), in_table)], [])
    if format != "table":
        sys.stderr.write(f"{count}\n")


# -- which runs, in which order ---------------------------------------------------------------------------------------


def _split(text: str | None) -> list[str]:
    return [part for part in map(str.strip, (text or "").split(",")) if part]


def _states(text: str | None) -> list[str]:
    allowed = [state.value for state in State]
    states = _split(text)
    for state in states:
        if state not in allowed:
            raise RequestError(f"--state is {state!r}; it must be one or several of {', '.join(allowed)}")
    return states


def _selected(frame: pd.DataFrame, where: str | None, states: Sequence[str]) -> pd.DataFrame:
    if where is not None:
        from fitbench.analysis.filters import select

        frame = select(frame, where)
    if states:
        frame = frame[frame["state"].isin(states)]
    return frame


def _ages(frame: pd.DataFrame) -> np.ndarray:
    """Seconds since each run finished, or since its folder last changed if it has not: float64 [rows]."""
    now = time.time()
    ended = frame["finished_at"].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    ages = now - (ended - np.datetime64(0, "us")) / np.timedelta64(1, "s")
    folders = frame["folder"].tolist()
    for row in np.flatnonzero(np.isnan(ages)).tolist():
        ages[row] = now - _last_change(folders[row])
    return ages


def _last_change(folder: str) -> float:
    """When a file of the run was last written, as seconds since 1970; NaN if the folder has gone."""
    try:
        with os.scandir(folder) as entries:
            return max((entry.stat().st_mtime for entry in entries if entry.is_file()), default=float("nan"))
    except OSError:  # it has gone, or a file of it has
        return float("nan")


def _sort_keys(frame: pd.DataFrame, sort: str | None) -> dict[str, bool]:
    """Columns and whether their values rise; the study, the run's name and its folder decide between equal ones."""
    keys: dict[str, bool] = {}
    for name in (*_split(sort), "study", "run_id"):
        keys.setdefault(column(frame, name.removeprefix("-")), not name.startswith("-"))
    return keys


def _sorted(frame: pd.DataFrame, by: Mapping[str, bool]) -> pd.DataFrame:
    """The runs in this order; missing values come last, either way. The frame is sorted by folder."""
    return frame.sort_values(list(by), ascending=list(by.values()), key=_ranks, kind="stable", na_position="last")


def _ranks(values: pd.Series) -> pd.Series:
    """The place of each value among those that occur, NaN for a missing one."""
    ranks = {value: rank for rank, value in enumerate(sorted(values.dropna().unique(), key=_order))}
    return values.map(ranks)


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before dates before texts, and in texts s2 before s10."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return 0, value
    if not isinstance(value, str):
        return 1, value
    parts = re.split(r"([0-9]+)", value)
    return 2, [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)]


# -- which columns, and what stands beside them -----------------------------------------------------------------------


def _results(runs: pd.DataFrame) -> list[str]:
    """The columns of the results that matter most: the primary metrics of the runs, the test loss, the time."""
    primary = runs["primary"].dropna().unique().tolist()
    names = [metrics.join(part, metric) for metric in primary for part in ("test", "val")]
    results = [*(f"metrics.{name}" for name in names), "metrics.test_loss", "timing.seconds"]
    return [name for name in dict.fromkeys(results) if name in runs and runs[name].notna().any()]


def _usual_columns(chosen: pd.DataFrame) -> list[str]:
    """What a person sees without --columns: what tells the runs apart, the results that matter most, what else varies.

    A terminal that is too narrow drops the last ones.
    """
    from fitbench.analysis.groups import default_keys

    varies = varying(chosen)
    keys = [name for name in default_keys(chosen) if name in varies]
    study = ["study"] if chosen["study"].nunique() > 1 else []
    return list(dict.fromkeys(["state", *study, "run_id", *keys, *_results(chosen), "age", *varies]))


def _common(frame: pd.DataFrame, chosen: pd.DataFrame, printed: Sequence[str]) -> str:
    """What all runs have in common and no column holds; '' where that is nothing or there are fewer than two runs."""
    if len(chosen) < 2:
        return ""
    first = chosen.iloc[0]
    same = [
        f"{short_name(list(frame), name)} {shortened(_cell(name, first[name], None), CELLS[0])}"
        for name in ("study", *configuration(frame))
        if name not in printed and chosen[name].nunique(dropna=False) == 1 and not _missing(first[name])
    ]
    return f"The same in all {len(chosen):,} runs: {', '.join(same)}" if same else ""


def _count(frame: pd.DataFrame, chosen: pd.DataFrame, limit: int | None) -> str:
    """As '20 of 135 runs shown (10,000 in all): 130 finished, 5 failed; 3 left out'."""
    total, fit = len(frame), len(chosen)
    text = f"{total:,} run{'s'[: total != 1]}" if fit == total else f"{fit:,} of {total:,} runs"
    if limit is not None and limit < fit:
        text = f"{limit:,} of {text}" if fit == total else f"{limit:,} of the {fit:,} runs that fit, of {total:,}"
    states = Counter(chosen["state"].tolist())
    by_state = ", ".join(f"{states[state.value]:,} {state.value}" for state in State if states[state.value])
    left_out = len(frame.attrs["left_out"])
    return text + (f": {by_state}" if by_state else "") + (f"; {left_out:,} left out" if left_out else "")


# -- values as text ---------------------------------------------------------------------------------------------------


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN and NaT differ from themselves


def _cell(name: str, value: Any, quantity: Quantity | None) -> str:
    """A value as people read it. `quantity` is what the column holds, None if that is no quantity."""
    if _missing(value):
        return "-"
    if name == "age":
        return _age(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if not isinstance(value, (int, float, np.number)):
        return clean(value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M}")
    if quantity is not None:
        return quantity_text(quantity, value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}" if name.startswith("dataset.") else str(int(value))
    return f"{value:.6g}"


def _age(seconds: float) -> str:
    """As 12 s, 5 min, 3 h or 2 d."""
    for unit, text in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {text}"
    return f"{max(seconds, 0):.0f} s"


def _plain(value: Any, quantity: Quantity | None) -> Any:
    """A value in JSON's own types: counts without a point, times as result.json has them."""
    if _missing(value):
        return None
    if isinstance(value, float):
        is_count = value.is_integer() and (quantity is None or not quantity.digits)
        return int(value) if is_count else value
    return value if isinstance(value, (str, bool, int)) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _columns(frame: pd.DataFrame, runs: pd.DataFrame, names: Sequence[str], for_people: bool) -> list[Column]:
    """The columns of these runs, with cells for people, or with values for CSV and JSON: either takes its time."""
    quantities = quantities_of(frame)
    columns = []
    for place, name in enumerate(names):
        values = runs[name].tolist()
        is_number = runs[name].dtype.kind in "if"
        columns.append(
            Column(
                clean(short_name(list(frame), name)),
                [_cell(name, value, quantities.get(name)) for value in values] if for_people else [],
                right=is_number,
                spare=place or None,
                key=not is_number,
                values={} if for_people else {name: [_plain(value, quantities.get(name)) for value in values]},
                styles=[STYLES.get(value, "") for value in values] if name == "state" else (),
            )
        )
    return columns


def _narrowed(columns: list[Column], runs: pd.DataFrame) -> list[Column]:
    """The columns with run_ids and texts as short as it takes to have them all in a terminal."""
    out = console()
    if not out.is_terminal:
        return columns
    short = _short_run_ids(runs["run_id"].tolist())
    if short and width(columns) > out.width:
        columns = [replace(column, cells=short) if column.head == "run_id" else column for column in columns]
    for most in CELLS:
        if width(columns) > out.width:
            columns = [
                replace(column, cells=[shortened(cell, most) for cell in column.cells]) if column.key else column
                for column in columns
            ]
    return columns


def _short_run_ids(run_ids: Sequence[str]) -> list[str] | None:
    """The ends of the run_ids, which commands take in their place; None where they do not tell the runs apart."""
    ends = [re.search(r"[0-9a-f]{8}-s[0-9]+$", run_id) for run_id in run_ids]
    short = [f"…{end[0]}" for end in ends if end]
    return short if len(short) == len(run_ids) and len(set(short)) == len(set(run_ids)) else None


def _errors(runs: pd.DataFrame) -> list[Note]:
    """What failed runs failed of, each error once."""
    errors = Counter(runs["error"].dropna().tolist())
    notes = [Note(f"{count:,} failed: {error}", "red") for error, count in errors.most_common(ERRORS)]
    more = len(errors) - ERRORS
    return notes + [Note(f"and {more:,} others; --columns run_id,error lists them", "")] * (more > 0)
