"""Writes rows: as a table in the terminal, or as CSV or JSON lines to a file or stdout."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fitbench.columns import Column, Table, column, print_tables
from fitbench.errors import RequestError
from fitbench.inference.layout import ERROR, Layout, Row
from fitbench.record import files
from fitbench.record.files import check_output, replacing
from fitbench.streams import check_stdout
from fitbench.tasks import PROBABILITY
from fitbench.text import check_format, clean, console, counted, number, shortened

FORMATS = ("table", "csv", "json")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
MAX_ROWS = 100  # of the table
MAX_ERRORS = 20  # below the table
CLASS_WIDTH = 16  # characters
DECIMALS = 4  # of a probability or value in the table

Write = Callable[[Sequence[Row]], None]


def check_new(option: str, path: Path, force: bool) -> None:
    """Check that an option names a file that may be written.

    Raises:
        RequestError: it exists and must not be replaced, is not a file, or its folder does not exist.
    """
    check_output(option, path)
    if path.exists() and not force:
        raise RequestError(f"{option} {clean(path)} already exists; --force replaces it")


@contextmanager
def open_output(format: str | None, path: Path | None, layout: Layout, force: bool) -> Iterator[Write]:
    """Yield a function that writes rows. The output is complete when the block ends without an error.

    CSV and JSON are written as the rows come. A file is written beside its name and gets its name when it is complete.

    Args:
        format: table, csv or json (one object per line). By default, the suffix of `path` decides, or table.
        path: the file to write; None for stdout.
        layout: the columns.
        force: replace an existing file.

    Raises:
        RequestError: the format does not exist or does not suit the file, or the file must not be written.
        FitbenchError: the file cannot be written.
    """
    format = _choose_format(format, path)
    if format == "table":
        table = _Table(layout)
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
            write([dict(zip(layout.heads, layout.heads, strict=True))])
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
    with files.writing(path):
        yield


def _to_csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = list(map(_plain, row.values()))
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))  # `plain` would not quote it
        (quoted if has_return else plain).writerow(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _plain(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else "; ".join(cell) if isinstance(cell, list) else cell


def _to_json(rows: Sequence[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


class _Table:
    """The first rows, as a table on stdout, and below it the first errors."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.rows: list[Row] = []
        self.errors: list[Row] = []
        self.omitted = 0

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            kept, limit = (self.rows, MAX_ROWS) if row[ERROR] is None else (self.errors, MAX_ERRORS)
            if len(kept) < limit:
                kept.append(row)
            else:
                self.omitted += 1

    def print(self) -> None:
        out = console()
        with writing(None):
            if self.rows:
                print_tables(out, [Table("", _columns(self.rows, self.layout))])
            for row in self.errors:
                out.print(f"{self.layout.place_of(row)}: {clean(row[ERROR])}", style="red", soft_wrap=True)
            if self.omitted:
                text = f"and {counted(self.omitted, f'more {self.layout.noun}')}; -o FILE or --format csv writes all"
                out.print(text, soft_wrap=True)


def _columns(rows: Sequence[Row], layout: Layout) -> list[Column]:
    """The columns that people see.

    The probability of a further class stands beside the class, and that of a label below its name. A terminal without
    room for the paths leaves out further classes first.
    """
    heads = {"path": layout.noun} if layout.place == ("path",) else {}
    columns = [
        column(
            heads.get(name, name),
            rows,
            partial(_place, name=name),
            right=name == "row",
            key=True,
            from_end=name == "path",
        )
        for name in layout.place
    ]
    beside = {f"{name}{PROBABILITY}": name for name in layout.answers if f"{name}{PROBABILITY}" in layout.answers}
    has_lists = any(isinstance(cell, list) for cell in rows[0].values())
    for place, name in enumerate(layout.answers):
        is_empty = all(row[name] is None for row in rows)  # as the third class is where there are two
        if name not in beside and not is_empty:
            names = [name, *(other for other, main in beside.items() if main == name)]
            is_number = all(isinstance(row[name], float) for row in rows)
            of_label = has_lists and is_number
            columns.append(
                column(
                    clean(name.removesuffix(PROBABILITY) if of_label else name),
                    rows,
                    partial(_cell, names=names),
                    right=is_number,
                    spare=place if of_label or name in beside.values() else None,
                    folded=has_lists and not is_number,
                )
            )
    if layout.labelled:
        styles = ["yellow" if row["correct"] is False else "" for row in rows]
        columns.append(column("true", rows, partial(_cell, names=["true"]), right=False, styles=styles))
    return columns


def _place(row: Row, name: str) -> str:
    return clean(row[name])


def _cell(row: Row, names: Sequence[str]) -> str:
    """What people read of the cells with these names."""
    texts = []
    for name in names:
        if (value := row[name]) is None:
            continue
        if isinstance(value, list):
            texts.append(clean(", ".join(value)) or "-")
        elif isinstance(value, float):
            is_probability = name.endswith("probability")  # of which a power of ten would tell nothing more
            texts.append(f"{value:.{DECIMALS}f}" if is_probability else number(value, DECIMALS))
        else:
            texts.append(shortened(clean(value), CLASS_WIDTH))
    return " ".join(texts)
