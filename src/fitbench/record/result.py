"""result.json and pruned.json: how a run ended, written once, at the end of the run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import write_whole

SCHEMA = 2  # of result.json and pruned.json
READABLE = (1, SCHEMA)  # those that record/reading.py reads


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Record the result. From here on the run is finished. NaN is refused with a ValueError."""
    write_whole(folder / "result.json", json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_pruned(folder: Path, pruned: dict[str, Any]) -> None:
    """Record that a search has ended the run early, and with what. NaN is refused with a ValueError."""
    write_whole(folder / "pruned.json", json.dumps(pruned, indent=2, allow_nan=False) + "\n")


def utc_now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(finished_at: str) -> datetime:
    """The time of a result.json in UTC, without a zone: NumPy knows none.

    Raises:
        FitbenchError: it is no time.
    """
    try:
        time = datetime.fromisoformat(finished_at)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        raise FitbenchError(
            f"result.json: finished_at is {finished_at!r:.80}; expected a time such as {utc_now()}"
        ) from None
