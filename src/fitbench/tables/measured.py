"""What has been measured for a table: one record for each row and seed, from the run folders or from results.csv."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from fitbench.config import Config, config_id
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.record.folder import State, folder_of, state_of
from fitbench.tables.definition import Table
from fitbench.text import clean

FILE = "results.csv"
MISSING, DAMAGED = "missing", "damaged"
STATES = (*(state.value for state in State), MISSING, DAMAGED)
EXAMPLES = {"test": "test", "val": "validation", "train": "train"}  # of a metric's part, where result.json counts them
ERROR_BYTES = 65_536  # of error.txt that are read, from its end


@dataclass(frozen=True)
class Record:
    """One seed of a row, or one fold of it. `value` is an accuracy; what only a finished run has is None for others.

    `test_examples` is the number of examples that `value` was measured on. `state` is that of the run, or 'missing'
    without a folder, or 'damaged' where it says it is finished and cannot be read. `reason` says why a run failed or
    is damaged.
    """

    row: str
    config_id: str
    seed: int
    fold: int | None
    state: str
    value: float | None = None
    test_examples: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    data_sha256: str = ""
    device: str = ""
    versions: str = ""
    commit: str = ""
    finished_at: str = ""
    reason: str = ""


def read_runs(table: Table, configurations: Mapping[str, Config]) -> list[Record]:
    """A record for each measured row and seed, in their order, from the folders where the runs would be recorded.

    Of a finished run result.json is read. One that cannot be read is named on stderr, and counts as not finished.
    """
    records = []
    for row in table.rows:
        if row.measured:
            config = configurations[row.label]
            identity = config_id(config)
            for seed, folder in zip(row.seeds, folders(config, row.seeds), strict=True):
                records.append(_read(folder, Record(row.label, identity, seed, None, MISSING), table.metric))
    return records


def folders(config: Config, seeds: Sequence[int]) -> list[Path]:
    """Where the runs of a configuration with these seeds are recorded."""
    folder = folder_of(config)
    stem = folder.name.removesuffix(f"s{config.seed}")
    return [folder.with_name(f"{stem}s{seed}") for seed in seeds]


def _read(folder: Path, about: Record, metric: str) -> Record:
    try:
        if not folder.is_dir():
            return about
        state = state_of(folder)
        if state is State.failed:
            return replace(about, state=state.value, reason=_last_line(folder / "error.txt"))
        if state is not State.finished:
            return replace(about, state=state.value)
        return _finished(reading.read_result(folder), about, folder, metric)
    except (FitbenchError, OSError, RecursionError) as error:
        reason = str(error).removeprefix(f"{folder}/") or type(error).__name__
        sys.stderr.write(f"fitbench: {clean(folder)} does not count: {clean(reason)}\n")
        return replace(about, state=DAMAGED, reason=reason)


def _finished(result: Mapping[str, Any], about: Record, folder: Path, metric: str) -> Record:
    if result["run_id"] != folder.name:
        raise FitbenchError(f"result.json is that of another run, {result['run_id']!r:.80}")
    value = result["metrics"].get(metric)
    if value is None or not 0 <= value <= 1:
        raise FitbenchError(f"result.json: metrics.{metric} is {value!r}; expected an accuracy from 0 to 1")
    part = EXAMPLES[metric.partition("_")[0]]
    if result["data"][part] < 1:
        raise FitbenchError(f"result.json: data.{part} is {result['data'][part]}; expected at least one example")
    versions, git = (result.get(name) for name in ("versions", "git"))
    commit = git.get("commit") if isinstance(git, dict) else None
    dirty = isinstance(git, dict) and git.get("dirty") is True
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
        versions=", ".join(f"{name} {version}" for name, version in versions.items() if isinstance(version, str))
        if isinstance(versions, dict)
        else "",
        commit=f"{commit:.12}{' and changes' if dirty else ''}" if isinstance(commit, str) else "",
        finished_at=result["finished_at"],
    )


def _last_line(path: Path) -> str:
    """The line of error.txt that says what failed; '' of a file that has just gone."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - ERROR_BYTES))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1].strip() if lines else ""


# -- results.csv ------------------------------------------------------------------------------------------------------


def as_csv(records: Sequence[Record]) -> str:
    """The records as CSV, one line each; numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(Record))
    for record in records:
        writer.writerow("" if value is None else clean(value) for value in asdict(record).values())
    return out.getvalue()


def read_csv(path: Path) -> list[Record]:
    """The records of a results.csv that `as_csv` made.

    Raises:
        RequestError: the file is absent or is no such file; the message names it and the line.
    """
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path}: cannot be read ({error})") from error
    names = [field.name for field in fields(Record)]
    if not lines or lines[0] != names:
        raise RequestError(f"{path}: expected the columns {', '.join(names)}; write it with fitbench table --write")
    records = []
    for number, line in enumerate(lines[1:], 2):
        try:
            records.append(_record(dict(zip(names, line, strict=True))))
        except ValueError as error:
            raise RequestError(f"{path}: line {number}: {error}") from error
    return records


def _record(line: Mapping[str, str]) -> Record:
    whole = {
        name: int(line[name]) if line[name] else None for name in ("fold", "test_examples", "parameters", "epochs")
    }
    real = {name: float(line[name]) if line[name] else None for name in ("value", "seconds")}
    if line["state"] not in STATES:
        raise ValueError(f"state is {line['state']!r}; expected one of {', '.join(STATES)}")
    if (line["state"] == State.finished.value) != (real["value"] is not None):
        raise ValueError("a finished run has a value, and no other has one")
    values: dict[str, Any] = {**line, **whole, **real, "seed": int(line["seed"])}
    return Record(**values)
