"""Reads the lines of a text file of series, and the numbers in a line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fitbench.data.memory_limit import check_memory
from fitbench.text import clean, shortened
from fitbench.untrusted import Unreadable, guarded, open_file

# Reading takes this many times the bytes of a file: measured are 3 for numbers of 10 characters, 4 for single digits.
# The data set then takes as much as its float32 arrays, 2 times the bytes of single digits.
TIMES_IN_MEMORY = 6
PACKED = {b"\x1f\x8b": "a gzip file", b"PK\x03\x04": "a zip file"}
MISSING = "?"  # beside NaN
LONGEST = 40  # characters of a text that messages quote

Line = tuple[int, str]  # the number of a line, counted from 1, and what it holds


def read_lines(path: Path) -> list[Line]:
    """Read the lines of a text file, without those that are blank or begin with `#` or `%`, which are comments.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no text in UTF-8, or takes more memory than there is.
    """
    with guarded(), open_file(path) as file:
        check_memory(file, TIMES_IN_MEMORY * os.fstat(file.fileno()).st_size, "take fewer series")
        content = file.read().removeprefix(b"\xef\xbb\xbf")
    for magic, kind in PACKED.items():
        if content.startswith(magic):
            raise Unreadable(f"is {kind}; unpack it. Expected a text file of series: .ts, .tsv or .txt")
    lines = enumerate(content.splitlines(), 1)
    found = [(number, _text(line, number)) for number, line in lines if not line.lstrip().startswith((b"#", b"%"))]
    if not (found := [line for line in found if line[1]]):
        raise Unreadable("is empty; expected a text file of series: .ts, .tsv or .txt")
    return found


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode().strip()
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"line {number:,} holds the byte 0x{line[error.start]:02x}, which is no text in UTF-8; expected a text "
            "file of series: .ts, .tsv or .txt"
        ) from error


def numbers(fields: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """The numbers in the fields of a line, float64; those that are missing are NaN.

    `place` says what messages call a field by its position, counted from 0.

    Raises:
        Unreadable: a field is no number.
    """
    with contextlib.suppress(ValueError):  # NumPy takes spaces around a number
        return np.array(fields, np.float64)
    fields = ["nan" if field.strip() == MISSING else field.strip() for field in fields]
    wrong = next((position for position, field in enumerate(fields) if not _is_number(field)), None)
    if wrong is not None:
        raise Unreadable(f"{place(wrong)} is {quoted(fields[wrong])}; expected a number")
    return np.array(fields, np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def quoted(text: str) -> str:
    """A text as messages quote it."""
    return f"the text '{shortened(clean(text), LONGEST)}'" if text else "empty"
