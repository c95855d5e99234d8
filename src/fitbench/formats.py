"""Tables printed in the formats of `--format`, and what people see of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fitbench.columns import Column, Table, as_csv, print_tables, records
from fitbench.errors import RequestError
from fitbench.html import html
from fitbench.latex import latex
from fitbench.markdown import markdown
from fitbench.text import clean, console

FORMATS = ("table", "csv", "json", "markdown", "latex", "html")  # of commands that print tables
DOCUMENTS = {"markdown": markdown, "latex": latex, "html": html}  # those for people besides the terminal

OF_SCRIPTS = ("csv", "json")  # those that hold everything, whatever people see


@dataclass(frozen=True)
class Look:
    """What people see of a table.

    Attributes:
        caption: whether the title stands above it.
        notes: whether what is to be said about it stands below it.
        columns: the names of the columns behind those that name the rows, in their order; None for all.
    """

    caption: bool = True
    notes: bool = True
    columns: tuple[str, ...] | None = None

    def of(self, table: Table) -> Table:
        """The table with the title and the notes that are wanted. A table of notes alone keeps them."""
        keeps = self.notes or not table.columns
        return replace(table, title=table.title * self.caption, notes=table.notes if keeps else ())

    def refuse_for_scripts(self, format: str) -> None:
        """Refuse a choice where the format holds everything.

        Raises:
            RequestError: the format is one of `OF_SCRIPTS`, and something is left out.
        """
        if format in OF_SCRIPTS and self != EVERYTHING:
            raise RequestError(f"--columns, --no-caption and --no-notes are for people's formats; --format is {format}")


EVERYTHING = Look()


def print_as(format: str, tables: Sequence[Table], values: Sequence[Column]) -> None:
    """Print on stdout in one of `FORMATS`: the tables for people, or the values of these columns as CSV or JSON.

    A stranger's text is clean in a terminal. A file or a pipe gets CSV and JSON as they are.
    """
    out = console()
    if format == "table":
        print_tables(out, tables)
    elif format == "csv":
        print(as_csv(values, clean if out.is_terminal else str), end="")
    elif format == "json":
        print(json.dumps(records(values), indent=2, allow_nan=False))
    else:
        print(DOCUMENTS[format](tables))


def mark_words(format: str) -> tuple[str, str]:
    """How people see bold and underlined cells in a format: as such, or by signs in a file or a pipe."""
    return ("Bold", "underlined") if format != "table" or console().is_terminal else ("*", "~")
