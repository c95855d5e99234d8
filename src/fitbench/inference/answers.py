"""What the model says of an image, as a row: the columns, and the formats that they are written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

ANSWERS = ("label", "probability", "second", "second_probability", "third", "third_probability")
FORMATS = ("table", "csv", "json", "parquet")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}

Row = Sequence[Any]  # in the order of the columns; None where there is nothing


def columns(labelled: bool) -> tuple[str, ...]:
    """The columns of a row; with labels, also the true class and whether it was read."""
    return ("path", *ANSWERS, *(("true", "correct") if labelled else ()), "error")


class Output(Protocol):
    """Where rows go."""

    def recorded(self) -> Iterator[Row]:
        """The rows that are there already, in order; only what was read of them is kept."""

    def begin(self) -> None:
        """Write on behind the recorded rows that were read."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""

    def close(self, whole: bool) -> None:
        """The end, of all rows or by an error."""
