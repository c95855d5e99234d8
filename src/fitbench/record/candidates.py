"""The runs that an ambiguous text fits, as the lines of a message."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from fitbench.config import parse_run_id
from fitbench.errors import FitbenchError
from fitbench.record.best import validation_value
from fitbench.record.folder import State, state_of
from fitbench.record.matching import shortest
from fitbench.record.newest import changed, last_change, newest_first
from fitbench.record.reading import read_result
from fitbench.text import age, clean

NAMED = 10  # candidates that a message names at most


def listed(fitting: Collection[str], runs: Mapping[str, str]) -> str:
    """A line for each run that changed last: the shortest name, study, kind, state, age, primary validation metric.

    Args:
        fitting: the names of the runs that fit, as `STUDY/RUN_ID`.
        runs: the folders of all runs by these names.
    """
    names = {runs[name]: name for name in fitting}
    rows = [_row(names[folder], folder, runs) for folder in newest_first(names)[:NAMED]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = [f"and {len(names) - NAMED:,} more"] * (len(names) > NAMED)
    return "".join(f"\n  {line}" for line in [*lines, *more])


def _row(name: str, folder: str, runs: Mapping[str, str]) -> tuple[str, ...]:
    study, _, run_id = name.rpartition("/")
    parsed = parse_run_id(run_id)
    kind = parsed.group.removesuffix(f"-{parsed.config_id}") if parsed else run_id
    state, value = state_of(Path(folder)), ""
    try:
        since = changed(folder)
        if state is State.finished:
            result = read_result(Path(folder))
            metric = validation_value(result, result["primary"])
            value = f"{metric.name} {metric.text}"
    except FitbenchError:  # `fitbench show` of that run says what is wrong
        since, value = last_change(folder), "cannot be read"
    return tuple(map(clean, (shortest(name, runs), study, kind, state.value, age(time.time() - since), value)))
