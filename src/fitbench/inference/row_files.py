"""Rows as CSV or as JSON lines, in a file that can be gone on with, or on stdout.

JSON is one object per line, because a list is whole only at its end. Every batch is appended in one piece, so where a
process was killed at most the last line is torn.
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
from fitbench.inference.answers import Row
from fitbench.record.files import read_object, write_whole
from fitbench.text import clean

QUOTE = '"'
SPECIAL = re.compile(f"[,\r\n{QUOTE}]")
SCHEMA = 1  # of the file beside one with rows


class Lines:
    """Rows as CSV or JSON lines, in a file or on stdout.

    Nothing is changed before `begin`; a file that is new is gone again if it does not come to that.

    Args:
        names: the columns.
        format: csv or json.
        path: the file, or None for stdout.
        made: what decides about the rows: the run, its model and how images are prepared. It is kept beside the file,
            which only goes on with the same.
        resume: go on with the file if it is there.
        force: replace the file if it is there.

    Raises:
        RequestError: the file is there, with neither `resume` nor `force`; or was made with something else.
        FitbenchError: it cannot be written, or another process writes it.
    """

    def __init__(
        self, names: Sequence[str], format: str, path: Path | None, made: dict[str, Any], resume: bool, force: bool
    ) -> None:
        self.names = names
        self.path = path
        self.encode, self.decode = (_to_csv, _from_csv) if format == "csv" else (_to_json, _from_json)
        self.head = _to_csv(names, [list(names)]) if format == "csv" else b""
        self.end = 0  # where the recorded rows that were read end
        self.file: io.RawIOBase | Any = sys.stdout.buffer
        self.made = made
        self.goes_on = self.is_new = False
        if path is not None:
            self.goes_on = _is_to_go_on(path, made, resume, force)
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
        """The whole rows that the file has, in order; numbers of CSV are texts in them."""
        if not self.goes_on:
            return
        for number, record in enumerate(_records(self.file, self.head)):
            if number == 0 and self.head:
                if record != self.head:
                    raise FitbenchError(
                        f"{clean(self.path)}: its header is not {','.join(self.names)}; --force begins it anew"
                    )
            else:
                row = self.decode(self.names, record)
                if row is None:
                    raise FitbenchError(f"{clean(self.path)}: row {number} is damaged; --force begins it anew")
                yield row
            self.end += len(record)

    def begin(self) -> None:
        """Write on behind the recorded rows that were read; what follows them was torn."""
        if self.path is not None:
            with writing(self.path):
                self.file.truncate(self.end)
                self.file.seek(self.end)
                if not self.goes_on:  # only now, so that old rows never lie beside what does not belong to them
                    write_whole(_made_by(self.path), json.dumps(self.made, indent=2) + "\n")
            self.is_new = False
        if not self.end:
            self._append(self.head)

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        self._append(self.encode(self.names, rows))

    def _append(self, content: bytes) -> None:
        with writing(self.path, "" if self.path is None else "; --resume goes on from here"):
            left = memoryview(content)
            while left:
                left = left[self.file.write(left) :]
            self.file.flush()

    def close(self, whole: bool) -> None:
        """The end, of all rows or by an error."""
        if self.path is not None:
            if self.is_new:
                self.path.unlink(missing_ok=True)
            self.file.close()


@contextmanager
def writing(path: Path | None, advice: str = "") -> Iterator[None]:
    """Write a file, or stdout for None; what reads a pipe may end before, which is for the caller.

    Raises:
        FitbenchError: it cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if path is None:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), sys.stdout.fileno())  # else what is kept back fails again at the exit
        raise FitbenchError(
            f"{'stdout' if path is None else clean(path)}: cannot be written "
            f"({(error.strerror or str(error)).lower()}){advice}"
        ) from error


def _is_to_go_on(path: Path, made: dict[str, Any], resume: bool, force: bool) -> bool:
    """Whether the file is there to be gone on with, and with the same."""
    if force or not path.exists() or (path.is_file() and not path.stat().st_size):
        return False
    if not resume:
        raise RequestError(f"{clean(path)} is there already; --resume goes on with it, --force replaces it")
    beside = _made_by(path)
    try:
        before = read_object(str(beside), clean(beside), SCHEMA)
    except FileNotFoundError:
        raise RequestError(
            f"{clean(path)}: no {clean(beside.name)} lies beside it and says what it was made with; --force begins anew"
        ) from None
    for key, now in made.items():
        if before.get(key) != now:
            raise RequestError(
                f"{clean(path)} was made with {key} {clean(before.get(key))}, now {clean(now)}; --force begins it anew"
            )
    return True


def _made_by(path: Path) -> Path:
    return path.with_name(f"{path.name}.made.json")


def _records(file: Any, head: bytes) -> Iterator[bytes]:
    """The whole records of a file: lines, or in CSV several where there are line ends in quotation marks."""
    file.seek(0)
    record = b""
    for line in io.BufferedReader(_Kept(file)):
        record += line
        if line.endswith(b"\n") and not (head and record.count(b'"') % 2):
            yield record
            record = b""


class _Kept(io.RawIOBase):
    """A file that stays open when what reads it is gone."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)


def _to_csv(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    # Column by column, which takes a third of the time of csv.writer with its rows.
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
