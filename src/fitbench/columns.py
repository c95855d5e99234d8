"""Columns of text as a table that fits the terminal, or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fitbench.text import clean, shortened, table

if TYPE_CHECKING:
    from rich.console import Console

FEWEST = 4  # characters to which the name of a row is shortened at least
APART = 3  # characters between what stands in two columns
SHORTEST = 3  # characters of a heading that begin a line of their own


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

    def room(column: Column) -> int:
        return widest(column.head, column.cells)

    def excess() -> int:
        return sum(room(column) + APART for column in left) + 1 - width

    dropped: list[Column] = []
    left = [replace(column, head=broken(column.head, column.cells)) for column in columns]
    while excess() > 0 and (spare := [column for column in left if column.spare is not None]):
        dropped.append(max(spare, key=lambda column: column.spare or 0))
        left.remove(dropped[-1])
    while excess() > 0 and (keys := [column for column in left if column.key and room(column) > FEWEST]):
        longest = max(keys, key=room)
        to = max(FEWEST, room(longest) - excess())
        head = "\n".join(part[:to] for part in longest.head.splitlines())
        left[left.index(longest)] = replace(longest, head=head, cells=[shortened(cell, to) for cell in longest.cells])
    return left, [column.head.replace("\n", "") for column in dropped]


def widest(head: str, cells: Sequence[str]) -> int:
    """How many columns of the terminal the longest line of a column takes."""
    from rich.cells import cell_len

    return max(map(cell_len, (*head.splitlines(), *cells)))


def broken(head: str, cells: Sequence[str]) -> str:
    """A heading on several lines, broken behind _ and ., where it is wider than what stands below it."""
    from rich.cells import cell_len

    lines = [""]
    parts = re.findall(r"[^_.]+[_.]*|[_.]+", head)
    width = max(map(cell_len, (*cells, *parts)))
    for part in parts:
        if cell_len(lines[-1] + part) <= width or len(part) < SHORTEST:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(lines)


def as_markdown(columns: Sequence[Column]) -> str:
    """A table in GitHub's Markdown, with every column."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(escaped, cells))} |"

    rule = f"|{'|'.join('---:' if column.right else '---' for column in columns)}|"
    rows = zip(*(column.cells for column in columns), strict=True)
    return "\n".join([line([column.head for column in columns]), rule, *map(line, rows)])


# a _ between letters means nothing; a ( behind ] would make a link, a [ that begins a line the target of one
_MARKUP = re.compile(r"[\\`*|~]|(?<![^\W_])_|_(?![^\W_])|(?<=\])\(|^[\[>]")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, even a stranger's."""
    return _MARKUP.sub(r"\\\g<0>", clean(text).replace("&", "&amp;").replace("<", "&lt;"))
