"""The columns of `fitbench runs`: which ones there are, with cells for people and values for CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.analysis.frame import quantities_of, varying
from fitbench.analysis.names import short_name
from fitbench.analysis.series import quantity_text
from fitbench.analysis.telling import default_keys
from fitbench.columns import Column, width
from fitbench.config import parse_run_id
from fitbench.quantities import Quantity
from fitbench.text import clean, console, shortened

if TYPE_CHECKING:
    import pandas as pd

STYLES = {"failed": "bold red", "pruned": "magenta", "running": "cyan", "interrupted": "yellow"}
CELLS = (40, 24, 16)  # characters of a text in a terminal: the first with which all columns fit, else the last
LONGEST_CELL = 200  # characters of a cell or heading of a table, also where it is written to a file or pipe
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def primary_columns(runs: pd.DataFrame) -> list[str]:
    """The columns with a value of the primary metrics of the runs, on the test and the validation part."""
    primary = runs["primary"].dropna().unique().tolist()
    names = [metrics.join(part, metric) for metric in primary for part in ("test", "val")]
    return _with_values(runs, [f"metrics.{name}" for name in names])


def needed_columns(runs: pd.DataFrame) -> list[str]:
    """The columns that a terminal which is too narrow drops after all others."""
    return [*_with_values(runs, ["fold"]), *primary_columns(runs)]


def _with_values(runs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in runs and runs[name].notna().any()]


def _results(runs: pd.DataFrame) -> list[str]:
    """The columns of the results that matter most: the primary metrics of the runs, the test loss, the time."""
    return _with_values(runs, [*primary_columns(runs), "metrics.test_loss", "timing.seconds"])


def usual_columns(chosen: pd.DataFrame) -> list[str]:
    """What a person sees without --columns: what tells the runs apart, the results that matter most, what else varies.

    A terminal that is too narrow drops the last ones, and `needed_columns` after all others.
    """
    varies = varying(chosen)
    keys = default_keys(chosen) if varies else []
    study = ["study"] if chosen["study"].nunique() > 1 else []
    names = ["state", *study, "run_id", *_with_values(chosen, ["fold"]), *keys, *_results(chosen), "age", *varies]
    return list(dict.fromkeys(names))


def is_missing(value: Any) -> bool:
    """Whether a run lacks the value: None, NaN or NaT."""
    return value is None or value != value  # noqa: PLR0124 - NaN and NaT differ from themselves


def cell(name: str, value: Any, quantity: Quantity | None) -> str:
    """A value as people read it. `quantity` is what the column holds, None if that is no quantity."""
    if is_missing(value):
        return "-"
    if name == "age":
        return _age(value)
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


def _age(seconds: float) -> str:
    """As 12 s, 5 min, 3 h or 2 d."""
    for unit, text in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {text}"
    return f"{max(seconds, 0):.0f} s"


def _plain(value: Any, quantity: Quantity | None) -> Any:
    """A value in JSON's own types: counts without a point, times as result.json has them."""
    if is_missing(value):
        return None
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
                [cell(name, value, quantities.get(name)) for value in values] if for_people else [],
                right=is_number,
                spare=order[name] or None,
                key=not is_number,
                values={} if for_people else {name: [_plain(value, quantities.get(name)) for value in values]},
                styles=[STYLES.get(value, "") for value in values] if name == "state" else (),
            )
        )
    return columns


def clipped(columns: Sequence[Column]) -> list[Column]:
    """The columns with headings and cells of `LONGEST_CELL` characters at most, with an ellipsis where they are cut."""
    return [replace(each, head=_clip(each.head), cells=list(map(_clip, each.cells))) for each in columns]


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def shortened_cells(columns: list[Column], runs: pd.DataFrame) -> list[Column]:
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
    names = map(parse_run_id, run_ids)
    short = [f"…{name._replace(group=name.config_id)}" for name in names if name and name.config_id]
    return short if len(short) == len(run_ids) and len(set(short)) == len(set(run_ids)) else None
