"""Writes rows as CSV or JSON lines, to stdout or to a file whose writing can be resumed.

JSON has one object per line, because a list would only be valid when it is complete. Each batch is appended with one
write, so if the process is killed, at most the last line is torn.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.rows import Row
from fitbench.record.files import read_object, write_whole
from fitbench.text import clean

QUOTE = '"'
SPECIAL = re.compile(f"[,\r\n{QUOTE}]")
SCHEMA = 1  # of the provenance file


class RowFile:
    """An output of rows as CSV or JSON lines, to a file or stdout.

    Nothing is changed before `begin`. If `begin` is not called, a new file is removed again.

    Args:
        names: the columns.
        format: csv or json.
        path: the file, or None for stdout.
        provenance: what determines the rows: the run, its model, the preparation of images. It is stored beside the
            file, and writing is resumed only with the same provenance.
        resume: resume writing an existing file.
        force: replace an existing file.

    Raises:
        RequestError: the file exists without `resume` or `force`, or it has another provenance.
        FitbenchError: the file cannot be written, or another process writes it.
    """

    def __init__(
        self,
        names: Sequence[str],
        format: str,
        path: Path | None,
        provenance: dict[str, Any],
        resume: bool,
        force: bool,
    ) -> None:
        self.names = names
        self.path = path
        self.encode, self.decode = (_to_csv, _from_csv) if format == "csv" else (_to_json, _from_json)
        self.head = _to_csv(names, [list(names)]) if format == "csv" else b""
        self.end = 0  # position in bytes after the recorded rows that were read
        self.file: io.RawIOBase | Any = sys.stdout.buffer
        self.provenance = provenance
        self.resumed = self.is_new = False
        if path is not None:
            self.resumed = _is_resumed(path, provenance, resume, force)
            self.is_new = not path.exists()
            self.file = self._open(path)

    def _open(self, path: Path) -> io.FileIO:
        with writing(path):
            file = path.open("w+b" if self.is_new else "r+b", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FitbenchError(f"{clean(path)}: another process is writing it") from None
        return file

    def recorded(self) -> Iterator[Row]:
        """Yield the complete rows of the file, in order. Numbers in CSV are strings.

        Raises:
            FitbenchError: a row or the header is damaged.
        """
        if not self.resumed:
            return
        for number, record in enumerate(_records(self.file, self.head)):
            if number == 0 and self.head:
                if record != self.head:
                    raise FitbenchError(
                        f"{clean(self.path)}: its header is not {','.join(self.names)}; --force starts it anew"
                    )
            else:
                row = self.decode(self.names, record)
                if row is None:
                    raise FitbenchError(f"{clean(self.path)}: row {number} is damaged; --force starts it anew")
                yield row
            self.end += len(record)

    def begin(self) -> None:
        """Start writing after the recorded rows that were read, and remove a torn row."""
        if self.path is not None:
            with writing(self.path):
                self.file.truncate(self.end)
                self.file.seek(self.end)
                if not self.resumed:  # after the file was emptied, so that old rows never have a new provenance
                    write_whole(_provenance_path(self.path), json.dumps(self.provenance, indent=2) + "\n")
            self.is_new = False
        if not self.end:
            self._append(self.head)

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        self._append(self.encode(self.names, rows))

    def _append(self, content: bytes) -> None:
        with writing(self.path, "" if self.path is None else "; --resume continues it"):
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[self.file.write(remaining) :]
            self.file.flush()

    def close(self, complete: bool) -> None:
        """Close the file."""
        if self.path is not None:
            if self.is_new:
                self.path.unlink(missing_ok=True)
            self.file.close()


@contextmanager
def writing(path: Path | None, advice: str = "") -> Iterator[None]:
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
        raise FitbenchError(
            f"{'stdout' if path is None else clean(path)}: cannot be written "
            f"({(error.strerror or str(error)).lower()}){advice}"
        ) from error


def _is_resumed(path: Path, provenance: dict[str, Any], resume: bool, force: bool) -> bool:
    """Whether writing the file is resumed.

    Raises:
        RequestError: the file must not be replaced, or has another provenance.
    """
    if force or not path.exists() or (path.is_file() and not path.stat().st_size):
        return False
    if not resume:
        raise RequestError(f"{clean(path)} already exists; --resume continues it, --force replaces it")
    provenance_path = _provenance_path(path)
    try:
        recorded = read_object(str(provenance_path), clean(provenance_path), SCHEMA)
    except FileNotFoundError:
        raise RequestError(
            f"{clean(path)}: {clean(provenance_path.name)}, which records its run and options, is missing; --force "
            "starts it anew"
        ) from None
    for key, value in provenance.items():
        if recorded.get(key) != value:
            raise RequestError(
                f"{clean(path)} was made with {key} {clean(recorded.get(key))}, now {clean(value)}; --force starts it "
                "anew"
            )
    return True


def _provenance_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.made.json")


def _records(file: Any, head: bytes) -> Iterator[bytes]:
    """Yield the complete records of a file: lines, or in CSV several lines if a quoted cell has line ends."""
    file.seek(0)
    record = b""
    for line in io.BufferedReader(_Unclosed(file)):
        record += line
        if line.endswith(b"\n") and not (head and record.count(b'"') % 2):
            yield record
            record = b""


class _Unclosed(io.RawIOBase):
    """A file that stays open when its buffered reader is closed."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)


def _to_csv(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    # by columns, because this takes a third of the time of csv.writer
    cells = [[_cell(value) for value in column] for column in zip(*rows, strict=True)]
    return "".join(f"{line}\n" for line in map(",".join, zip(*cells, strict=True))).encode("utf-8", "surrogateescape")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if value.__class__ is float:
        return f"{value:.6g}"
    if value.__class__ is bool:
        return "true" if value else "false"
    return f'"{value.replace(QUOTE, QUOTE + QUOTE)}"' if SPECIAL.search(value) else value


def _from_csv(names: Sequence[str], record: bytes) -> Row | None:
    rows = list(csv.reader(io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")))
    return [cell or None for cell in rows[0]] if len(rows) == 1 and len(rows[0]) == len(names) else None


def _to_json(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    lines = [
        json.dumps({
            name: float(f"{value:.6g}") if isinstance(value, float) else value
            for name, value in zip(names, row, strict=True)
        })
        for row in rows
    ]  # fmt: skip
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _from_json(names: Sequence[str], record: bytes) -> Row | None:
    try:
        row = json.loads(record)
    except (ValueError, RecursionError):
        return None
    return list(row.values()) if isinstance(row, dict) and list(row) == list(names) else None
