"""The columns of `fitbench runs`: which ones there are, with cells for people and values for CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.analysis.frame import quantities_of, varying
from fitbench.analysis.names import short_name
from fitbench.analysis.progress import EPOCH, LEFT
from fitbench.analysis.rows import is_configuration
from fitbench.analysis.series import quantity_text
from fitbench.analysis.telling import default_keys, readable, searched, short_texts
from fitbench.columns import Column, fitting, width
from fitbench.config import parse_run_id
from fitbench.quantities import Quantity
from fitbench.record.folder import State
from fitbench.text import age, clean, console, shortened

if TYPE_CHECKING:
    import pandas as pd

STYLES = {"failed": "bold red", "pruned": "magenta", "running": "cyan", "interrupted": "yellow"}
PIPED = 160  # columns of a table in a file or pipe, unless --columns is given
CELLS = (40, 24, 16)  # characters of a text in a terminal: the first with which all columns fit, else the last
PRIMARY = "primary value"  # of runs with several primary metrics: that of each on the test part, or else validation
NAMING = ("data.name", "model.name")  # what a run_id says of a configuration before its config_id
SPARSE = 0.5  # of the rows have a value in a setting that a terminal drops before the others
LONGEST_CELL = 200  # characters of a cell or heading of a table, also where it is written to a file or pipe


def primary_columns(runs: pd.DataFrame) -> list[str]:
    """The columns with a value of the primary metrics of the runs, on the test and the validation part.

    Where runs are being trained, which have no test value, the validation part comes first.
    """
    parts = ("val", "test") if (runs["state"] == State.running.value).any() else ("test", "val")
    primary = runs["primary"].dropna().unique().tolist()
    names = [metrics.join(part, metric) for metric in primary for part in parts]
    return _with_values(runs, [f"metrics.{name}" for name in names])


def add_primary(frame: pd.DataFrame) -> None:
    """Add the column `PRIMARY` to a frame from `load_runs` of several primary metrics: names and values as text.

    The name of a metric alone means the test part.
    """
    if frame["primary"].nunique() < 2:
        return
    quantities, texts = quantities_of(frame), np.full(len(frame), None, dtype=object)
    for primary in frame["primary"].dropna().unique().tolist():
        for name in (metrics.join(part, primary) for part in ("val", "test")):  # the last one counts
            column = f"metrics.{name}"
            if column in frame:
                rows = np.flatnonzero((frame["primary"] == primary) & frame[column].notna())
                values = frame[column].to_numpy()[rows].tolist()
                texts[rows] = [
                    f"{name.removeprefix('test_')} {cell(column, value, quantities.get(column))}" for value in values
                ]
    frame[PRIMARY] = texts


def _with_values(runs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in runs and runs[name].notna().any()]


def _study(runs: pd.DataFrame) -> list[str]:
    return ["study"] if runs["study"].nunique() > 1 else []


def _keys(runs: pd.DataFrame) -> list[str]:
    """What tells the configurations of the runs apart, the parameters of a search first."""
    keys = default_keys(runs) if varying(runs) else []
    first = [name for name in searched(runs) if name in keys] if runs["study"].nunique() == 1 else []
    return list(dict.fromkeys([*first, *keys]))


def usual_columns(runs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What a person sees without --columns, and the most needed of these columns, which a terminal drops last.

    They are what tells the runs apart, the results that matter most, and what else varies and repeats no column.
    """
    study, keys = _study(runs), _keys(runs)
    results = [PRIMARY] if runs["primary"].nunique() > 1 else primary_columns(runs)
    of_metrics = {metrics.split(name.removeprefix("metrics."))[1]: name for name in reversed(results)}
    naming = [name for name in NAMING if name in keys]
    first = ["run_id", *naming, *study] if PRIMARY in results else [*study, "run_id"]
    needed = [*first, *_with_values(runs, ["fold", EPOCH]), *of_metrics.values(), "age"]
    progress, tags, note = (_with_values(runs, names) for names in (["fold", EPOCH, LEFT], ["tags"], ["note"]))
    results = _with_values(runs, [*results, "metrics.test_loss", "timing.seconds"])
    varies = [readable(runs, name) for name in varying(runs)]
    varies = [name for name in varies if not any(runs[name].equals(runs[key]) for key in keys)]
    names = ["state", *study, "run_id", *progress, *keys, *tags, *results, "age", *note, *varies]
    needed = [names[0], *needed, *sorted([*keys, *names], key=lambda name: runs[name].notna().mean() < SPARSE)]
    return list(dict.fromkeys(names)), list(dict.fromkeys(needed))


def is_missing(value: Any) -> bool:
    """Whether a run lacks the value: None, NaN or NaT."""
    return value is None or value != value  # noqa: PLR0124 - NaN and NaT differ from themselves


def cell(name: str, value: Any, quantity: Quantity | None) -> str:
    """A value as people read it. `quantity` is what the column holds, None if that is no quantity."""
    if is_missing(value):
        return "-"
    if name == "age":
        return age(value)
    if name == "tags":
        return tags_text(value)
    if name == "note":
        return clean(" ".join(value.split()))
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if not isinstance(value, (int, float, np.number)):
        return clean(value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M}")
    value = float(value)
    if quantity is not None:
        return quantity_text(quantity, value)
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}" if name.startswith("dataset.") else str(int(value))
    return f"{value:.6g}"


def tags_text(value: str) -> str:
    """The tags of a run, which a frame has as JSON, as in 'bad, paper'."""
    return ", ".join(map(clean, json.loads(value)))


def _plain(name: str, value: Any, quantity: Quantity | None) -> Any:
    """A value in JSON's own types: counts without a point, times as result.json has them, tags as a list."""
    if is_missing(value):
        return None
    if name == "tags":
        return json.loads(value)
    if isinstance(value, float):
        is_count = value.is_integer() and (quantity is None or not quantity.digits)
        return int(value) if is_count else value
    return value if isinstance(value, (str, bool, int)) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def columns_of(
    frame: pd.DataFrame, runs: pd.DataFrame, names: Sequence[str], for_people: bool, needed: Sequence[str] = ()
) -> list[Column]:
    """The columns of these runs, with cells for people, or with values for CSV and JSON: either takes its time.

    The first column and the `needed` are the last ones that a terminal drops for want of room.
    """
    quantities = quantities_of(frame)
    order = {name: place for place, name in enumerate(dict.fromkeys([*names[:1], *needed, *names]))}
    columns = []
    for name in names:
        values = runs[name].tolist()
        is_number = runs[name].dtype.kind in "if"
        columns.append(
            Column(
                clean(short_name(frame, name)),
                _cells(name, values, quantities.get(name)) if for_people else [],
                right=is_number,
                spare=order[name] or None,
                key=not is_number and name != PRIMARY,
                values={} if for_people else {name: [_plain(name, value, quantities.get(name)) for value in values]},
                styles=[STYLES.get(value, "") for value in values] if name == "state" else (),
            )
        )
    return columns


def _cells(name: str, values: Sequence[Any], quantity: Quantity | None) -> list[str]:
    """The values of a column as people read them; those of the configuration as short as they are told apart."""
    if not is_configuration(name):
        return [cell(name, value, quantity) for value in values]
    different = {(type(value), value): None for value in values if not is_missing(value)}  # True is 1 otherwise
    texts = dict(zip(different, map(clean, short_texts([value for _, value in different])), strict=True))
    return [texts.get((type(value), value), "-") for value in values]


def clipped(columns: Sequence[Column]) -> list[Column]:
    """The columns with headings and cells of `LONGEST_CELL` characters at most, with an ellipsis where they are cut."""
    return [replace(each, head=_clip(each.head), cells=list(map(_clip, each.cells))) for each in columns]


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def bounded(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns that a file or pipe gets, whole, and the headings of the others; a terminal gets what it can show."""
    if console().is_terminal:
        return columns, []
    kept, dropped = fitting(columns, PIPED)
    return kept, [column.head for column in dropped]


def shortened_cells(columns: list[Column], runs: pd.DataFrame) -> list[Column]:
    """The columns with run_ids and texts as short as it takes to have them all in a terminal."""
    out = console()
    if not out.is_terminal:
        return columns
    told = [short_name(runs, name) for name in NAMING if runs[name].nunique() > 1]
    is_told = {column.head for column in columns}.issuperset(told)
    short = _short_run_ids(runs["run_id"].tolist()) if is_told else None
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
    short = [name.short for name in map(parse_run_id, run_ids) if name and name.config_id]
    return short if len(short) == len(run_ids) and len(set(short)) == len(set(run_ids)) else None
