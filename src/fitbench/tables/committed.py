"""The runs that results.csv has, committed beside table.yaml: they stand in for runs that have no folder here."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fitbench.config import Config, config_id
from fitbench.errors import FitbenchError
from fitbench.record.folder import State
from fitbench.tables.definition import Table
from fitbench.tables.measured import FILE, REMEDY, Record, read_csv, read_runs
from fitbench.text import clean, counted

RunKey = tuple[str, int, int | None]  # the label of a row, the seed, the fold


def with_committed(table: Table, records: Sequence[Record]) -> list[Record]:
    """The records, with those of results.csv in place of runs that are not recorded here.

    A record of results.csv counts if its run has the configuration, the seed and the fold of this one. Its label may be
    another. A run folder counts before results.csv, unless the run has not finished.

    Raises:
        FitbenchError: results.csv is damaged.
    """
    committed = {_run_of(record): record for record in read_committed(table)}
    merged = []
    for record in records:
        known = None if record.state == State.finished.value else committed.get(_run_of(record))
        merged.append(record if known is None else replace(known, row=record.row, committed=True))
    return merged


def committed_runs(table: Table, configurations: Mapping[str, Config]) -> set[RunKey]:
    """The runs of which results.csv has every metric of their row, and a run folder has none.

    Raises:
        FitbenchError: results.csv is damaged.
    """
    if not read_committed(table):
        return set()
    by_run: dict[RunKey, list[bool]] = {}
    for record in with_committed(table, read_runs(table, configurations)):
        by_run.setdefault((record.row, record.seed, record.fold), []).append(record.committed)
    return {run for run, committed in by_run.items() if all(committed)}


def with_kept(table: Table, records: Sequence[Record], configurations: Mapping[str, Config]) -> list[Record]:
    """The records, and behind them those of results.csv that are of a row's configuration, but of none of its runs.

    They are of further seeds or of another metric, and have the label that the row has now. Those of configurations
    that no row has are named on stderr, and are not among the records.

    Raises:
        FitbenchError: results.csv is damaged.
    """
    labels: dict[str, list[str]] = {}
    for label, config in configurations.items():
        labels.setdefault(config_id(config), []).append(label)
    own = {_run_of(record) for record in records}
    kept: list[Record] = []
    dropped: dict[tuple[str, str], set[tuple[int, int | None]]] = {}
    for record in read_committed(table):
        if (of_rows := labels.get(record.config_id)) is None:
            dropped.setdefault((record.row, record.config_id), set()).add((record.seed, record.fold))
        elif _run_of(record) not in own:
            kept.append(record if record.row in of_rows else replace(record, row=of_rows[0]))
    for (label, identity), of_row in dropped.items():
        sys.stderr.write(
            f"fitbench: {FILE}: no row has the configuration {identity} of {clean(label)!r} now; its "
            f"{counted(len(of_row), 'run')} {'is' if len(of_row) == 1 else 'are'} left out\n"
        )
    return [*records, *kept]


def read_committed(table: Table) -> list[Record]:
    """The records of finished runs in the table's results.csv; none where there is no such file.

    Raises:
        FitbenchError: results.csv is damaged.
    """
    path = table.folder / FILE
    if not path.is_file():
        return []
    metrics = {measure.name: measure.metric for measure in table.measures}
    found: dict[tuple[str, ...], Record] = {}
    for line, record in enumerate(read_csv(path), 2):
        if record.state != State.finished.value:
            continue
        metric, value = metrics.get(record.metric), record.value
        low, high = (-math.inf, math.inf) if metric is None else (metric.low, metric.high)
        if value is None or not math.isfinite(value) or not low <= value <= high:
            raise FitbenchError(f"{path}: line {line}, value is {value}; expected {_expected(low, high)}; {REMEDY}")
        run = (record.row, *map(str, _run_of(record)))
        if run in found:
            raise FitbenchError(f"{path}: line {line} is of the same run as another line; {REMEDY}")
        found[run] = record
    return list(found.values())


def _expected(low: float, high: float) -> str:
    return "a number" if math.isinf(low) and math.isinf(high) else f"a number from {low:g} to {high:g}"


def _run_of(record: Record) -> tuple[str, str, int, int | None]:
    return record.config_id, record.metric, record.seed, record.fold
