"""The rows that `fitbench predict` writes: their columns, and the formats of its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

PREDICTION_COLUMNS = ("label", "probability", "second", "second_probability", "third", "third_probability")
FORMATS = ("table", "csv", "json", "parquet")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}

Row = Sequence[Any]  # cells in the order of the columns; None for an empty cell


def columns(labelled: bool) -> tuple[str, ...]:
    """Return the columns of a row. With labels, they include the true class and whether the prediction is correct."""
    return ("path", *PREDICTION_COLUMNS, *(("true", "correct") if labelled else ()), "error")


class Output(Protocol):
    """A destination of rows: a file, or stdout."""

    def recorded(self) -> Iterator[Row]:
        """Yield the rows that an earlier process wrote, in order. Rows that are not read are dropped by `begin`."""

    def begin(self) -> None:
        """Start writing after the recorded rows that were read."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""

    def close(self, complete: bool) -> None:
        """Finish the output. `complete` is false if an error interrupted the rows."""
