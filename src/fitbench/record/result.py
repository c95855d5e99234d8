"""result.json and pruned.json: how a run ended, written once, at the end of the run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import read_object, write_whole
from fitbench.record.folder import state_of

SCHEMA = 1  # of the files that are written
READABLE = (1, 2)


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Record the result. From here on the run is finished. NaN is refused with a ValueError."""
    write_whole(folder / "result.json", json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_result(folder: Path) -> dict[str, Any]:
    """The recorded result of a finished run.

    Raises:
        FitbenchError: result.json is absent or is not a JSON object of a readable schema; the message names it.
    """
    path = f"{folder}/result.json"  # a Path takes as long as reading it does, and many runs are compared
    try:
        return read_object(path, path, READABLE, "; train the run again with force=true")
    except FileNotFoundError:
        raise FitbenchError(f"{folder}: no result.json; the run is {state_of(folder).value}") from None


def write_pruned(folder: Path, pruned: dict[str, Any]) -> None:
    """Record that a search has ended the run early, and with what. NaN is refused with a ValueError."""
    write_whole(folder / "pruned.json", json.dumps(pruned, indent=2, allow_nan=False) + "\n")


def utc_now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
