"""Writes rows: as a table in the terminal, or as CSV or JSON lines to a file or stdout."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fitbench.columns import Column, column, print_columns
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.rows import Row
from fitbench.record.files import replacing
from fitbench.text import check_format, clean, console, shortened

FORMATS = ("table", "csv", "json")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
MAX_ROWS = 100  # of the table
MAX_ERRORS = 20  # below the table
CLASS_WIDTH = 16  # characters


def open_output(format: str | None, path: Path | None, names: Sequence[str], force: bool) -> RowFile | Table:
    """Open the destination of the rows. It is complete when its `with` block ends without an error.

    Args:
        format: table, csv or json (one object per line). By default, the suffix of `path` decides, or table.
        path: the file to write; None for stdout.
        names: the columns.
        force: replace an existing file.

    Raises:
        RequestError: the format does not exist or does not suit the file, or the file must not be replaced.
        FitbenchError: the file cannot be written.
    """
    if format is not None:
        check_format(format, FORMATS)
    if path is None:
        return Table() if format in (None, "table") else RowFile(names, format, None)
    if format == "table":
        raise RequestError("--format table is for the terminal; -o needs csv or json")
    if path.exists() and (not path.is_file() or path.parent == Path("/dev")):
        raise RequestError(f"-o {clean(path)} is not a file; omit -o to write to stdout")
    if path.exists() and not force:
        raise RequestError(f"{clean(path)} already exists; --force replaces it")
    format = format or SUFFIXES.get(path.suffix.lower())
    if format is None:
        raise RequestError(
            f"-o {clean(path)}: its suffix does not determine a format; expected one of {', '.join(SUFFIXES)}, or "
            "--format"
        )
    return RowFile(names, format, path)


@contextmanager
def writing(path: Path | None) -> Iterator[None]:
    """Turn errors of writing a file, or stdout for None, into messages.

    Raises:
        FitbenchError: the file cannot be written.
        BrokenPipeError: the process that reads stdout has ended.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if path is None:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), sys.stdout.fileno())  # else flushing at exit fails again
        reason = (error.strerror or str(error)).lower()
        raise FitbenchError(f"{'stdout' if path is None else clean(path)}: cannot be written ({reason})") from error


class RowFile:
    """Rows as CSV or as JSON lines, written as they come.

    A file is written beside its name and gets its name when it is complete.

    Args:
        names: the columns.
        format: csv or json.
        path: the file, or None for stdout.

    Raises:
        FitbenchError: the file cannot be written.
    """

    def __init__(self, names: Sequence[str], format: str, path: Path | None) -> None:
        self.path = path
        self.encode = _to_csv if format == "csv" else _to_json
        self.stack = ExitStack()
        with writing(path):
            self.file: Any = sys.stdout.buffer if path is None else self.stack.enter_context(replacing(path))
        if format == "csv":
            self.write([dict(zip(names, names, strict=True))])

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *error: Any) -> None:
        with writing(self.path):
            self.stack.__exit__(*error)

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows.

        Raises:
            FitbenchError: the file cannot be written.
        """
        with writing(self.path):
            self.file.write(self.encode(rows))
            self.file.flush()


def _to_csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [str(cell).lower() if isinstance(cell, bool) else cell for cell in row.values()]
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))  # `plain` would not quote it
        (quoted if has_return else plain).writerow(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _to_json(rows: Sequence[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


class Table:
    """Rows as a table on stdout at the end: the first rows, and below it the first errors."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.errors: list[Row] = []
        self.omitted = 0

    def __enter__(self) -> Table:
        return self

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the first rows and the first errors."""
        for row in rows:
            kept, limit = (self.rows, MAX_ROWS) if row["error"] is None else (self.errors, MAX_ERRORS)
            if len(kept) < limit:
                kept.append(row)
            else:
                self.omitted += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        out = console()
        with writing(None):
            if self.rows:
                print_columns(out, _columns(self.rows))
            for row in self.errors:
                out.print(f"{clean(row['path'])}: {clean(row['error'])}", style="red", soft_wrap=True)
            if self.omitted:
                out.print(f"and {self.omitted:,} more images; -o FILE or --format csv writes all", soft_wrap=True)
            sys.stdout.flush()


def _columns(rows: Sequence[Row]) -> list[Column]:
    def class_of(row: Row, rank: str, probability: str = "") -> str:
        name = shortened(clean(row[rank] or ""), CLASS_WIDTH)
        return f"{name} {row[probability]:.4f}" if probability and row[rank] is not None else name

    columns = [
        column("image", rows, lambda row: clean(row["path"]), right=False, key=True),
        column("label", rows, lambda row: class_of(row, "label"), right=False),
        column("probability", rows, lambda row: f"{row['probability']:.4f}"),
        column("second", rows, lambda row: class_of(row, "second", "second_probability"), right=False),
        column("third", rows, lambda row: class_of(row, "third", "third_probability"), right=False),
    ]
    if "true" in rows[0]:
        styles = ["yellow" if row["correct"] is False else "" for row in rows]
        columns.append(column("true", rows, lambda row: class_of(row, "true"), right=False, styles=styles))
    return columns
