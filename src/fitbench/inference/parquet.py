"""Writes rows as a Parquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.rows import Row
from fitbench.record.files import beside
from fitbench.text import clean

GROUP_ROWS = 50_000  # rows of a row group


class Parquet:
    """An output of rows as a Parquet file, which gets its name when it is complete.

    Args:
        names: the columns.
        path: the file.
        provenance: what determines the rows. It is stored in the file under the key `fitbench`.
        force: replace an existing file.

    Raises:
        RequestError: pyarrow is not installed, or the file exists and `force` is false.
        FitbenchError: the file cannot be written.
    """

    def __init__(self, names: Sequence[str], path: Path, provenance: dict[str, Any], force: bool) -> None:
        if path.exists() and not force:
            raise RequestError(f"{clean(path)} already exists; --force replaces it")
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise RequestError("--format parquet needs pyarrow; pip install 'fitbench[parquet]'") from None
        types = {name: pyarrow.float32() for name in names if name.endswith("probability")}
        types["correct"] = pyarrow.bool_()
        fields = [(name, types.get(name, pyarrow.string())) for name in names]
        self.schema = pyarrow.schema(fields, metadata={"fitbench": json.dumps(provenance)})
        self.rows: list[Row] = []
        self.new_file = ExitStack()
        try:
            new = self.new_file.enter_context(beside(path))
            self.writer = pyarrow.parquet.ParquetWriter(new, self.schema)
        except OSError as error:
            raise FitbenchError(
                f"{clean(path)}: cannot be written ({(error.strerror or str(error)).lower()})"
            ) from None

    def recorded(self) -> Iterator[Row]:
        """Yield nothing: writing a Parquet file cannot be resumed."""
        return iter(())

    def begin(self) -> None:
        """Do nothing: nothing precedes the rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Collect rows, and write full row groups."""
        self.rows.extend([_text(row[0]), *row[1:]] for row in rows)
        if len(self.rows) >= GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow

        cells = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.schema)
        arrays = [pyarrow.array(cell, field.type) for cell, field in zip(cells, self.schema, strict=True)]
        self.writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self.schema))
        self.rows = []

    def close(self, complete: bool) -> None:
        """Finish the file. After an error, remove it."""
        if complete:
            self._write_group()
            self.writer.close()
            self.new_file.close()
        else:
            self.writer.close()
            self.new_file.__exit__(RuntimeError, RuntimeError(), None)


def _text(path: str) -> str:
    """Return a path as valid UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
