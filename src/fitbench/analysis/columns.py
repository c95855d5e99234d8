"""Columns of text as a table that fits the terminal, or as Markdown; and numbers as such text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fitbench.analysis.statistics import Interval
from fitbench.analysis.terminal import clean, table

if TYPE_CHECKING:
    from rich.console import Console

FEWEST = 4  # characters to which the name of a row is shortened at least


@dataclass(frozen=True)
class Column:
    """A heading and a cell for each row. The texts are clean.

    `spare` is None where the column must stay; of the others, the highest is dropped first where there is no room.
    `key` marks what names a row: its cells may be shortened, which numbers never are.
    """

    head: str
    cells: list[str]
    right: bool = True
    spare: int | None = None
    key: bool = False


def print_columns(out: Console, columns: Sequence[Column]) -> list[str]:
    """Print those columns for which the terminal is wide enough; gives the heads of the others.

    Columns of keys are shortened if dropping others does not help. Where the output is no terminal, all are whole.
    """
    left, dropped = _fitting(columns, out.width) if out.is_terminal else (list(columns), [])
    made = table(out, *("" for _ in left))
    for shown, column in zip(made.columns, left, strict=True):
        shown.header = column.head
        shown.justify = "right" if column.right else "left"
    for row in zip(*(column.cells for column in left), strict=True):
        made.add_row(*row)
    out.print(made)
    return dropped


def _fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[str]]:
    """The columns that a terminal of this width has room for, and the heads of the others."""
    from rich.cells import cell_len, set_cell_size

    def room(column: Column) -> int:
        return max(map(cell_len, (*column.head.splitlines(), *column.cells)))

    def excess() -> int:
        return sum(room(column) + 3 for column in left) + 1 - width

    dropped: list[Column] = []
    left = [replace(column, head=_broken(column.head, column.cells)) for column in columns]
    while excess() > 0 and (spare := [column for column in left if column.spare is not None]):
        dropped.append(max(spare, key=lambda column: column.spare or 0))
        left.remove(dropped[-1])
    while excess() > 0 and (keys := [column for column in left if column.key and room(column) > FEWEST]):
        widest = max(keys, key=room)
        to = max(FEWEST, room(widest) - excess())
        cut = [text if cell_len(text) <= to else f"{set_cell_size(text, to - 1)}…" for text in widest.cells]
        head = "\n".join(part[:to] for part in widest.head.splitlines())
        left[left.index(widest)] = replace(widest, head=head, cells=cut)
    return left, [column.head.replace("\n", "") for column in dropped]


def _broken(head: str, cells: Sequence[str]) -> str:
    """A heading on several lines, broken behind _ and ., where it is wider than what stands below it."""
    from rich.cells import cell_len

    lines = [""]
    parts = re.findall(r"[^_.]+[_.]*|[_.]+", head)
    width = max(map(cell_len, (*cells, *parts)))
    for part in parts:
        if len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(lines)


def print_markdown(columns: Sequence[Column]) -> None:
    """Print a table in GitHub's Markdown, with every column."""
    print(f"| {' | '.join(escaped(column.head) for column in columns)} |")
    print(f"|{'|'.join('---:' if column.right else '---' for column in columns)}|")
    for row in zip(*(column.cells for column in columns), strict=True):
        print(f"| {' | '.join(map(escaped, row))} |")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, even a stranger's."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~&" else c for c in clean(text))


def number(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point, '-' for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def span(interval: Interval | None, digits: int) -> str:
    """An interval such as '0.9562 to 0.9635', '-' for None."""
    return "-" if interval is None else f"{interval[0]:,.{digits}f} to {interval[1]:,.{digits}f}"
