"""What is recorded in a run folder of its model on other data: `evaluations/<data>-<sha256>-<part>.json`. No Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbench.record.files import listed, read_object
from fitbench.record.schemas import Evaluation, check

FOLDER = "evaluations"
SCHEMA = 1
ADVICE = "; evaluate it again"


def path_of(folder: Path, name: str, sha256: str, part: str) -> Path:
    """Where an evaluation is recorded: on the part, 'test' or 'train', of these data."""
    return folder / FOLDER / f"{name}-{sha256:.8}-{part}.json"


def read(folder: Path, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The evaluations of a finished run by their names, without those of a model that the run had before.

    Raises:
        FitbenchError: one is damaged; the message names the file.
    """
    records = []
    for path in listed(folder, FOLDER, "[!.]*.json"):
        record = read_object(folder, f"{FOLDER}/{path.name}", SCHEMA, ADVICE)
        check(Evaluation, record, f"{path}: ", ADVICE)
        if record["run_finished_at"] == result["finished_at"]:
            records.append(record)
    return records
