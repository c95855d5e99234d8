"""Rows as a Parquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.answers import Row
from fitbench.record.files import beside
from fitbench.text import clean

GROUP = 50_000  # rows that are compressed together


class Parquet:
    """Rows as a Parquet file, which has its name only when it is whole.

    Args:
        names: the columns.
        path: the file.
        made: what decides about the rows, kept in the file under the key `fitbench`.
        force: replace the file if it is there.

    Raises:
        RequestError: pyarrow is not installed, or the file is there without `force`.
    """

    def __init__(self, names: Sequence[str], path: Path, made: dict[str, Any], force: bool) -> None:
        if path.exists() and not force:
            raise RequestError(f"{clean(path)} is there already; --force replaces it")
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise RequestError("--format parquet needs pyarrow; pip install 'fitbench[parquet]'") from None
        kinds = {name: pyarrow.float32() for name in names if name.endswith("probability")}
        kinds["correct"] = pyarrow.bool_()
        fields = [(name, kinds.get(name, pyarrow.string())) for name in names]
        self.schema = pyarrow.schema(fields, metadata={"fitbench": json.dumps(made)})
        self.rows: list[Row] = []
        self.beside = ExitStack()
        try:
            new = self.beside.enter_context(beside(path))
            self.writer = pyarrow.parquet.ParquetWriter(new, self.schema)
        except OSError as error:
            raise FitbenchError(
                f"{clean(path)}: cannot be written ({(error.strerror or str(error)).lower()})"
            ) from None

    def recorded(self) -> Iterator[Row]:
        """There are none: a Parquet file is written from its beginning to its end."""
        return iter(())

    def begin(self) -> None:
        """Nothing comes before the rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows, many at a time."""
        self.rows.extend([_text(row[0]), *row[1:]] for row in rows)
        if len(self.rows) >= GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow

        cells = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.schema)
        arrays = [pyarrow.array(cell, field.type) for cell, field in zip(cells, self.schema, strict=True)]
        self.writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self.schema))
        self.rows = []

    def close(self, whole: bool) -> None:
        """The end, of all rows or by an error, of which nothing stays."""
        if whole:
            self._write_group()
            self.writer.close()
            self.beside.close()
        else:
            self.writer.close()
            self.beside.__exit__(RuntimeError, RuntimeError(), None)


def _text(path: str) -> str:
    """A path as UTF-8 can have it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
