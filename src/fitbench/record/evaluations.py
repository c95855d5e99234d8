"""What is recorded in a run folder of its model on other data: `evaluations/<data>-<sha256>-<part>.json`. No Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import read_object

FOLDER = "evaluations"
SCHEMA = 1


def path_of(folder: Path, name: str, sha256: str, part: str) -> Path:
    """Where an evaluation is recorded: on the part, 'test' or 'train', of these data."""
    return folder / FOLDER / f"{name}-{sha256:.8}-{part}.json"


def read(folder: Path, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The evaluations of a finished run by their names, without those of a model that the run had before.

    Raises:
        FitbenchError: one is damaged; the message names the file.
    """
    found = []
    for path in sorted((folder / FOLDER).glob("[!.]*.json")):
        record = read_object(str(path), str(path), SCHEMA, "; evaluate it again")
        _check(record, path)
        if record["run_finished_at"] == result["finished_at"]:
            found.append(record)
    return found


def _check(record: Mapping[str, Any], path: Path) -> None:
    data, metrics, interval = (record.get(key) for key in ("data", "metrics", "accuracy_interval"))
    fits = (
        all(isinstance(record.get(key), str) for key in ("run_finished_at", "evaluated_at"))
        and isinstance(data, dict)
        and all(isinstance(data.get(key), str) for key in ("name", "sha256", "part"))
        and type(data.get("count")) is int
        and isinstance(metrics, dict)
        and all(value is None or type(value) in (int, float) for value in map(metrics.get, ("loss", "accuracy")))
        and isinstance(interval, list)
        and [type(end) for end in interval] == [float, float]
    )
    if not fits:
        raise FitbenchError(f"{path}: a value is missing or of the wrong type; evaluate it again")
