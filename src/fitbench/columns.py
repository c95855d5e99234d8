"""Tables as columns, and how they look in a terminal and as CSV and JSON; `formats` prints them in any format.

A command builds each column once, with the cells that people read and the values that CSV and JSON hold.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby, repeat
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TypeVar

from fitbench.text import clean, first_of, shortened, table

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")

FEWEST = 4  # characters to which the name of a row is shortened at least
DROPPED = 12  # columns that a terminal is too narrow for and that are named
APART = 3  # characters between what stands in two columns
SHORTEST = 3  # characters of a heading that begin a line of their own
FOLDED = 20  # characters of a line that a folded column keeps where the columns up to NEEDED have no room
NEEDED = 1  # the largest `Column.spare` of these columns; for the others a folded column keeps twice as much
SPACES = 3  # columns that a break behind a space saves at least


class Mark(StrEnum):
    """What stands out in a cell, in every format that people read. The values are Rich's styles."""

    NONE = ""
    BOLD = "bold"
    UNDERLINE = "underline"


PLAIN = {Mark.NONE: "  ", Mark.BOLD: " *", Mark.UNDERLINE: " ~"}  # behind a cell in a file or a pipe


@dataclass(frozen=True, eq=False)
class Column:
    """A heading and a cell for each row. Cells and headings are clean texts.

    Attributes:
        head: what people read above the cells.
        cells: a text for each row.
        right: whether the cells are aligned to the right, as numbers are.
        spare: None where the column must stay; of the others, those with the lowest number are kept where a terminal
            has no room for all.
        key: whether the cells name rows. They may be shortened, which numbers never are.
        values: the same for CSV and JSON: by their names there, a value for each row. There are several names where a
            cell says several things, as '0.95 ± 0.01' does.
        visible: whether people see the column; if not, it is in CSV and JSON alone.
        styles: Rich's style of each cell; none where all are plain.
        folded: whether a cell that a terminal has no room for goes on in the next line.
        marks: the mark of each cell; none where no cell has any.
        from_end: whether a shortened cell shows the end of its text, as that of a path, and not the beginning.
        over: what people read above the heads of this column and its neighbours with the same text; '' without any.
        signs: a sign that stands behind each cell, as '='; none where no cell has any.
    """

    head: str
    cells: list[str]
    right: bool = True
    spare: int | None = None
    key: bool = False
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    visible: bool = True
    styles: Sequence[str] = ()
    folded: bool = False
    marks: Sequence[Mark] = ()
    over: str = ""
    from_end: bool = False
    signs: Sequence[str] = ()


@dataclass(frozen=True)
class Note:
    """A sentence below a table, in one of Rich's styles."""

    text: str
    style: str = "dim"


@dataclass(frozen=True)
class Table:
    """Columns of equal length under a title, and notes below them. The texts of title and notes need not be clean.

    Where a terminal has no room for all columns, those of a `wrapped` table go on below, with the keys repeated. Others
    are left out. `together` is how many rows form a group, which stands apart from the next one. `shortened`: columns
    may be left out in LaTeX too, where a table else becomes smaller.
    """

    title: str
    columns: Sequence[Column]
    notes: Sequence[Note] = ()
    wrapped: bool = False
    together: int = 1
    shortened: bool = False

    def groups(self, rows: Sequence[Item]) -> list[Sequence[Item]]:
        """The rows that stand together; all where each is for itself."""
        size = self.together if self.together > 1 else max(len(rows), 1)
        return [rows[first : first + size] for first in range(0, len(rows), size)]


def column(
    head: str,
    items: Sequence[Item],
    cell: Callable[[Item], str],
    values: Mapping[str, Callable[[Item], Any]] | None = None,
    **options: Any,
) -> Column:
    """The column with a cell and values for each item; `options` are further attributes of `Column`."""
    by_name = {name: [value(item) for item in items] for name, value in (values or {}).items()}
    return Column(head, [cell(item) for item in items], values=by_name, **options)


def selected(columns: Sequence[Column], rows: Sequence[int]) -> list[Column]:
    """The columns with these rows alone, in this order."""
    return [
        replace(
            column,
            cells=[column.cells[row] for row in rows],
            values={name: [values[row] for row in rows] for name, values in column.values.items()},
            styles=[column.styles[row] for row in rows] if column.styles else (),
            marks=[column.marks[row] for row in rows] if column.marks else (),
            signs=[column.signs[row] for row in rows] if column.signs else (),
        )
        for column in columns
    ]


def stacked(tables: Sequence[Sequence[Column]]) -> list[Column]:
    """One table for CSV from several, one below the other: every name that one of them has; None where one lacks it."""
    by_name: dict[str, list[Any]] = {name: [] for columns in tables for each in columns for name in each.values}
    for columns in tables:
        values = {name: values for each in columns for name, values in each.values.items()}
        rows = max(map(len, values.values()), default=0)
        for name, stack in by_name.items():
            stack.extend(values.get(name) or [None] * rows)
    return [Column(name, [], values={name: values}) for name, values in by_name.items()]


def visible(columns: Sequence[Column]) -> list[Column]:
    """Those that people see."""
    return [column for column in columns if column.visible]


def signed(columns: Sequence[Column]) -> list[Column]:
    """The columns with the signs in their cells, which have room for a sign all where one has one."""
    return [
        replace(
            column, cells=list(map(_signed, column.cells, column.signs, repeat(max(map(len, column.signs))))), signs=()
        )
        if any(column.signs)
        else column
        for column in columns
    ]


def _signed(cell: str, sign: str, room: int) -> str:
    return f"{cell} {sign:{room}}"


# -- terminal ---------------------------------------------------------------------------------------------------------


def print_tables(out: Console, tables: Sequence[Table]) -> None:
    """Print tables one below the other, and at the end which columns the terminal is too narrow for."""
    dropped: list[str] = []
    for i, each in enumerate(tables):
        if each.title:
            out.print("\n" * (i > 0) + clean(each.title), style="bold")
        elif i > 0 and each.together > 1:
            out.print()
        columns = signed(each.columns)
        parts = wrapped(columns, out.width) if each.wrapped and out.is_terminal else [columns]
        for part in parts:
            dropped += print_columns(out, part, each.together) if part else []
        for note in each.notes:
            out.print(clean(note.text), style=note.style)
    if dropped:
        out.print(f"Too narrow here for: {first_of(dict.fromkeys(dropped), DROPPED)}.", style="dim")


def print_columns(out: Console, columns: Sequence[Column], together: int = 1) -> list[str]:
    """Print those columns for which the terminal is wide enough; gives the heads of the others.

    Columns of keys are shortened if dropping others does not help. Where the output is no terminal, all are whole.
    `together`: how many rows form a group; a terminal shows a line between groups of several.
    """
    columns = signed(visible(columns))
    if not out.is_terminal:
        print(_aligned(columns), file=out.file)
        return []
    from rich.text import Text

    columns, dropped = _shortened(columns, out.width)
    columns = [_padded(column) if column.right else column for column in columns]
    grid = table(out, *("" for _ in columns))
    widths = _folded(columns, out.width)
    for heading, column in zip(grid.columns, columns, strict=True):
        heading.header = column.head
        heading.justify = "right" if column.right else "left"
        if column.folded:
            heading.no_wrap, heading.overflow, heading.width = False, "fold", widths[column]
    plain = [""] * max((len(column.cells) for column in columns), default=0)
    styled = [list(map(Text, column.cells, column.styles or column.marks or plain)) for column in columns]
    for number, row in enumerate(zip(*styled, strict=True), 1):
        grid.add_row(*row, end_section=together > 1 and number % together == 0)
    out.print(grid)
    return dropped


def _padded(column: Column) -> Column:
    """A column aligned to the right by spaces of its own, if any of its cells ends in spaces.

    Cells without a sign end in spaces, so that the numbers stand below one another. Rich removes these spaces from
    cells that it aligns to the right.
    """
    if all(cell == cell.rstrip() for cell in column.cells):
        return column
    from rich.cells import cell_len

    room = widest(column.head, column.cells)
    heads, cells = (
        [" " * (room - cell_len(text)) + text for text in texts] for texts in (column.head.split("\n"), column.cells)
    )
    return replace(column, right=False, head="\n".join(heads), cells=cells)


def _aligned(columns: Sequence[Column]) -> str:
    """Whole columns, three spaces apart, for a file or a pipe."""
    from rich.cells import cell_len

    padded = []
    for column in _headed(columns, [column.over for column in columns], [column.head for column in columns]):
        marks = [PLAIN[mark] for mark in column.marks] or [""] * len(column.cells)
        heads = [head + PLAIN[Mark.NONE] * bool(column.marks) for head in column.head.split("\n")]
        texts = [*heads, *(cell + mark for cell, mark in zip(column.cells, marks, strict=True))]
        lengths = list(map(cell_len, texts))
        longest = max(lengths)
        spaces = [" " * (longest - length) for length in lengths]
        padded.append([f"{space}{text}" if column.right else text + space
                       for space, text in zip(spaces, texts, strict=True)])  # fmt: skip
    return "\n".join((" " * APART).join(line).rstrip() for line in zip(*padded, strict=True))


def width(columns: Sequence[Column]) -> int:
    """How many columns of a terminal a table takes at least, without shortening or dropping anything."""
    return sum(_space(column) for column in _with_broken_heads(columns)) + 1


def _space(column: Column) -> int:
    return widest(column.head, column.cells) + APART


def _least_space(column: Column, folded: int) -> int:
    """The room that a column takes. A folded column needs no more than `folded` characters of a line for its cells."""
    return min(_space(column), folded + APART) if column.folded else _space(column)


def _folded(columns: Sequence[Column], width: int) -> dict[Column, int]:
    """How wide each folded column is in a terminal of this width.

    The widest give way first. Words are broken where there is no other way, and no number is shortened for a text.
    """
    room = width - 1 - sum(APART if column.folded else _space(column) for column in columns)
    widths = {column: min(widest(column.head, column.cells), width) for column in columns if column.folded}
    words = {column: widest("", " ".join((column.head, *column.cells)).split()) for column in widths}
    return _lowered(_lowered(widths, words, room), dict.fromkeys(widths, 1), room)


def _lowered(widths: Mapping[Column, int], least: Mapping[Column, int], room: int) -> dict[Column, int]:
    """Widths of together at most `room`: the largest come down to a common level, but none below its own least one."""
    lowered: dict[Column, int] = {}
    for level in range(max(widths.values(), default=0), -1, -1):
        lowered = {column: max(min(width, level), min(width, least[column])) for column, width in widths.items()}
        if sum(lowered.values()) <= room:
            break
    return lowered


def _with_broken_heads(columns: Sequence[Column]) -> list[Column]:
    """The columns with heads of several lines where they are wider than the cells, and what stands over them on top."""
    heads = [broken(column.head, column.cells) for column in columns]
    overs = [
        "\n".join(wrap(column.over, max(1, widest(head, column.cells)), break_long_words=False))
        for column, head in zip(columns, heads, strict=True)
    ]
    return _headed(columns, overs, heads)


def _headed(columns: Sequence[Column], overs: Sequence[str], heads: Sequence[str]) -> list[Column]:
    """The columns with heads that begin with what stands over them. All end in the same line where one does."""
    lines = ["\n".join(filter(None, pair)) for pair in zip(overs, heads, strict=True)]
    most = max(line.count("\n") for line in lines) if any(overs) else 0
    above = ["\n" * (most - line.count("\n")) * any(overs) for line in lines]
    return [replace(column, head=space + line) for column, space, line in zip(columns, above, lines, strict=True)]


def wrapped(columns: Sequence[Column], room: int) -> list[list[Column]]:
    """Tables for a terminal of this width that hold all columns together, each with all keys.

    A table ends where the text over the columns changes, if the next columns with one text need a table of their own.
    """
    columns = visible(columns)
    keys = [column for column in columns if column.key]
    parts: list[list[Column]] = [[]]
    for _, members in groupby((column for column in columns if not column.key), key=lambda column: column.over):
        block = list(members)
        if parts[-1] and width([*keys, *parts[-1], *block]) > room:
            parts.append([])
        for column in block:
            if parts[-1] and width([*keys, *parts[-1], column]) > room:
                parts.append([])
            parts[-1].append(column)
    return [[*keys, *part] for part in parts]


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that there is room for, as they are, and the others, the least needed first.

    Folded columns are made narrower for the columns that are needed most. FOLDED and NEEDED say how far. A column
    without a value is needed least.
    """
    kept = [column for column in columns if column.spare is None]
    dropped: list[Column] = []
    spare = (column for column in columns if column.spare is not None)
    for column in sorted(spare, key=lambda each: (set(each.cells) <= {"", "-"}, each.spare)):
        folded = FOLDED if (column.spare or 0) <= NEEDED else 2 * FOLDED
        if sum(_least_space(each, folded) for each in [*kept, column]) < width:
            kept.append(column)
        else:
            dropped.insert(0, column)
    return [column for column in columns if column in kept], dropped


def _shortened(columns: Sequence[Column], width: int) -> tuple[list[Column], list[str]]:
    """The columns for a terminal of this width, and the heads of those that it has no room for, the first one first."""
    headed = _with_broken_heads(columns)
    kept, dropped = fitting(headed, width)
    room = width - 1 - sum(_least_space(column, FEWEST) for column in kept)
    while room < 0 and (keys := [one for one in kept if one.key and not one.folded and _space(one) > FEWEST + APART]):
        longest = max(keys, key=_space)
        to = max(FEWEST, _space(longest) - APART + room)
        head = "\n".join(part[:to] for part in longest.head.splitlines())
        shorter = replace(longest, head=head, cells=[shortened(cell, to, longest.from_end) for cell in longest.cells])
        room += _space(longest) - _space(shorter)
        kept[kept.index(longest)] = shorter
    return kept, [columns[headed.index(column)].head for column in reversed(dropped)]


def widest(head: str, cells: Sequence[str]) -> int:
    """How many columns of the terminal the longest line of a column takes."""
    from rich.cells import cell_len

    return max(map(cell_len, (*head.splitlines(), *cells)), default=0)


def broken(head: str, cells: Sequence[str]) -> str:
    """A heading on several lines, broken behind _ and . where it is wider than what stands below it.

    It is broken behind spaces where that saves `SPACES` columns of the terminal or more.
    """
    from rich.cells import cell_len

    lines = [""]
    words = re.findall(r"[^_. ]+[_. ]*|[_. ]+", head)
    saved = cell_len(head) - max(map(cell_len, (*cells, *map(str.rstrip, words))), default=0)
    parts = words if saved >= SPACES else re.findall(r"[^_.]+[_.]*|[_.]+", head)
    most = max(map(cell_len, (*cells, *map(str.rstrip, parts))), default=0)
    for part in parts:
        if cell_len((lines[-1] + part).rstrip()) <= most or len(part) < SHORTEST:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(map(str.rstrip, lines))


# -- CSV and JSON -----------------------------------------------------------------------------------------------------


def as_csv(columns: Sequence[Column], text: Callable[[str], str] = str) -> str:
    """The values as CSV, one line for each row; `text` says how texts are written."""
    by_name = {name: values for column in columns for name, values in column.values.items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(text, by_name))
    writer.writerows(zip(*([_field(value, text) for value in values] for values in by_name.values()), strict=True))
    return out.getvalue()


def _field(value: Any, text: Callable[[str], str]) -> str:
    return "" if value is None else text(value) if isinstance(value, str) else json.dumps(value)


def records(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The values as an object for each row, for JSON."""
    by_name = {name: values for column in columns for name, values in column.values.items()}
    return [dict(zip(by_name, row, strict=True)) for row in zip(*by_name.values(), strict=True)]
