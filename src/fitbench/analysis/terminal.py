"""What the commands print with: one way to write to stdout, and names that cannot misuse the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fitbench.errors import RequestError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """Stdout, in colour and as wide as the terminal; plain and never cut where it is a pipe or a file.

    No text is read as markup. Characters that the encoding of stdout lacks are printed as '?'.
    """
    import io
    import sys

    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    width = None if sys.stdout.isatty() else 1000
    return Console(markup=False, emoji=False, highlight=False, width=width)


def table(
    out: Console, *columns: str, right: Sequence[str] = (), flexible: Sequence[str] = (), **options: Any
) -> Table:
    """A table with these columns: rounded lines in a terminal, plain aligned text elsewhere.

    The columns named in `right` hold numbers. Those in `flexible` are shortened where the terminal is too narrow.
    """
    from rich import box
    from rich.table import Table

    lines = box.ROUNDED if out.is_terminal else None
    made = Table(box=lines, header_style="bold", border_style="dim", **options)
    if lines is None:
        made.pad_edge = False
        made.padding = (0, 3, 0, 0)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if column in flexible else len(column),
        )
    return made


def check_format(format: str, known: Sequence[str]) -> None:
    """Refuse what --format cannot be.

    Raises:
        RequestError: the format is none of those that are known.
    """
    if format not in known:
        allowed = " or ".join(known) if len(known) == 2 else f"one of {', '.join(known)}"
        raise RequestError(f"--format is {format!r}; it must be {allowed}")


def shortened(text: str, most: int) -> str:
    """The text in so many columns of the terminal at most, with an ellipsis where its end is missing."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= most else f"{set_cell_size(text, most - 1)}…"


def clean(text: object) -> str:
    """The text with control characters, line ends and direction marks spelled out, as in '\\x1b'."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))
