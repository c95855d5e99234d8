"""A run folder as a row: what its files say, by the columns of `frame.load_runs`. Nothing in them is instantiated.

The row of a finished run comes from result.json, that of any other run from config.yaml, and that of a pruned run also
from pruned.json; all have the notes. A run may be written, or vanish, while it is read.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.config import AUTO, NOT_IDENTITY, Config, parse_run_id
from fitbench.config.errors import mapping_keys
from fitbench.config.identity import UNORDERED
from fitbench.config.reading import brought_up_to_date
from fitbench.errors import FitbenchError
from fitbench.quantities import quantities
from fitbench.record import dataset, reading
from fitbench.record.claims import claimed
from fitbench.record.failure import error_line
from fitbench.record.files import exists
from fitbench.record.folder import State, state_of
from fitbench.record.notes import read_notes
from fitbench.record.result import moment
from fitbench.selection import DEFAULT
from fitbench.tasks import TASKS
from fitbench.text import encodable

IDENTITY = ("folder", "study", "run_id", "config_id", "seed", "fold", "state")
TASK = ("task", "primary")
CONFIGURED_TASK = "config.task"  # the key `task`, beside the task that was decided
FIXED = tuple(quantities([]))  # the numbers of every run that are no metrics
DATASET = ("dataset.sha256", "dataset.train", "dataset.validation", "dataset.test")
FOLD_SHA256 = "dataset.fold_sha256"  # of the examples that a fold held back
TEST_SHA256 = "dataset.test_sha256"  # of the targets of the test part, and the numbers of its rows
TEST_INPUTS_SHA256 = "dataset.test_inputs_sha256"  # of its inputs
NAMES = "dataset.names"  # of the outputs: the checksum of the data does not cover them
ORIGIN = ("device", "threads", "code", "attempts", "trial", "git.commit", "git.dirty")
NOTED = ("tags", "note")  # what people noted
LAST = ("finished_at", "error", *NOTED)
UNREAD_NOTES = "unread_notes"  # of a row, which is no column: why notes.json cannot be read
STARTED = "training.start"  # the run_id of the run whose weights a run begins with
WEIGHTS = "training.start.sha256"  # of these weights: the part of the section that makes the identity
INFO = "metric_info"  # of a row, which is no column

CHECKSUMS = (FOLD_SHA256, TEST_SHA256, TEST_INPUTS_SHA256)  # that not every run has recorded

Row = dict[str, Any]

_ADDED = ("age", "epoch", "left", "primary value")  # by `fitbench runs`
_COLUMNS = frozenset(
    (*IDENTITY, *TASK, *FIXED, *DATASET, *CHECKSUMS, NAMES, *ORIGIN, *LAST, STARTED, INFO, UNREAD_NOTES, *_ADDED)
)
_PREFIXES = ("metrics.", "timing.", "dataset.", "git.", "versions.")
MOST = 1_000  # values of a run: each is a column
LONGEST_LIST = 2_000  # characters of the text of a list or a mapping
TARGET = "_target_"
_WORD = re.compile(r"[\w.-]+")


def is_configuration(name: str) -> bool:
    """Whether a column of this name holds a part of the configuration."""
    return name not in _COLUMNS and not name.startswith(_PREFIXES)


# -- from a run folder to a row ---------------------------------------------------------------------------------------


def read_row(folder: str, held: Callable[[Path], bool] = claimed) -> Row | None:
    """What the files of one run say, None where the folder has gone. `held` is that of `state_of`.

    A run with metrics has their `metric_info` under `INFO`. Runs with the same one share the object. If notes.json is
    damaged, the reason is under `UNREAD_NOTES`.

    Raises:
        FitbenchError: a file is damaged or foreign; the message names it.
    """
    path = Path(folder)
    if exists(f"{folder}/result.json"):
        try:
            return _with_notes(_checked(_finished_row(folder, reading.read_result(path))))
        except FitbenchError:
            if exists(f"{folder}/result.json"):  # else force=true has just removed it
                raise
    state = state_of(path, held)
    if state is State.finished:
        return read_row(folder, held)
    try:
        return _with_notes(_checked(_unfinished_row(path, state)))
    except FitbenchError:
        if state is State.pruned and not exists(f"{folder}/pruned.json"):  # it continues
            return read_row(folder, held)
        if not exists(folder):
            return None
        raise


def study_of(folder: str | Path) -> str:
    """The name of the folder that a run folder is in. Its files keep the former name if that is renamed or copied."""
    return os.path.basename(os.path.dirname(os.path.abspath(folder)))  # noqa: PTH100, PTH119, PTH120 - for 10,000 runs


def _checked(row: Row) -> Row:
    if len(row) > MOST:
        raise FitbenchError(f"it has {len(row):,} values; a run with more than {MOST:,} is not shown")
    return row


def _with_notes(row: Row) -> Row:
    """The row with the tags, as JSON text, and the note. A run whose notes.json is damaged is a row all the same."""
    row.update(dict.fromkeys(NOTED))
    try:
        noted = read_notes(row["folder"])
    except FitbenchError as error:
        row[UNREAD_NOTES] = str(error)
    else:
        row["tags"] = json.dumps(noted.tags, ensure_ascii=False) if noted.tags else None
        row["note"] = noted.note or None
    return row


def _finished_row(folder: str, result: Mapping[str, Any]) -> Row:
    row: Row = {
        "folder": folder,
        "study": study_of(folder),
        "run_id": result["run_id"],
        "config_id": result["config_id"],
        "seed": result["seed"],
        "fold": result["fold"],
        "state": "finished",
    }
    row.update(_configured(result["config"]))
    row.update(_metric_values(result, tuple(metrics.PARTS)))
    for column, section, name in _PLACES:
        row[column] = (result[section] if section else result)[name]
    for name in CHECKSUMS:
        row[name] = result["data"].get(name.removeprefix("dataset."))
    of_outputs = [names for task in TASKS.values() if (names := result["data"].get(task.names_key))]  # of any task
    row[NAMES] = _list_text(of_outputs[0]) if of_outputs else None
    row["trial"] = result.get("trial")
    code = [f"{name} {sha256[:8]}" for name, sha256 in sorted(result["code"].items())]
    row["code"] = ", ".join(code) or None
    git = result.get("git") or {}
    row["git.commit"], row["git.dirty"] = git.get("commit"), git.get("dirty")
    for name, version in result.get("versions", {}).items():
        row[sys.intern(encodable(f"versions.{name}"))] = version
    row["finished_at"] = moment(result["finished_at"])
    return row


_PLACES = (  # of what is in every result: the column, and where it stands in result.json
    *((column, *column.rpartition(".")[::2]) for column in FIXED),
    *((column, "data", column.removeprefix("dataset.")) for column in DATASET),
    *((column, "", column) for column in (*TASK, "device", "threads", "attempts")),
)


def configuration_row(folder: str, config: Mapping[str, Any]) -> Row:
    """The columns that a run in this folder has of its configuration, before anything is recorded."""
    name = parse_run_id(Path(folder).name)
    row: Row = {
        "folder": folder,
        "study": study_of(folder),
        "run_id": Path(folder).name,
        "config_id": name and name.config_id,
        "seed": config["seed"],
        "fold": config["fold"],
    }
    return _checked(row | _configured(config))


def _configured(config: Mapping[str, Any]) -> Row:
    """What makes the run's identity of a whole configuration."""
    row: Row = {}
    for name, value in config.items():
        if name not in NOT_IDENTITY:
            row.update(_flat(name, marshal.dumps(value, 2)))
    return {**row, CONFIGURED_TASK: config.get("task", AUTO), **_started(config)}


@lru_cache(maxsize=10_000)
def _flat(name: str, content: bytes) -> Row:
    """A part of a configuration, flattened. The runs of a sweep share most of theirs, so each is flattened once."""
    part = brought_up_to_date({name: marshal.loads(content)})
    row: Row = {}
    _flatten({name: part[name]}, "", row, "result.json: config.")
    return row


def _started(config: Mapping[str, Any]) -> Row:
    """The run that a run of this configuration begins with; nothing where it begins with none."""
    start = config["training"].get("start")
    return {STARTED: str(start["run_id"])} if isinstance(start, dict) and "run_id" in start else {}


def _metric_values(result: Mapping[str, Any], parts: tuple[str, ...]) -> Row:
    """The values of the metrics that the run records in these parts, and their `metric_info`."""
    info, places = _metric_places(marshal.dumps(result[INFO], 2), parts)
    values = result["metrics"]
    return {INFO: info, **{column: values[name] for column, name in places}}


@lru_cache(maxsize=1_000)
def _metric_places(info: bytes, parts: tuple[str, ...]) -> tuple[Mapping[str, Any], list[tuple[str, str]]]:
    """`metric_info`, and the column of each value and its name in `metrics`, once for all runs that share it."""
    content = marshal.loads(info)
    names = [metrics.join(part, name) for part in parts for name in content]
    return content, [(f"metrics.{name}", name) for name in names]


def _unfinished_row(folder: Path, state: State) -> Row:
    config = reading.read_config(folder)
    name = parse_run_id(folder.name)
    row: Row = {
        "folder": str(folder),
        "study": study_of(folder),
        "run_id": folder.name,
        "config_id": name and name.config_id,
        "seed": config["seed"],
        "fold": config.get("fold"),
        "state": state.value,
        **dict(zip(TASK, task_and_primary(config, Path(folder)), strict=True)),
    }
    _flatten(brought_up_to_date(config), "", row, "config.yaml: ")
    row[CONFIGURED_TASK] = str(config.get("task", AUTO))
    row.update(_started(config))
    if state is State.failed:
        row["error"] = error_line(folder)
    elif state is State.pruned:
        pruned = reading.read_pruned(folder)
        row.update(_metric_values(pruned, ("train", "val")))
        row.update((f"metrics.{name}", pruned["metrics"][name]) for name in ("best_epoch", "epochs"))
        row["timing.fit_seconds"] = pruned["timing"]["fit_seconds"]
        row["trial"] = pruned["trial"]
    return row


def task_and_primary(config: Mapping[str, Any], folder: Path) -> tuple[str, str | None]:
    """The task of an unfinished run and the first of its metrics; where it states none, the task's default.

    The task is that of dataset.json where the configuration leaves it to the data, and '' until there is one.
    """
    task = str(config.get("task") or metrics.CLASSIFICATION)
    if task == AUTO:
        found = dataset.read(folder)
        task = found.task if found else ""
    default = TASKS[task].default_metrics if task in TASKS else ()
    selected = config.get("metrics")
    names = [str(name) for name in selected] if isinstance(selected, (dict, list)) else []
    named = [each for name in names for each in (default if name == DEFAULT else (name,))]
    return task, next(iter([*named, *default]), None)


def columns_of_configuration(config: Mapping[str, Any]) -> Row:
    """The values of a nested configuration, or of a part of one, by their columns."""
    row: Row = {}
    _flatten(config, "", row, "")
    return row


def _flatten(section: Mapping[Any, Any], prefix: str, row: Row, where: str) -> None:
    """Put what makes the run's identity into the row. A key that is another column's name gets `config.` before it.

    Sections are flattened. A mapping where other runs have one value is one value too, see `_whole`, so that a run with
    it does not count as one without a value. The arguments of a target have columns of their own beside it.
    """
    for key, value in section.items():
        name, label = _names(prefix, key)
        if label is None or value is None:
            continue
        if isinstance(value, dict):
            whole = _whole(value) if value and name in _mappings() else None
            if whole is not None:
                row[label] = whole
            if whole is None or TARGET in value:
                _flatten({key: value[key] for key in value if whole is None or key != TARGET}, f"{name}.", row, where)
            continue
        if isinstance(value, list):
            if not value:
                continue
            value = _list_text(sorted(value, key=str) if name in UNORDERED else value)  # noqa: PLW2901
        elif isinstance(value, (int, float)):
            if not reading.is_finite(value):
                raise FitbenchError(f"{where}{name} is {value!r:.80}; expected a finite number")
        elif not isinstance(value, str):  # YAML's dates
            value = str(value)  # noqa: PLW2901
        row[label] = value


@cache
def _mappings() -> frozenset[str]:
    return frozenset(mapping_keys(Config))


def _whole(value: dict[Any, Any]) -> str:
    """A mapping that stands where others have one value, as one text: {common:1,rare:5}; its target if it has one.

    The names are sorted, because their order makes no other run. Those that are no words are in quotation marks.
    """
    if TARGET in value:
        return str(value[TARGET])
    items = sorted(plain(value).items())
    return _limited("{" + ",".join(f"{_word(name)}:{_word(item)}" for name, item in items) + "}", len(items))


def _word(value: Any) -> str:
    is_word = isinstance(value, str) and _WORD.fullmatch(value)
    return str(value) if is_word else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _list_text(value: list[Any]) -> str:
    """A list as JSON."""
    return _limited(json.dumps(plain(value), ensure_ascii=False), len(value))


def _limited(text: str, count: int) -> str:
    """The text of so many values; of a long one the beginning, and a checksum that tells it from others."""
    if len(text) <= LONGEST_LIST:
        return text
    sha256 = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
    return f"{text[:100]}… ({count:,} values, SHA-256 {sha256:.8})"


@lru_cache(maxsize=10_000)
def _names(prefix: str, key: Any) -> tuple[str, str | None]:
    """The dotted name of a key, and its column; None if it is no part of the identity."""
    name = sys.intern(encodable(f"{prefix}{key}"))
    if name in NOT_IDENTITY or name in TASK:  # a row has the task that was decided
        return name, None
    return name, name if is_configuration(name) else f"config.{name}"


def plain(value: Any) -> Any:
    """A value as a run's identity counts it: 1.0 is 1, but neither '1' nor true is. NaN and dates become text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (str, int)) else str(value)
