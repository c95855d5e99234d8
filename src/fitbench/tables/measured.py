"""The measurements of a table in run folders: one record for each row and seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fitbench import metrics, quantities, user_metrics
from fitbench.config import Config, config_id, each_fold
from fitbench.config.identity import PATHS, absolute, paths
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import EXAMPLES, Metric
from fitbench.record import reading
from fitbench.record.failure import error_line
from fitbench.record.files import exists
from fitbench.record.folder import State, folder_of, state_of
from fitbench.stderr import write_note
from fitbench.tables.definition import Row, Table
from fitbench.tables.results_file import DAMAGED, FILE, MISSING, NOT_EVALUATED, UNDEFINED, Record
from fitbench.text import clean


def read_runs(table: Table, configurations: Mapping[str, Config]) -> list[Record]:
    """A record for each run of each measured row, in their order, from the folders where they would be recorded.

    The result.json of a finished run is read. One that cannot be read is named on stderr; its run counts as unfinished.

    Raises:
        RequestError: as `check_definitions`.
    """
    records = []
    for row in table.rows:
        if row.measured:
            config = configurations[row.label]
            identity, name = config_id(config), row.measure.name
            records += [
                _read(folder, Record(row.label, name, identity, seed, fold, MISSING), row)
                for seed, fold, folder in runs(config, row)
            ]
    check_definitions(records, configurations)
    return records


def check_definitions(records: Iterable[Record], configurations: Mapping[str, Config]) -> None:
    """Refuse values of a metric that are of several definitions, or of another one than the configuration states.

    Raises:
        RequestError: the message names the definitions, and where each is from.
    """
    definitions: dict[str, dict[str, str]] = {}
    for record in records:
        found = definitions.setdefault(name := metrics.split(record.metric)[1], {})
        if record.definition and record.definition not in found:
            config = configurations[record.row]
            place = FILE if record.committed else str(run_folder(config, record.seed, record.fold))
            stated = {name: config.metrics.get(name)}
            if difference := user_metrics.redefined(stated, {name: record.definition}):
                raise RequestError(f"{place}: {difference}; give the metric as it is now another name")
            found[record.definition] = place
    for name, found in definitions.items():
        if len(found) > 1:
            texts = "".join(f"\n  {definition!r:.200}, such as {place}" for definition, place in found.items())
            anew = f"; --run --anew measures those of {FILE} anew" if FILE in found.values() else ""
            raise RequestError(f"{name} has different definitions in the runs of this table{anew}:{texts}")


def is_measured(folder: Path, name: str, config: Config) -> bool:
    """Whether a run is finished, has a metric of this name, and has its data where the configuration has them.

    Data that lie elsewhere may be others, which a launch looks at. A damaged result.json counts as measured.
    """
    if state_of(folder) is not State.finished:
        return False
    try:
        result = reading.read_result(folder)
    except FitbenchError:
        return True  # `read_runs` says so
    data = result["config"]["data"]
    recorded = {key: data.get(key.removeprefix("data.")) for key in PATHS}
    return name in result["metrics"] and absolute(recorded) == paths(config)


def runs(config: Config, row: Row) -> list[tuple[int, int | None, Path]]:
    """The seed and the fold of each run of a row with this configuration, and where it is recorded."""
    return [(seed, fold, run_folder(config, seed, fold)) for seed in row.seeds for fold in each_fold(row.folds)]


def run_folder(config: Config, seed: int, fold: int | None) -> Path:
    """Where the run of a configuration with this seed and this fold is recorded."""
    return folder_of(config.model_copy(update={"seed": seed, "fold": fold}))


def _read(folder: Path, about: Record, row: Row) -> Record:
    """The record of a run."""
    try:
        if not exists(folder):
            return about
        state = state_of(folder)
        if state is State.failed:
            return replace(about, state=state.value, reason=error_line(folder) or "")
        if state is not State.finished:
            return replace(about, state=state.value)
        result = reading.read_result(folder)
        if (name := row.measure.name) not in result["metrics"]:
            reason = f"{name} is not in result.json; fitbench table --run adds it"
            return replace(about, state=NOT_EVALUATED, reason=reason)
        definition = _definition(result, row.measure.metric)
        return replace(_finished(result, about, folder, row), definition=definition)
    except FitbenchError as error:
        reason = str(error).removeprefix(f"{folder}/")
        write_note(f"{clean(folder)} does not count: {clean(reason)}")
        return replace(about, state=DAMAGED, reason=reason)


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
