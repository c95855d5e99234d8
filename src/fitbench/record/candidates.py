"""The runs that an ambiguous text fits, as the lines of a message."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from fitbench.config import parse_run_id
from fitbench.errors import FitbenchError
from fitbench.record.best import Value, validation_value
from fitbench.record.folder import State, state_of
from fitbench.record.matching import shortest
from fitbench.record.newest import changed, last_change, newest_first
from fitbench.record.reading import read_result
from fitbench.text import age, clean

NAMED = 10  # candidates that a message names at most


HEADS = ("name", "study", "run", "state", "age")


def listed(fitting: Collection[str], runs: Mapping[str, str]) -> str:
    """A line for each run that changed last: the shortest name, study, kind, state, age, primary validation metric.

    The study has no column where every name begins with it.

    Args:
        fitting: the names of the runs that fit, as `STUDY/RUN_ID`.
        runs: the folders of all runs by these names.
    """
    names = {runs[name]: name for name in fitting}
    shown = newest_first(names)[:NAMED]
    values = [_value(folder) for folder in shown]
    metrics = sorted({value.name for value in values if value is not None})
    rows = [
        (*_about(names[folder], folder, runs), _text(value, with_name=len(metrics) > 1))
        for folder, value in zip(shown, values, strict=True)
    ]
    rows.insert(0, (*HEADS, metrics[0] if len(metrics) == 1 else ""))
    if all("/" in name for name, *_ in rows[1:]):  # the names say the study
        rows = [(name, *others) for name, _, *others in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = [f"and {len(names) - NAMED:,} more"] * (len(names) > NAMED)
    return "".join(f"\n  {line}" for line in [*lines, *more])


def _about(name: str, folder: str, runs: Mapping[str, str]) -> tuple[str, ...]:
    study, _, run_id = name.rpartition("/")
    parsed = parse_run_id(run_id)
    kind = parsed.group.removesuffix(f"-{parsed.config_id}") if parsed else run_id
    try:
        since = changed(folder)
    except FitbenchError:  # `fitbench show` of that run says what is wrong
        since = last_change(folder)
    return tuple(
        map(clean, (shortest(name, runs), study, kind, state_of(Path(folder)).value, age(time.time() - since)))
    )


def _value(folder: str) -> Value | None:
    """The primary metric of a run on the validation part; None if it is not finished, or cannot be read."""
    if state_of(Path(folder)) is not State.finished:
        return None
    try:
        result = read_result(Path(folder))
    except FitbenchError:  # `fitbench show` of that run says what is wrong
        return None
    return validation_value(result, result["primary"])


def _text(value: Value | None, with_name: bool) -> str:
    if value is None:
        return "-"
    return f"{value.name} {value.text}" if with_name else value.text
