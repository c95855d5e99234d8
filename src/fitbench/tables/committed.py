"""The runs that results.csv has, committed beside table.yaml: they stand in for runs that have no folder here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fitbench.config import Config, config_id
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.folder import State
from fitbench.stderr import write_note
from fitbench.tables.definition import Table
from fitbench.tables.measured import check_definitions, read_runs
from fitbench.tables.results_file import FILE, MISSING, REMEDY, UNDEFINED, Record, read_csv, unknown_columns
from fitbench.text import clean, counted, first_of

KEPT = (State.failed.value, UNDEFINED)  # states of runs without a value that results.csv keeps
MEASURED = (State.finished.value, UNDEFINED)  # states of runs that need not be trained

RunKey = tuple[str, int, int | None]  # the label of a row, the seed, the fold
Value = tuple[str, str, int, int | None]  # the configuration, the metric, the seed, the fold


def with_committed(table: Table, records: Sequence[Record], configurations: Mapping[str, Config]) -> list[Record]:
    """The records, with those of results.csv in place of runs that are not recorded here.

    A record of results.csv counts if its run has the configuration, the seed and the fold of this one. Its label may be
    another. A run folder counts before results.csv, unless it has no value. Where the bootstrap of a run folder cannot
    be computed, its deviation is that of results.csv. A run that failed or has no defined value stands in for a missing
    one.

    Args:
        table: the table.
        records: those of its runs.
        configurations: of each measured row by its label.

    Raises:
        FitbenchError: results.csv is damaged.
        RequestError: as `measured.check_definitions`.
    """
    committed: dict[Value, list[Record]] = {}
    finished, others = _read(table)
    for record in finished:
        committed.setdefault(_value_of(record), []).append(record)
    without_value = {_value_of(record): record for record in others if record.state in KEPT}
    merged = []
    for record in records:
        known = committed.get(_value_of(record), [])
        if record.state == State.finished.value:
            merged.append(_with_deviation(record, known) if record.reason else record)
        elif known:
            merged.append(replace(_nearest(record.row, known), row=record.row, committed=True))
        elif record.state == MISSING and (other := without_value.get(_value_of(record))):
            merged.append(replace(other, row=record.row, committed=True))
        else:
            merged.append(record)
    check_definitions(merged, configurations)
    return merged


def _nearest(label: str, records: Sequence[Record]) -> Record:
    """The record of this label among those of one value, or else one with the bootstrap's deviation if there is any."""
    return min(records, key=lambda record: (record.row != clean(label), record.bootstrap_deviation is None))


def _with_deviation(record: Record, known: Sequence[Record]) -> Record:
    """A finished record without a bootstrap with the deviation that results.csv has of the same value, if any."""

    def identity(one: Record) -> tuple[float | None, str, str]:
        return one.value, one.data_sha256, one.definition

    for one in known:
        if one.bootstrap_deviation is not None and identity(one) == identity(record):
            return replace(record, bootstrap_deviation=one.bootstrap_deviation, reason="")
    return record


def committed_runs(table: Table, configurations: Mapping[str, Config]) -> set[RunKey]:
    """The runs of which results.csv has every metric of their row, but for those that a run folder has.

    Raises:
        FitbenchError: results.csv is damaged.
        RequestError: as `with_committed`.
    """
    if not any(_read(table)):
        return set()
    by_run: dict[RunKey, list[Record]] = {}
    for record in with_committed(table, read_runs(table, configurations), configurations):
        by_run.setdefault((record.row, record.seed, record.fold), []).append(record)
    return {
        run
        for run, of_run in by_run.items()
        if any(record.committed for record in of_run) and all(record.state in MEASURED for record in of_run)
    }


def with_kept(table: Table, records: Sequence[Record], configurations: Mapping[str, Config]) -> list[Record]:
    """The records, and behind them those of results.csv that are of a row's configuration, but of none of its runs.

    They are of further seeds or of another metric, and have the label that the row has now. Those of configurations
    that no row has are named on stderr, and are not among the records.

    Raises:
        FitbenchError: results.csv is damaged, or has columns that only a newer version knows.
        RequestError: a row would lose what results.csv has of it, and has no run of its configuration.
    """
    committed, path = read_committed(table), table.folder / FILE
    if committed and (unknown := unknown_columns(path)):
        raise FitbenchError(
            f"{path} has columns that this version of fitbench does not know, and would lose: {first_of(unknown)}; "
            "use the version that has written the file, or remove the columns"
        )
    labels: dict[str, list[str]] = {}
    for label, config in configurations.items():
        labels.setdefault(config_id(config), []).append(label)
    own = {_value_of(record) for record in records}
    kept: dict[tuple[str, Value], Record] = {}
    dropped: dict[tuple[str, str], set[tuple[int, int | None]]] = {}
    for record in committed:
        if (of_rows := labels.get(record.config_id)) is None:
            dropped.setdefault((record.row, record.config_id), set()).add((record.seed, record.fold))
        elif _value_of(record) not in own:
            label = record.row if record.row in map(clean, of_rows) else of_rows[0]
            kept.setdefault((label, _value_of(record)), replace(record, row=label))
    finished = {clean(record.row) for record in records if record.state == State.finished.value}
    for (label, identity), of_row in dropped.items():
        if label not in finished and label in map(clean, configurations):
            raise RequestError(
                f"{path} has {counted(len(of_row), 'run')} of {label!r} with other settings, and no run with "
                "the present settings is finished; give --run first, or remove their lines from the file"
            )
        write_note(
            f"{FILE}: no row has the configuration {identity} of {clean(label)!r} now; its "
            f"{counted(len(of_row), 'run')} {'is' if len(of_row) == 1 else 'are'} left out"
        )
    return [*records, *kept.values()]


def read_committed(table: Table) -> list[Record]:
    """The records of finished runs in the table's results.csv; none where there is no such file.

    Raises:
        FitbenchError: results.csv is damaged.
    """
    finished, _ = _read(table)
    return finished


def _read(table: Table) -> tuple[list[Record], list[Record]]:
    """The records of finished runs in results.csv, and those of others.

    Raises:
        FitbenchError: as `read_committed`.
    """
    path = table.folder / FILE
    if not path.is_file():
        return [], []
    others = []
    ranges = {measure.name: (measure.metric.low, measure.metric.high) for measure in table.measures}
    found: dict[Value, dict[str, Record]] = {}
    for line, stated in enumerate(read_csv(path), 2):
        record = stated if stated.metric else replace(stated, metric=_only_metric(table, stated.row))
        try:
            if _has_value(record, *ranges.get(record.metric, (-math.inf, math.inf))):
                _add(record, found.setdefault(_value_of(record), {}))
            else:
                others.append(record)
        except ValueError as error:
            raise FitbenchError(f"{path}: line {line}{error}; {REMEDY}") from None
    return [record for of_value in found.values() for record in of_value.values()], others


def _only_metric(table: Table, label: str) -> str:
    """The metric of a results.csv without a column for it: that of the row, or of the whole table; '' of several."""
    names = {measure.name for measure in table.measures_of(label) or table.measures}
    return names.pop() if len(names) == 1 else ""


def _has_value(record: Record, low: float, high: float) -> bool:
    """Whether a record of results.csv is that of a finished run.

    Raises:
        ValueError: it contradicts itself, or its value is not in this range.
    """
    value, is_finished = record.value, record.state == State.finished.value
    if not record.metric:
        raise ValueError(" has no metric, of which this table has several")
    if value is not None and not is_finished:
        raise ValueError(f" has a value, and its state is {clean(record.state)!r}; expected {State.finished.value!r}")
    if is_finished and (value is None or not math.isfinite(value) or not low <= value <= high):
        raise ValueError(f", value is {value}; expected {_expected(low, high)}")
    return is_finished


def _add(record: Record, of_value: dict[str, Record]) -> None:
    """Add a record to those of the same value by their labels.

    Raises:
        ValueError: one has the same label, or another number.
    """
    if record.row in of_value:
        raise ValueError(" is of the same run as another line")
    if other := next((one for one in of_value.values() if one.value != record.value), None):
        raise ValueError(f", value is {record.value}; another line of the same run has {other.value}")
    of_value[record.row] = record


def _expected(low: float, high: float) -> str:
    return "a number" if math.isinf(low) and math.isinf(high) else f"a number from {low:g} to {high:g}"


def _value_of(record: Record) -> Value:
    return record.config_id, record.metric, record.seed, record.fold
