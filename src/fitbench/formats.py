"""Tables printed in the formats of `--format`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fitbench.columns import Column, Table, as_csv, print_tables, records
from fitbench.html import html
from fitbench.latex import latex
from fitbench.markdown import markdown
from fitbench.text import clean, console

FORMATS = ("table", "csv", "json", "markdown", "latex", "html")  # of commands that print tables
DOCUMENTS = {"markdown": markdown, "latex": latex, "html": html}  # those for people besides the terminal


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
