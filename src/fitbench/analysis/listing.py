"""`fitbench runs`: the runs below some paths, filtered, sorted, one per line."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.defaults import NAMED, default_values
from fitbench.analysis.frame import column, configuration, load_runs, say_unread
from fitbench.analysis.names import short_name
from fitbench.analysis.progress import add_progress
from fitbench.analysis.run_columns import (
    CELLS,
    add_primary,
    bounded,
    cell,
    clipped,
    columns_of,
    is_missing,
    shortened_cells,
    usual_columns,
)
from fitbench.analysis.screen import Size, room
from fitbench.analysis.studies import Which, fitting, narrowed
from fitbench.analysis.telling import readable
from fitbench.columns import Note, Table
from fitbench.errors import RequestError
from fitbench.formats import FORMATS, OF_SCRIPTS, print_as
from fitbench.record.folder import State
from fitbench.record.newest import last_change
from fitbench.text import check_format, console, first_of, natural_order, shortened

if TYPE_CHECKING:
    import pandas as pd

ERRORS = 5  # different errors that are listed
EARLIEST = "age of the first run of the configuration"
MOST_COLUMNS = 100  # of a table whose columns are not asked for
OTHER_LINES = 4  # of a table in a terminal: what is the same in all runs, and what is not shown
MOST_NAMED = 20  # columns that a table lacks and names
ALWAYS = ("study", *NAMED)  # said of all runs even where they are the default


def list_runs(
    which: Which,
    *,
    sort: str | None = None,
    columns: str | None = None,
    state: str | None = None,
    limit: int | None = None,
    format: str = "table",
) -> None:
    """Print runs, one per line.

    Args:
        which: the runs; CSV and JSON are not narrowed to the newest study.
        sort: columns by which to sort, with commas; '-' before one for falling values. Missing values come last. None:
            by study and name in CSV and JSON; else runs of several studies by age, and those of one in the order of the
            sweep: the configuration that finished first on top, its runs by name.
        columns: the columns to print, with commas; else `usual_columns`, in csv and json those of `load_runs`.
        state: the states of the runs to print, with commas.
        limit: how many runs to print at most. None: all; in a table in a terminal the newest that it has room for.
        format: one of `formats.FORMATS`.

    Raises:
        RequestError: there are no runs, or a state, column, filter or the format does not exist.
    """
    check_format(format, FORMATS)
    states = states_of(state)
    which.check()
    which = which.printed_as(format).located()
    frame = load_runs(*which.paths)
    say_unread(frame)
    every = list(frame.columns)
    frame["age"] = _ages(frame)
    if format not in OF_SCRIPTS:
        add_progress(frame)
        add_primary(frame)
    wanted = list(dict.fromkeys(column(frame, name) for name in _split(columns)))
    kept = narrowed(selected(frame, which, states), which)
    for_people = sort is None and format not in OF_SCRIPTS
    if for_people and kept["study"].nunique() < 2:
        kept = kept.assign(**{EARLIEST: kept.groupby("config_id", dropna=False)["age"].transform("max")})
        chosen = _sorted(kept, {EARLIEST: False} | _sort_keys(frame, None)).drop(columns=EARLIEST)
    else:
        chosen = _sorted(kept, _sort_keys(frame, "age" if for_people else sort))
    runs = chosen.head(limit) if limit else _on_screen(chosen, sort) if format == "table" else chosen
    more = f"; --limit {len(chosen)} shows all" if limit is None and len(runs) < len(chosen) else ""
    count = _count(frame, chosen, len(runs)) + more
    if format in OF_SCRIPTS:
        print_as(format, [], columns_of(frame, runs, wanted or every, for_people=False))
    else:
        print_as(format, [_table(frame, chosen, runs, wanted, count, in_full=format != "table")], [])
    if format != "table":
        sys.stderr.write(f"{count}\n")


def _table(
    frame: pd.DataFrame, chosen: pd.DataFrame, runs: pd.DataFrame, wanted: Sequence[str], count: str, in_full: bool
) -> Table:
    """The table of some of the chosen runs of a frame, with notes and the `count` below it unless it is `in_full`."""
    usual, needed = ([], []) if wanted else usual_columns(chosen)
    names = [*wanted, *(name for name in usual if runs[name].notna().any())]
    most = len(names) if wanted or in_full else MOST_COLUMNS
    cells = columns_of(frame, runs, names[:most], for_people=True, needed=needed) if len(runs) else []
    title = _common(frame, chosen, names)
    if in_full:
        return Table(title, cells, shortened=not wanted)
    cells = shortened_cells(clipped(cells), runs)
    dropped: list[str] = []
    if not wanted:
        cells, dropped = bounded(cells)
    notes = [*_not_shown([*reversed(dropped), *names[most:]]), *_errors(runs), Note(count, "")]
    return Table(title, cells, notes)


# -- which runs, in which order ---------------------------------------------------------------------------------------


def _split(text: str | None) -> list[str]:
    return [part for part in map(str.strip, (text or "").split(",")) if part]


def states_of(text: str | None) -> list[str]:
    """The states that are named, with commas between them.

    Raises:
        RequestError: there is no such state.
    """
    allowed = [state.value for state in State]
    states = _split(text)
    for state in states:
        if state not in allowed:
            raise RequestError(f"--state is {state!r}; it must be one or several of {', '.join(allowed)}")
    return states


def selected(frame: pd.DataFrame, which: Which, states: Sequence[str]) -> pd.DataFrame:
    """The runs of a frame that the request is about and that are in one of these states; in any for none.

    Raises:
        RequestError: as `fitting`.
    """
    frame = fitting(frame, which)
    if states:
        frame = frame[frame["state"].isin(states)]
    return frame


def _on_screen(chosen: pd.DataFrame, sort: str | None) -> pd.DataFrame:
    """The runs that a terminal has room for, in their order: the newest, or with --sort the first; in a file all."""
    out = console()
    if not out.is_terminal:
        return chosen
    _, rows, _ = room(out, [Size([len(chosen)], OTHER_LINES + len(_errors(chosen)))])
    return chosen.head(rows) if sort else chosen[chosen["age"].rank(method="first") <= rows]


def _ages(frame: pd.DataFrame) -> np.ndarray:
    """Seconds since each run finished, or since its folder last changed if it has not: float64 [rows]."""
    now = time.time()
    ended = frame["finished_at"].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    ages = now - (ended - np.datetime64(0, "us")) / np.timedelta64(1, "s")
    folders = frame["folder"].tolist()
    for row in np.flatnonzero(np.isnan(ages)).tolist():
        ages[row] = now - (last_change(folders[row]) or float("nan"))
    return ages


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
    """Numbers before dates before texts, which are in `natural_order`."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return 0, value
    if not isinstance(value, str):
        return 1, value
    return 2, natural_order(value)


# -- what stands beside them -----------------------------------------------------------------------------------------


def _common(frame: pd.DataFrame, chosen: pd.DataFrame, printed: Sequence[str]) -> str:
    """What all runs have in common, is not the default and is in no column; '' for fewer than two runs, or nothing."""
    if len(chosen) < 2:
        return ""
    first = chosen.iloc[0]
    default = default_values({str(name): value for name, value in first.items()})
    names = [*ALWAYS, *(readable(chosen, name) for name in configuration(frame))]
    same = [
        f"{short_name(frame, name)} {shortened(cell(name, first[name], None), CELLS[0])}"
        for name in dict.fromkeys(names)
        if name in frame and name not in printed and chosen[name].nunique(dropna=False) == 1
        and not is_missing(first[name]) and (name in ALWAYS or first[name] != default.get(name))
    ]  # fmt: skip
    return f"The same in all {len(chosen):,} runs: {', '.join(same)}" if same else ""


def _count(frame: pd.DataFrame, chosen: pd.DataFrame, shown: int) -> str:
    """As '20 of the 135 runs that fit, of 10,000: 130 finished, 5 failed; 3 left out'."""
    total, fit = len(frame), len(chosen)
    text = f"{total:,} run{'s'[: total != 1]}" if fit == total else f"{fit:,} of {total:,} runs"
    if shown < fit:
        text = f"{shown:,} of {text}" if fit == total else f"{shown:,} of the {fit:,} runs that fit, of {total:,}"
    states = Counter(chosen["state"].tolist())
    by_state = ", ".join(f"{states[state.value]:,} {state.value}" for state in State if states[state.value])
    left_out = len(frame.attrs["left_out"])
    return text + (f": {by_state}" if by_state else "") + (f"; {left_out:,} left out" if left_out else "")


def _not_shown(columns: Sequence[str]) -> list[Note]:
    """What a table lacks."""
    text = f"Not shown: {first_of(columns, MOST_NAMED)}; --columns NAMES or --format csv shows them"
    return [Note(text, "")] * bool(columns)


def _errors(runs: pd.DataFrame) -> list[Note]:
    """What failed runs failed of, each error once."""
    errors = Counter(runs["error"].dropna().tolist())
    notes = [Note(f"{count:,} failed: {error}", "red") for error, count in errors.most_common(ERRORS)]
    more = len(errors) - ERRORS
    return notes + [Note(f"and {more:,} others; --columns run_id,error lists them", "")] * (more > 0)
