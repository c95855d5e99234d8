"""The files of a run folder as checked values. The folder may be a stranger's."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from fitbench import metrics, quantities
from fitbench.config import Config, recorded_metrics, with_current_names
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import history, schemas
from fitbench.record import result as results
from fitbench.record.files import outputs_of, read_bytes, read_object
from fitbench.record.folder import state_of
from fitbench.record.schemas import check
from fitbench.tasks import task_of
from fitbench.untrusted import LARGEST_BYTES, check_texts, naming, parse_yaml, read_arrays
from fitbench.user_metrics import redefined

LARGEST_CONFIG = 2**20  # bytes of config.yaml
LAST_EPOCH = 10**9  # a line of a later one is no epoch
MOST_NAMES = 500  # of the values of an epoch, which also bounds what a page or table shows of it
LONGEST_NAME = 1_000  # characters of such a name
BYTES_OF_NUMBER = 8
TRAIN_AGAIN = "; train the run again with force=true"


# -- result.json and config.yaml --------------------------------------------------------------------------------------

_RESULTS: dict[int, type[BaseModel]] = {1: schemas.Result1, 2: schemas.Result}
_PRUNED: dict[int, type[BaseModel]] = {1: schemas.Pruned1, 2: schemas.Pruned}


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a finished run in the shape of schema 2, as `schemas.Result` describes it.

    Raises:
        FitbenchError: result.json is absent or damaged, or lacks something; the message names the file and the key.
    """
    try:
        result = read_object(folder, "result.json", results.READABLE, TRAIN_AGAIN)
    except FileNotFoundError:
        raise FitbenchError(f"{folder}: no result.json; the run is {state_of(folder).value}") from None
    check(_RESULTS[result["schema"]], result, f"{folder}/result.json: ")
    result["config"]["model"] = with_current_names(result["config"]["model"])
    return _result_of_schema_1(result) if result["schema"] == 1 else result


def read_pruned(folder: Path) -> dict[str, Any]:
    """What pruned.json says of a run that a search has ended early, in the shape of schema 2, as `schemas.Pruned` does.

    Raises:
        FitbenchError: pruned.json is absent or damaged, or lacks something; the message names the file and the key.
    """
    try:
        pruned = read_object(folder, "pruned.json", results.READABLE)
    except FileNotFoundError:
        raise FitbenchError(f"{folder}/pruned.json: there is no such file") from None
    check(_PRUNED[pruned["schema"]], pruned, f"{folder}/pruned.json: ")
    return _of_schema_1(pruned) if pruned["schema"] == 1 else pruned


def lacking(config: Config, result: Mapping[str, Any]) -> list[str]:
    """The metrics that a run of this configuration records and a finished run of it does not have."""
    return [name for name in recorded_metrics(config, task_of(result["task"])) if name not in result["metric_info"]]


def check_metrics(config: Config, result: Mapping[str, Any], remedy: str) -> None:
    """Refuse a configuration that gives the name of a recorded metric of the user's to another target or arguments.

    Raises:
        RequestError: with both definitions, and the remedy.
    """
    definitions = {name: info["definition"] for name, info in result["metric_info"].items()}
    if difference := redefined(config.metrics, definitions):
        raise RequestError(
            f"{result['run_id']} is recorded with another definition: {difference}; give the metric as it is now "
            f"another name{remedy}"
        )


def output_names(result: Mapping[str, Any]) -> list[str]:
    """The names of the outputs of a finished run: its classes, targets or labels."""
    return result["data"][task_of(result["task"]).names_key]


def _result_of_schema_1(result: dict[str, Any]) -> dict[str, Any]:
    """A result.json of schema 1, which fitbench 0.1 wrote, in the shape of schema 2."""
    timing = {key: value for key, value in result["timing"].items() if key != "images_per_second"}
    timing["examples_per_second"] = result["timing"]["images_per_second"]
    unknown: dict[str, Any] = {"fold": None, "threads": None, "environment": {}, "code": {}}
    task = {"task": metrics.CLASSIFICATION, "primary": "accuracy"}
    return {**_of_schema_1(result), **unknown, **task, "timing": timing}


def _of_schema_1(record: dict[str, Any]) -> dict[str, Any]:
    """What both files of schema 1 lack."""
    return {**record, "schema": results.SCHEMA, "metric_info": quantities.of_schema_1()}


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration in config.yaml, as nested plain values; nothing in it is resolved or instantiated.

    Raises:
        FitbenchError: config.yaml is absent or damaged; the message names it.
    """
    path = folder / "config.yaml"
    try:
        with naming(path):
            config = parse_yaml(read_bytes(folder, path.name, LARGEST_CONFIG))
            check_texts(config)
    except FileNotFoundError:
        raise FitbenchError(f"{path}: there is no such file") from None
    check(schemas.RunConfiguration, config, f"{path}: ")
    config["model"] = with_current_names(config["model"])
    return {str(key): value for key, value in config.items()}


def is_finite(value: int | float) -> bool:
    """Whether a float can hold the number; JSON and YAML have whole ones that are larger."""
    return abs(value) <= sys.float_info.max


# -- history.jsonl and predictions.npz --------------------------------------------------------------------------------


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run in order, from 1; whatever is no finite number is null in them.

    Raises:
        FitbenchError: history.jsonl cannot be read, or its epochs have too many values; the message names it.
    """
    epochs = [numbers for epoch in history.read_history(folder) if (numbers := numbers_of(epoch)) is not None]
    check_names({name for epoch in epochs for name in epoch}, folder)
    return epochs


def numbers_of(epoch: dict[str, Any]) -> dict[str, Any] | None:
    """An epoch of history.jsonl, with null for all that is no finite number; None if its own number is not valid."""
    if not is_number(epoch["epoch"]) or not 1 <= epoch["epoch"] <= LAST_EPOCH:
        return None
    return {key: value if is_number(value) else None for key, value in epoch.items()}


def check_names(names: Collection[str], folder: Path) -> None:
    """Refuse the names of the values of a history that are too many or too long.

    Raises:
        FitbenchError: they are; the message names the file.
    """
    if len(names) > MOST_NAMES:
        raise FitbenchError(f"{folder}/history.jsonl: its epochs have more than {MOST_NAMES} values")
    if longest := max((name for name in names if len(name) > LONGEST_NAME), key=len, default=""):
        raise FitbenchError(f"{folder}/history.jsonl: the name of a value has {len(longest):,} characters")


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)


@dataclass(frozen=True, eq=False)
class Predictions:
    """A run on N examples of the test part, or of the validation part.

    `targets` and `outputs` are what the run's task records, as labels int [N] and probabilities float [N, classes];
    `data_sha256` is the data set's SHA-256 (hex). `rows` are the rows of the file, int [N], counted from 1: those of a
    table below the names of its columns, or the series of a file; None where the examples are no rows, or an older
    fitbench has not recorded them. `examples` are the positions of the validation part's examples in the training
    arrays, int64 [N], ascending from 0; None for the test part.
    """

    targets: np.ndarray
    outputs: np.ndarray
    data_sha256: str
    rows: np.ndarray | None = None
    examples: np.ndarray | None = None

    @property
    def place_name(self) -> str:
        """What `places` count: the rows of the file, or the examples of the part."""
        return "example" if self.rows is None else "row"

    @property
    def places(self) -> np.ndarray:
        """Where each example is found, int [N]: its row of the file, or its position from 0.

        The position is that in the test part, or, of the validation part, that in the training arrays.
        """
        if self.rows is not None:
            return self.rows
        return np.arange(len(self.targets)) if self.examples is None else self.examples

    def place(self, example: int) -> dict[str, int]:
        """The position of an example in the part, and its row of the file where that is known."""
        row = {} if self.rows is None else {"row": int(self.rows[example])}
        return {"example": int(example), **row}


def has_test_part(result: Mapping[str, Any]) -> bool:
    """Whether a finished run has been tested. Runs with folds need no test part."""
    return bool(result["data"]["test"])


def read_predictions(folder: Path, result: Mapping[str, Any]) -> Predictions:
    """What predictions.npz holds of the test part, checked against the result by the run's task.

    Raises:
        FitbenchError: the run has no test part; or the file is absent or damaged, or is not of this result; the message
            names it.
    """
    if not has_test_part(result):
        raise FitbenchError(f"{folder}: the run has no test part (data.test is 0 in result.json)")
    return _predictions(folder, result, result["data"]["test"], "", "rows")


def read_validation_predictions(folder: Path, result: Mapping[str, Any]) -> Predictions:
    """What predictions.npz holds of the validation part, checked against the result by the run's task.

    Raises:
        FitbenchError: the run is of no fold; or the file is absent or damaged, or is not of this result; the message
            names it.
    """
    if result["fold"] is None:
        raise FitbenchError(
            f"{folder}: the run is of no fold, so its predictions.npz holds the test part alone; expected a run with "
            "training.validation=kfold"
        )
    prefix, data = "validation_", result["data"]
    return _predictions(folder, result, data["validation"], prefix, "validation_file_rows", "validation_rows")


def _predictions(
    folder: Path, result: Mapping[str, Any], count: int, prefix: str, rows: str, examples: str | None = None
) -> Predictions:
    """What predictions.npz holds of a part of so many examples.

    Args:
        folder, result: of the run.
        count: N.
        prefix: what the names of its targets and outputs begin with.
        rows: the name of the rows of the file, which may be absent.
        examples: the name of the positions in the training arrays; None: there are none.
    """
    path, task = folder / "predictions.npz", task_of(result["task"])
    names = [prefix + task.targets_name, prefix + task.outputs_name, "data_sha256"]
    needed = names if examples is None else [*names, examples]
    width = len(output_names(result))
    largest = max(LARGEST_BYTES, 2 * BYTES_OF_NUMBER * count * (width + 2))
    try:
        with naming(path, TRAIN_AGAIN):
            found = read_arrays(path, needed, outputs_of(folder), largest, optional=(rows,))
    except FileNotFoundError:
        raise FitbenchError(f"{path}: there is no such file{TRAIN_AGAIN}") from None
    targets, outputs, sha256 = (found[name] for name in names)
    positions = None if examples is None else found[examples]
    try:
        task.check(targets, outputs, count, width)
        _check_rows(found.get(rows), count, rows)
        if positions is not None:
            _check_positions(positions, count, result["data"]["train"] + count)
    except ValueError as error:
        part = "its validation part: " if prefix else ""
        raise FitbenchError(f"{path}: {part}{error}") from None
    if str(sha256) != result["data"]["sha256"]:
        raise FitbenchError(f"{path}: made with other data (SHA-256 {sha256!s:.8}) than result.json says")
    return Predictions(targets, outputs, str(sha256), found.get(rows), positions)


def _check_rows(rows: np.ndarray | None, count: int, name: str) -> None:
    """Refuse what is not a row of a file for each example."""
    if rows is None:
        return
    if rows.dtype.kind not in "iu" or rows.shape != (count,):
        raise ValueError(f"{name} are {rows.dtype} {rows.shape}; expected {count} integers")
    if rows.min(initial=1) < 1:
        raise ValueError(f"{name} begin at {rows.min()}; expected row numbers from 1")


def _check_positions(positions: np.ndarray, count: int, examples: int) -> None:
    """Refuse what is not `count` different positions, ascending, in arrays of so many examples."""
    if positions.dtype != np.int64 or positions.shape != (count,):
        raise ValueError(f"validation_rows are {positions.dtype} {positions.shape}; expected int64 ({count},)")
    if (np.diff(positions) <= 0).any() or positions.min(initial=0) < 0 or positions.max(initial=0) >= examples:
        raise ValueError(f"validation_rows are not ascending rows of the {examples:,} training examples, from 0")
