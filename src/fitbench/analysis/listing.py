"""`fitbench runs`: the runs below some paths, filtered, sorted, one per line."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.frame import column, configuration, load_runs, say_left_out, varying
from fitbench.columns import APART, Column, as_markdown, broken, escaped, widest
from fitbench.errors import RequestError
from fitbench.record.folder import State
from fitbench.text import check_format, clean, console, shortened, table

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

SHOWN = ("metrics.test_accuracy", "metrics.val_accuracy", "metrics.test_loss", "timing.seconds")  # unless --columns
FRACTIONS = ("metrics.train_", "metrics.val_", "metrics.test_", "timing.", "age")  # no counts, even where whole
STYLES = {"failed": "bold red", "pruned": "magenta", "running": "cyan", "interrupted": "yellow"}
CELLS = (40, 24, 16)  # characters of a text in a terminal: the first with which all columns fit, else the last
STUDIES = 10  # that a message names
ERRORS = 5  # different errors that are listed
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def list_runs(
    paths: Sequence[str | Path],
    *,
    where: str | None = None,
    sort: str | None = None,
    columns: str | None = None,
    state: str | None = None,
    study: str | None = None,
    limit: int | None = None,
    format: str = "table",
) -> None:
    """Print the runs below the paths (outputs/ if there are none), one per line.

    Args:
        paths: as `load_runs` takes them.
        where: a filter; see `fitbench.analysis.filters`.
        sort: columns by which to sort, with commas; '-' before one for falling values. Missing values come last.
            Else by study and name.
        columns: the columns to print, with commas. Else, for people, state, run_id, what varies in the configuration
            and some results; in csv and json every column that `load_runs` gives.
        state: the states of the runs to print, with commas.
        study: the study of the runs to print.
        limit: how many runs to print at most.
        format: 'table', 'csv', 'json' (a list of objects) or 'markdown'.

    Raises:
        RequestError: there are no runs, or a state, study, column, filter or the format is not one.
    """
    printers = {"table": _print_table, "csv": _print_csv, "json": _print_json, "markdown": _print_markdown}
    check_format(format, list(printers))
    states = _states(state)
    frame = load_runs(*paths)
    say_left_out(frame)
    every = list(frame.columns)
    frame["age"] = _ages(frame)
    by = _sort_keys(frame, sort)
    wanted = [column(frame, name) for name in _split(columns)]
    chosen = _sorted(_selected(frame, where, states, study), by)
    usual = _usual_columns(chosen)
    out = console()
    names = list(dict.fromkeys(wanted)) or (every if format in ("csv", "json") else usual)
    made = Listing(
        shown=chosen.head(limit or len(chosen)),
        columns=names,
        heads={name: clean(_head(frame, name)) for name in names},
        importance=names if wanted or not out.is_terminal else _by_importance(chosen, usual),
        common=_common(frame, chosen, names),
        count=_count(frame, chosen, limit),
    )
    printers[format](out, made)


@dataclass(frozen=True, eq=False)
class Listing:
    """What is printed: the rows, the columns, and how these are headed; which columns go last where there is no room
    for all; what all runs that fit have in common, with spaces that do not break inside of it, and how many they are.
    """

    shown: pd.DataFrame
    columns: list[str]
    heads: dict[str, str]
    importance: list[str]
    common: str
    count: str


# -- which runs, in which order ---------------------------------------------------------------------------------------


def _split(text: str | None) -> list[str]:
    return [part for part in map(str.strip, (text or "").split(",")) if part]


def _states(text: str | None) -> list[str]:
    known = [state.value for state in State]
    states = _split(text)
    for state in states:
        if state not in known:
            raise RequestError(f"--state is {state!r}; it must be one or several of {', '.join(known)}")
    return states


def _selected(frame: pd.DataFrame, where: str | None, states: Sequence[str], study: str | None) -> pd.DataFrame:
    if study is not None:
        known = frame["study"].unique().tolist()
        if study not in known:
            others = ", ".join(map(clean, sorted(known)[:STUDIES])) + (", ..." if len(known) > STUDIES else "")
            raise RequestError(f"--study is {study!r}; there are {others}")
    if where is not None:
        from fitbench.analysis.filters import select

        frame = select(frame, where)
    if states:
        frame = frame[frame["state"].isin(states)]
    return frame if study is None else frame[frame["study"] == study]


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


def _sort_keys(frame: pd.DataFrame, sort: str | None) -> list[tuple[str, bool]]:
    """Columns and whether their values fall; the study, the run's name and its folder decide between equal ones."""
    keys = [(column(frame, name.removeprefix("-")), name.startswith("-")) for name in _split(sort)]
    return [*keys, ("study", False), ("run_id", False)]


def _sorted(frame: pd.DataFrame, by: Sequence[tuple[str, bool]]) -> pd.DataFrame:
    keys = [_ranks(frame[name], falling) for name, falling in by]
    return frame.iloc[np.lexsort(keys[::-1])]  # stable, and the frame is sorted by folder


def _ranks(values: pd.Series, falling: bool) -> np.ndarray:
    """The place of each value among those that occur, int64 [rows]; a missing value comes last, either way."""
    import pandas as pd

    codes, occurring = pd.factorize(values)
    places = np.empty(len(occurring) + 1, np.int64)
    places[sorted(range(len(occurring)), key=lambda i: _order(occurring[i]))] = np.arange(len(occurring))
    if falling:
        places = -places
    places[-1] = len(occurring)  # code -1 is a missing value
    return places[codes]


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before dates before texts, and in texts s2 before s10."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return 0, value
    if not isinstance(value, str):
        return 1, value
    parts = re.split(r"([0-9]+)", value)
    return 2, [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)]


# -- which columns, and what is said beside them ----------------------------------------------------------------------


def _usual_columns(chosen: pd.DataFrame) -> list[str]:
    """What a person is shown without --columns: what varies, and the results that matter most."""
    study = ["study"] if chosen["study"].nunique() > 1 else []
    results = (name for name in SHOWN if chosen[name].notna().any())
    return ["state", *study, "run_id", *varying(chosen), *results, "age"]


def _by_importance(chosen: pd.DataFrame, usual: Sequence[str]) -> list[str]:
    """The usual columns, those first that are the last to go where a terminal is too narrow for all.

    A state that all runs are in is said by the count. Of the configuration, what tells the runs apart goes last:
    with the model's name, its settings are mostly known too.
    """
    from fitbench.analysis.groups import default_keys

    state = ["state"] if chosen["state"].nunique() > 1 else []
    order = ["run_id", *state, "metrics.test_accuracy", *default_keys(chosen), "study", *SHOWN[1:2], "timing.seconds"]
    return [name for name in dict.fromkeys((*order, "age", *SHOWN, "state", *usual)) if name in usual]


def _head(frame: pd.DataFrame, name: str) -> str:
    """The shortest text that means this column here: what heads it, and what --sort, --columns and --where take."""
    if name == "timing.seconds":
        return "duration"
    parts = name.split(".")
    if parts[-1] in ("name", "kind"):
        del parts[-1]
    for short in (parts[-1], ".".join(parts)):
        try:
            if short and column(frame, short) == name:
                return short
        except RequestError:  # it means several
            continue
    return name


def _common(frame: pd.DataFrame, chosen: pd.DataFrame, printed: Sequence[str]) -> str:
    """What all runs have in common and no column says; '' where that is nothing or there are fewer than two runs."""
    if len(chosen) < 2:
        return ""
    first = chosen.iloc[0]
    same = [
        clean(f"{_head(frame, name)} {shortened(_cell(name, first[name]), CELLS[0])}").replace(" ", "\xa0")
        for name in ("study", *configuration(frame))
        if name not in printed and chosen[name].nunique(dropna=False) == 1 and not _missing(first[name])
    ]
    return f"The same in all {len(chosen):,} runs: {', '.join(same)}" if same else ""


def _count(frame: pd.DataFrame, chosen: pd.DataFrame, limit: int | None) -> str:
    """As '20 of 135 runs shown (10,000 in all): 130 finished, 5 failed; 3 left out'."""
    found, fit = len(frame), len(chosen)
    text = f"{found:,} run{'s'[: found != 1]}" if fit == found else f"{fit:,} of {found:,} runs"
    if limit is not None and limit < fit:
        text = f"{limit:,} of {text}" if fit == found else f"{limit:,} of the {fit:,} runs that fit, of {found:,}"
    states = Counter(chosen["state"].tolist())
    by_state = ", ".join(f"{states[state.value]:,} {state.value}" for state in State if states[state.value])
    left_out = len(frame.attrs["left_out"])
    return text + (f": {by_state}" if by_state else "") + (f"; {left_out:,} left out" if left_out else "")


# -- values as text ---------------------------------------------------------------------------------------------------


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN and NaT differ from themselves


def _cell(name: str, value: Any) -> str:
    """A value as people read it."""
    if _missing(value):
        return "-"
    if name == "age":
        return _age(value)
    if name.startswith("timing.") and name.endswith("seconds"):
        from fitbench.text import duration

        return duration(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (int, float, np.number)):
        whole = float(value).is_integer()
        if name.startswith("metrics.") and not (whole and name in ("metrics.best_epoch", "metrics.epochs")):
            return f"{value:.4f}"
        if name == "timing.images_per_second":
            return f"{value:,.0f}"
        if whole and abs(float(value)) < 1e15:
            return f"{int(value):,}" if name == "parameters" or name.startswith("dataset.") else str(int(value))
        return f"{value:.6g}"
    return clean(value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M}")


def _age(seconds: float) -> str:
    """As 12 s, 5 min, 3 h or 2 d."""
    for unit, text in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {text}"
    return f"{max(seconds, 0):.0f} s"


def _plain(name: str, value: Any) -> Any:
    """A value as JSON's own types spell it: counts without a point, times as result.json has them."""
    if _missing(value):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and not name.startswith(FRACTIONS) else value
    return value if isinstance(value, (str, bool, int)) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


# -- the four formats -------------------------------------------------------------------------------------------------


def _print_table(out: Console, listing: Listing) -> None:
    width = out.width if out.is_terminal else 10_000
    for line in textwrap.wrap(listing.common, width, break_on_hyphens=False):
        out.print(line.replace("\xa0", " "), style="dim", soft_wrap=True)
    cells = {name: _column_cells(listing.shown, name) for name in listing.columns}
    if len(listing.shown) and out.is_terminal:
        _print_boxed(out, listing, cells)
    elif len(listing.shown):
        _print_aligned(listing, cells)
    if "error" not in cells:
        _print_errors(out, listing.shown)
    out.print(listing.count, soft_wrap=True)


def _column_cells(shown: pd.DataFrame, name: str) -> list[str]:
    return [_cell(name, value) for value in shown[name].tolist()]


def _numeric(shown: pd.DataFrame, name: str) -> bool:
    return shown[name].dtype.kind in "if"


def _print_aligned(listing: Listing, cells: dict[str, list[str]]) -> None:
    """Columns three spaces apart, whole; for a file or a pipe."""
    from rich.cells import cell_len

    padded = []
    for name, head in listing.heads.items():
        lines = [head, *cells[name]]
        width = max(map(cell_len, lines))
        right = _numeric(listing.shown, name)
        padded.append([f"{' ' * (width - cell_len(line))}{line}" if right else line + " " * (width - cell_len(line))
                       for line in lines])  # fmt: skip
    print("\n".join("   ".join(line).rstrip() for line in zip(*padded, strict=True)))


def _print_boxed(out: Console, listing: Listing, cells: dict[str, list[str]]) -> None:
    """As many columns as the terminal is wide enough for, the more important ones first; the others are named."""
    from rich.text import Text

    shown = listing.shown
    heads = {name: broken(head, cells[name]) for name, head in listing.heads.items()}

    def widths() -> dict[str, int]:
        return {name: widest(heads[name], cells[name]) + APART for name in cells}

    short = _short_run_ids(shown["run_id"].tolist())
    if short and "run_id" in cells and sum(widths().values()) >= out.width:
        cells["run_id"] = short
    for most in CELLS:
        if sum(widths().values()) >= out.width:
            cells = {name: [shortened(cell, most) for cell in column] for name, column in cells.items()}
    width = widths()
    room = out.width - 1
    kept: set[str] = set()
    for name in listing.importance:
        if width[name] <= room or not kept:
            kept.add(name)
            room -= width[name]
    names = [name for name in listing.columns if name in kept]
    numbers = [heads[name] for name in names if _numeric(shown, name)]
    made = table(out, *(heads[name] for name in names), right=numbers, flexible=list(heads.values()))
    styles = [STYLES.get(state, "") for state in shown["state"].tolist()]
    for i, style in enumerate(styles):
        made.add_row(*(Text(cells[name][i], style if name == "state" else "") for name in names))
    out.print(made)
    dropped = [head for name, head in listing.heads.items() if name not in kept]
    if dropped:
        more = f"{len(dropped)} column{'s'[: len(dropped) != 1]} more"
        said = f"{more} in a wider terminal or with --columns: {', '.join(dropped)}"
        for line in textwrap.wrap(said, out.width, break_on_hyphens=False):
            out.print(line, style="dim", soft_wrap=True)


def _short_run_ids(run_ids: Sequence[str]) -> list[str] | None:
    """The ends of the run_ids, which commands take in their place; None where they do not tell the runs apart."""
    ends = [re.search(r"[0-9a-f]{8}-s[0-9]+$", run_id) for run_id in run_ids]
    short = [f"…{end[0]}" for end in ends if end]
    return short if len(short) == len(run_ids) and len(set(short)) == len(set(run_ids)) else None


def _print_errors(out: Console, shown: pd.DataFrame) -> None:
    """What failed runs failed of, each error once."""
    errors = Counter(shown["error"].dropna().tolist())
    for error, count in errors.most_common(ERRORS):
        out.print(f"{count:,} failed: {clean(error)}", style="red", no_wrap=True, overflow="ellipsis")
    if len(errors) > ERRORS:
        out.print(
            f"and {len(errors) - ERRORS:,} others; --columns run_id,error lists them",
            soft_wrap=True,
        )


def _print_csv(out: Console, listing: Listing) -> None:
    said = clean if out.is_terminal else str  # a file holds what is there
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(said, listing.columns))
    columns = [[said(_text(_plain(name, value))) for value in listing.shown[name].tolist()] for name in listing.columns]
    writer.writerows(zip(*columns, strict=True))
    sys.stderr.write(f"{listing.count}\n")


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _print_json(out: Console, listing: Listing) -> None:
    columns = [[_plain(name, value) for value in listing.shown[name].tolist()] for name in listing.columns]
    rows = [dict(zip(listing.columns, row, strict=True)) for row in zip(*columns, strict=True)]
    print(json.dumps(rows, indent=2, allow_nan=False))
    sys.stderr.write(f"{listing.count}\n")


def _print_markdown(out: Console, listing: Listing) -> None:
    if listing.common:
        print(escaped(listing.common.replace("\xa0", " ")), end="\n\n")
    shown = listing.shown
    columns = [Column(head, _column_cells(shown, name), _numeric(shown, name)) for name, head in listing.heads.items()]
    print(as_markdown(columns))
    sys.stderr.write(f"{listing.count}\n")
