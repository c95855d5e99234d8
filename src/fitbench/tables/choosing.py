"""Which table a command is about, and which of its rows and seeds."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from fitbench.config.errors import did_you_mean
from fitbench.config.folder import conf_folder
from fitbench.errors import RequestError
from fitbench.tables.definition import FILE, FOLDER, Row, Table

PACKAGE = Path(__file__).parents[1]
NUMBERS = re.compile(r"\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*")


def find(name: str) -> Path:
    """The folder of a table: its path, the path of its table.yaml, or its name.

    A name, also behind experiments/, is looked for in the folder experiments/ of the current folder, and then among the
    tables that ship with fitbench.

    Raises:
        RequestError: there is no such table.
    """
    path = Path(name)
    ships = shipped() / (path.name if path.parent == FOLDER else path)
    for folder in (path, path.parent if path.name == FILE else FOLDER / path, ships):
        if (folder / FILE).is_file():
            return folder
    if "=" in name:
        raise RequestError(f"{name}: the folder of a table is expected here; overrides follow it, after --run")
    names = sorted({path.parent.name for place in (FOLDER, shipped()) for path in place.glob(f"*/{FILE}")})
    near = did_you_mean(path.name, names)
    raise RequestError(f"{name}: no {FILE} there" + (near or f"; there are {', '.join(names)}"))


def shipped() -> Path:
    """The folder of the tables that ship with fitbench: beside its configurations."""
    return conf_folder().parent / FOLDER


def refuse_shipped(folder: Path) -> None:
    """Refuse to write into a table that ships with fitbench, unless it is in a source tree that can be written.

    Raises:
        RequestError: the message says what to do.
    """
    place = shipped().resolve()
    is_installed = place.parent == PACKAGE.resolve()
    if folder.resolve().is_relative_to(place) and (is_installed or not os.access(folder, os.W_OK)):
        raise RequestError(
            f"{folder}: this table ships with fitbench, and --write would change the installed files; copy the folder "
            f"to {FOLDER / folder.name} of your project first: that copy is found before this one"
        )


def with_seeds(table: Table, seeds: int) -> Table:
    """The table with so many of its seeds.

    Raises:
        RequestError: there are not so many.
    """
    most = max(row.wanted for row in table.rows)
    if not 1 <= seeds <= most:
        raise RequestError(f"--seeds is {seeds}; {table.folder / FILE} has 1 to {most}")
    rows = (replace(row, seeds=row.seeds[:seeds], wanted=min(row.wanted, seeds)) for row in table.rows)
    return replace(table, rows=tuple(rows))


def with_rows(table: Table, texts: Sequence[str]) -> Table:
    """The table with some of its rows.

    Args:
        table: the whole table.
        texts: numbers of rows such as '3' and '1,5-7', parts of labels such as 'LeNet-5, distortions', and patterns of
            whole labels such as 'LeNet-*'. Case does not count.

    Raises:
        RequestError: no row fits one of the texts.
    """
    numbers: set[int] = set()
    for text in texts:
        parts = text.split(",") if NUMBERS.fullmatch(text.strip()) else [text]
        of_parts = [{row.number for row in table.rows if _fits(row, part.strip())} for part in parts]
        fitting = set().union(*of_parts) if all(of_parts) else None
        if not fitting:
            labels = "\n".join(dict.fromkeys(f"  {row.number}. {row.label}" for row in table.rows))
            raise RequestError(f"--rows: no row of {table.folder / FILE} fits {text!r}; there are\n{labels}")
        numbers |= fitting
    return replace(table, rows=tuple(row for row in table.rows if row.number in numbers))


def _fits(row: Row, text: str) -> bool:
    """Whether a row has this number or one of this range, or has this in its label, or a label of this pattern."""
    if NUMBERS.fullmatch(text):
        return _covers(text, row.number)
    label, pattern = row.label.casefold(), text.casefold()
    return bool(pattern) and (pattern in label or fnmatchcase(label, pattern))


def _covers(numbers: str, number: int) -> bool:
    """Whether '3' or '5-7' covers a number."""
    first, _, last = numbers.partition("-")
    return int(first) <= number <= int(last or first)
