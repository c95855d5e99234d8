"""The measurements of a table: one record for each row and seed, from the run folders or from results.csv."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fitbench import columns, quantities
from fitbench.columns import Column
from fitbench.config import Config, config_id, each_fold
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import EXAMPLES, Metric
from fitbench.record import reading
from fitbench.record.failure import error_line
from fitbench.record.files import exists
from fitbench.record.folder import State, folder_of, state_of
from fitbench.tables.definition import Row, Table
from fitbench.text import clean

FILE = "results.csv"
REMEDY = "fitbench table --write writes this file; restore it from git"
NEEDED = ("row", "metric", "config_id", "seed", "fold", "state", "value")  # columns of every results.csv
MISSING, DAMAGED, NOT_EVALUATED, UNDEFINED = "missing", "damaged", "not evaluated", "undefined"


@dataclass(frozen=True)
class Record:
    """One run of a row: of a seed, or of a seed and a fold.

    Attributes:
        row: the label.
        metric: the name in result.json, as 'test_accuracy'.
        config_id, seed, fold: of the run.
        state: that of the run; or 'missing' without a folder, 'damaged' if the run is finished and result.json cannot
            be read, 'not evaluated' if it lacks the metric, 'undefined' if the metric is null there.
        value: the metric's value. It and all that follows is None or '' where the run has not finished.
        test_examples: how many examples the value was measured on.
        bootstrap_deviation: the standard deviation of the value over samples of the test examples; None for a
            proportion, and where the claim is on the same test examples.
        threads: how many CPU threads the run computed with; '' where it has not recorded them.
        reason: why a run failed or is damaged, or why there is no bootstrap.
        committed: whether it is from results.csv, and not from a run folder; no column of results.csv.
    """

    row: str
    metric: str
    config_id: str
    seed: int
    fold: int | None
    state: str
    value: float | None = None
    test_examples: int | None = None
    bootstrap_deviation: float | None = None
    parameters: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    data_sha256: str = ""
    device: str = ""
    threads: str = ""
    versions: str = ""
    commit: str = ""
    finished_at: str = ""
    reason: str = ""
    committed: bool = False


def read_runs(table: Table, configurations: Mapping[str, Config]) -> list[Record]:
    """A record for each run of each measured row, in their order, from the folders where they would be recorded.

    Of a finished run result.json is read. One that cannot be read is named on stderr, and counts as not finished.

    Raises:
        RequestError: the runs have different definitions of the metric.
    """
    records = []
    definitions: dict[str, dict[str, Path]] = {}
    for row in table.rows:
        if row.measured:
            config = configurations[row.label]
            identity, name = config_id(config), row.measure.name
            for seed, fold, folder in runs(config, row):
                record, definition = _read(folder, Record(row.label, name, identity, seed, fold, MISSING), row)
                records.append(record)
                if definition is not None:
                    definitions.setdefault(row.measure.metric.name, {}).setdefault(definition, folder)
    for name, found in definitions.items():
        if len(found) > 1:
            texts = "".join(f"\n  {definition!r:.200}, such as {folder}" for definition, folder in found.items())
            raise RequestError(f"{name} has different definitions in the runs of this table:{texts}")
    return records


def has_value(folder: Path, name: str) -> bool:
    """Whether the result of a finished run has a metric of this name; also where result.json cannot be read."""
    try:
        return name in reading.read_result(folder)["metrics"]
    except FitbenchError:
        return True  # `read_runs` says so


def runs(config: Config, row: Row) -> list[tuple[int, int | None, Path]]:
    """The seed and the fold of each run of a row with this configuration, and where it is recorded."""
    return [(seed, fold, run_folder(config, seed, fold)) for seed in row.seeds for fold in each_fold(row.folds)]


def run_folder(config: Config, seed: int, fold: int | None) -> Path:
    """Where the run of a configuration with this seed and this fold is recorded."""
    return folder_of(config.model_copy(update={"seed": seed, "fold": fold}))


def _read(folder: Path, about: Record, row: Row) -> tuple[Record, str | None]:
    """The record of a run, and the definition of the metric that the run has."""
    try:
        if not exists(folder):
            return about, None
        state = state_of(folder)
        if state is State.failed:
            return replace(about, state=state.value, reason=error_line(folder) or ""), None
        if state is not State.finished:
            return replace(about, state=state.value), None
        result = reading.read_result(folder)
        if (name := row.measure.name) not in result["metrics"]:
            reason = f"{name} is not in result.json; fitbench table --run adds it"
            return replace(about, state=NOT_EVALUATED, reason=reason), None
        definition = _definition(result, row.measure.metric)
        return _finished(result, about, folder, row), definition
    except FitbenchError as error:
        reason = str(error).removeprefix(f"{folder}/")
        sys.stderr.write(f"fitbench: {clean(folder)} does not count: {clean(reason)}\n")
        return replace(about, state=DAMAGED, reason=reason), None


def _definition(result: Mapping[str, Any], metric: Metric) -> str:
    """The definition of the table's metric in a run.

    Raises:
        FitbenchError: the run has another direction or range of the metric than the table.
    """
    name = metric.name
    recorded = quantities.from_info(name, result["metric_info"].get(name))
    for key in ("direction", "low", "high", "proportion"):
        value, expected = getattr(recorded, key), getattr(metric, key)
        if value != expected:
            raise FitbenchError(f"result.json: {key} of metric_info.{name} is {value}; the table has {expected}")
    return recorded.definition


def _finished(result: Mapping[str, Any], about: Record, folder: Path, row: Row) -> Record:
    if result["run_id"] != folder.name:
        raise FitbenchError(f"result.json is that of another run, {result['run_id']!r:.80}")
    name, metric = row.measure.name, row.measure.metric
    value = result["metrics"][name]
    if value is None and not metric.proportion:
        return replace(about, state=UNDEFINED, reason=f"{name} is null in result.json")
    if value is None or not metric.low <= value <= metric.high:
        expected = f"a number from {metric.low:g} to {metric.high:g}"
        raise FitbenchError(f"result.json: metrics.{name} is {value!r:.80}; expected {expected}")
    part = EXAMPLES[row.measure.part]
    if result["data"][part] < 1:
        raise FitbenchError(f"result.json: data.{part} is {result['data'][part]}; expected at least one example")
    versions, git = result.get("versions", {}), result.get("git") or {}
    commit, dirty = git.get("commit"), git.get("dirty")
    return replace(
        about,
        state=State.finished.value,
        value=float(value),
        test_examples=result["data"][part],
        parameters=result["parameters"],
        seconds=float(result["timing"]["seconds"]),
        epochs=result["metrics"]["epochs"],
        data_sha256=result["data"]["sha256"],
        device=result["device"],
        threads=str(result.get("threads") or ""),
        versions=", ".join(f"{name} {version}" for name, version in versions.items() if version is not None),
        commit=f"{commit:.12}{' and changes' if dirty else ''}" if commit is not None else "",
        finished_at=result["finished_at"],
    )


# -- results.csv ------------------------------------------------------------------------------------------------------


def as_csv(records: Sequence[Record]) -> str:
    """The records as CSV, one line each; numbers in full."""
    names = [field.name for field in fields(Record) if field.name != "committed"]
    values = {name: [getattr(record, name) for record in records] for name in names}
    return columns.as_csv([Column("", [], values=values)], clean)


def read_csv(path: Path) -> list[Record]:
    """The records of a results.csv. An empty field is the default of its attribute.

    Raises:
        FitbenchError: it cannot be read, or it is not what fitbench wrote.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
                raise FitbenchError(f"{path}: not a results.csv: its first line lacks {', '.join(missing)}; {REMEDY}")
            lines = [{key: value for key, value in line.items() if value} for line in reader]
        if longer := [number for number, line in enumerate(lines, 2) if None in line]:
            raise FitbenchError(f"{path}: line {longer[0]} has more fields than the first line; {REMEDY}")
        return TypeAdapter(list[Record]).validate_python([{"fold": None, **line} for line in lines])
    except (OSError, UnicodeError, csv.Error) as error:
        raise FitbenchError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = f"line {int(first['loc'][0]) + 2}, {first['loc'][-1]}"
        raise FitbenchError(f"{path}: {place}: {first['msg']}; {REMEDY}") from error
