"""Writes rows: as a table in the terminal, or as CSV or JSON lines to a file or stdout."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fitbench.columns import Column, column, print_columns
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.rows import Row
from fitbench.record.files import replacing
from fitbench.streams import check_stdout
from fitbench.text import check_format, clean, console, counted, shortened

FORMATS = ("table", "csv", "json")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
MAX_ROWS = 100  # of the table
MAX_ERRORS = 20  # below the table
CLASS_WIDTH = 16  # characters

Write = Callable[[Sequence[Row]], None]


def check_new(option: str, path: Path, force: bool) -> None:
    """Check that an option names a file that may be written.

    Raises:
        RequestError: it exists and must not be replaced, is not a file, or its folder does not exist.
    """
    if path.exists() and (not path.is_file() or path.parent == Path("/dev")):
        raise RequestError(f"{option} {clean(path)} is not a file; expected the name of a file")
    if path.exists() and not force:
        raise RequestError(f"{option} {clean(path)} already exists; --force replaces it")
    if not path.parent.is_dir():
        raise RequestError(f"{option} {clean(path)}: its folder does not exist; create it")


@contextmanager
def open_output(format: str | None, path: Path | None, names: Sequence[str], force: bool) -> Iterator[Write]:
    """Yield a function that writes rows. The output is complete when the block ends without an error.

    CSV and JSON are written as the rows come. A file is written beside its name and gets its name when it is complete.

    Args:
        format: table, csv or json (one object per line). By default, the suffix of `path` decides, or table.
        path: the file to write; None for stdout.
        names: the columns.
        force: replace an existing file.

    Raises:
        RequestError: the format does not exist or does not suit the file, or the file must not be written.
        FitbenchError: the file cannot be written.
    """
    format = _choose_format(format, path)
    if format == "table":
        table = _Table()
        yield table.add
        table.print()
        return
    if path is not None:
        check_new("-o", path, force)
    encode = _to_csv if format == "csv" else _to_json
    with ExitStack() as stack:
        with writing(path):
            file = sys.stdout.buffer if path is None else stack.enter_context(replacing(path))

        def write(rows: Sequence[Row]) -> None:
            with writing(path):
                file.write(encode(rows))
                file.flush()

        if format == "csv":
            write([dict(zip(names, names, strict=True))])
        yield write
        with writing(path):
            stack.close()


def _choose_format(format: str | None, path: Path | None) -> str:
    if format is not None:
        check_format(format, FORMATS)
    if path is None:
        return format or "table"
    if format == "table":
        raise RequestError("--format table is for the terminal; -o needs csv or json")
    format = format or SUFFIXES.get(path.suffix.lower())
    if format is None:
        expected = f"expected one of {', '.join(SUFFIXES)}, or --format"
        raise RequestError(f"-o {clean(path)}: its suffix does not determine a format; {expected}")
    return format


@contextmanager
def writing(path: Path | None) -> Iterator[None]:
    """Turn errors of writing a file, or stdout for None, into messages.

    Raises:
        FitbenchError: the file cannot be written.
        SystemExit: the process that reads stdout has ended.
    """
    if path is None:
        yield
        check_stdout()
        return
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FitbenchError(f"{clean(path)}: cannot be written ({reason})") from error


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


class _Table:
    """The first rows, as a table on stdout, and below it the first errors."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.errors: list[Row] = []
        self.omitted = 0

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            kept, limit = (self.rows, MAX_ROWS) if row["error"] is None else (self.errors, MAX_ERRORS)
            if len(kept) < limit:
                kept.append(row)
            else:
                self.omitted += 1

    def print(self) -> None:
        out = console()
        with writing(None):
            if self.rows:
                print_columns(out, _columns(self.rows))
            for row in self.errors:
                out.print(f"{clean(row['path'])}: {clean(row['error'])}", style="red", soft_wrap=True)
            if self.omitted:
                out.print(
                    f"and {counted(self.omitted, 'more image')}; -o FILE or --format csv writes all", soft_wrap=True
                )


def _columns(rows: Sequence[Row]) -> list[Column]:
    def class_of(row: Row, rank: str) -> str:
        return shortened(clean(row[rank] or ""), CLASS_WIDTH)

    def with_probability(row: Row, rank: str) -> str:
        return "" if row[rank] is None else f"{class_of(row, rank)} {row[f'{rank}_probability']:.4f}"

    columns = [
        column("image", rows, lambda row: clean(row["path"]), right=False, key=True),
        column("label", rows, lambda row: class_of(row, "label"), right=False),
        column("probability", rows, lambda row: f"{row['probability']:.4f}"),
        column("second", rows, lambda row: with_probability(row, "second"), right=False),
        column("third", rows, lambda row: with_probability(row, "third"), right=False),
    ]
    if "true" in rows[0]:
        styles = ["yellow" if row["correct"] is False else "" for row in rows]
        columns.append(column("true", rows, lambda row: class_of(row, "true"), right=False, styles=styles))
    return columns
