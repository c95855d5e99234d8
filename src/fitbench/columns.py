"""Tables as columns, and what prints them: for a terminal, Markdown, LaTeX, CSV and JSON.

A command builds each column once, with the cells that people read and the values that CSV and JSON hold.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from fitbench.text import clean, console, first_of, shortened, table

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")

FORMATS = ("table", "csv", "json", "markdown", "latex")  # of commands that print tables
FEWEST = 4  # characters to which the name of a row is shortened at least
DROPPED = 12  # columns that a terminal is too narrow for and that are named
APART = 3  # characters between what stands in two columns
SHORTEST = 3  # characters of a heading that begin a line of their own


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


@dataclass(frozen=True)
class Note:
    """A sentence below a table, in one of Rich's styles."""

    text: str
    style: str = "dim"


@dataclass(frozen=True)
class Table:
    """Columns of equal length under a title, and notes below them. The texts of title and notes need not be clean."""

    title: str
    columns: Sequence[Column]
    notes: Sequence[Note] = ()


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
        print({"markdown": markdown, "latex": latex}[format](tables))


def _visible(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.visible]


# -- terminal ---------------------------------------------------------------------------------------------------------


def print_tables(out: Console, tables: Sequence[Table]) -> None:
    """Print tables one below the other, and at the end which columns the terminal is too narrow for."""
    dropped: list[str] = []
    for i, each in enumerate(tables):
        if each.title:
            out.print("\n" * (i > 0) + clean(each.title), style="bold")
        dropped += print_columns(out, each.columns) if each.columns else []
        for note in each.notes:
            out.print(clean(note.text), style=note.style)
    if dropped:
        out.print(f"Too narrow here for: {first_of(dict.fromkeys(dropped), DROPPED)}.", style="dim")


def print_columns(out: Console, columns: Sequence[Column]) -> list[str]:
    """Print those columns for which the terminal is wide enough; gives the heads of the others.

    Columns of keys are shortened if dropping others does not help. Where the output is no terminal, all are whole.
    """
    columns = _visible(columns)
    if not out.is_terminal:
        print(_aligned(columns), file=out.file)
        return []
    from rich.text import Text

    columns, dropped = _shortened(columns, out.width)
    grid = table(out, *("" for _ in columns))
    for heading, column in zip(grid.columns, columns, strict=True):
        heading.header = column.head
        heading.justify = "right" if column.right else "left"
        if column.folded:
            heading.no_wrap, heading.overflow = False, "fold"
    styled = [
        list(map(Text, column.cells, column.styles)) if column.styles else list(map(Text, column.cells))
        for column in columns
    ]
    for row in zip(*styled, strict=True):
        grid.add_row(*row)
    out.print(grid)
    return dropped


def _aligned(columns: Sequence[Column]) -> str:
    """Whole columns, three spaces apart, for a file or a pipe."""
    from rich.cells import cell_len

    padded = []
    for column in columns:
        texts = [column.head, *column.cells]
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


def _with_broken_heads(columns: Sequence[Column]) -> list[Column]:
    return [replace(column, head=broken(column.head, column.cells)) for column in columns]


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that there is room for, as they are, and the others, the least needed first."""
    room = width - 1 - sum(_space(column) for column in columns if column.spare is None)
    dropped: list[Column] = []
    for column in sorted((column for column in columns if column.spare is not None), key=lambda each: each.spare or 0):
        if _space(column) <= room:
            room -= _space(column)
        else:
            dropped.insert(0, column)
    return [column for column in columns if column not in dropped], dropped


def _shortened(columns: Sequence[Column], width: int) -> tuple[list[Column], list[str]]:
    """The columns for a terminal of this width, and the heads of those that it has no room for, the first one first."""
    kept, dropped = fitting(_with_broken_heads(columns), width)
    room = width - 1 - sum(map(_space, kept))
    while room < 0 and (keys := [column for column in kept if column.key and _space(column) > FEWEST + APART]):
        longest = max(keys, key=_space)
        to = max(FEWEST, _space(longest) - APART + room)
        head = "\n".join(part[:to] for part in longest.head.splitlines())
        shorter = replace(longest, head=head, cells=[shortened(cell, to) for cell in longest.cells])
        room += _space(longest) - _space(shorter)
        kept[kept.index(longest)] = shorter
    return kept, [column.head.replace("\n", "") for column in reversed(dropped)]


def widest(head: str, cells: Sequence[str]) -> int:
    """How many columns of the terminal the longest line of a column takes."""
    from rich.cells import cell_len

    return max(map(cell_len, (*head.splitlines(), *cells)), default=0)


def broken(head: str, cells: Sequence[str]) -> str:
    """A heading on several lines, broken behind _ and ., where it is wider than what stands below it."""
    from rich.cells import cell_len

    lines = [""]
    parts = re.findall(r"[^_.]+[_.]*|[_.]+", head)
    most = max(map(cell_len, (*cells, *parts)), default=0)
    for part in parts:
        if cell_len(lines[-1] + part) <= most or len(part) < SHORTEST:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(lines)


# -- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown, with their titles and notes."""
    parts = []
    for each in tables:
        parts += [f"**{escaped(each.title)}**"] * bool(each.title)
        parts += [as_markdown(each.columns), *(escaped(note.text) for note in each.notes)]
    return "\n\n".join(parts)


def as_markdown(columns: Sequence[Column]) -> str:
    """A table in GitHub's Markdown, with every column that people see."""
    columns = _visible(columns)

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


# -- LaTeX ------------------------------------------------------------------------------------------------------------

LATEX_PACKAGES = "% \\usepackage{booktabs}, and textcomp where LaTeX is older than 2020\n"
TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"{'}", "`": r"\textasciigrave{}", "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "…": r"\dots{}",
    "[": "{[}", "]": "{]}", "°": r"\textdegree{}", "µ": r"\textmu{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
}  # fmt: skip
LATIN = ("\N{LATIN CAPITAL LETTER A WITH GRAVE}", "\N{LATIN SMALL LETTER Z WITH CARON}")


def latex(tables: Sequence[Table]) -> str:
    """Tables as LaTeX with booktabs, to \\input into a document."""
    texts = [latex_table(each.columns, each.title, [note.text for note in each.notes]) for each in tables]
    return LATEX_PACKAGES + "\n".join(texts)


def latex_table(columns: Sequence[Column], caption: str, notes: Sequence[str]) -> str:
    """One table environment, with every column that people see."""
    columns = _visible(columns)
    alignment = "".join("r" if column.right else "l" for column in columns)

    def row(cells: Sequence[str]) -> str:
        return f"  {' & '.join(map(_tex_cell, cells))} \\\\\n"

    body = "".join(row(cells) for cells in zip(*(column.cells for column in columns), strict=True))
    return (
        "\\begin{table}\n  \\centering\n"
        + (f"  \\caption{{{tex(caption)}}}\n" if caption else "")
        + f"  \\begin{{tabular}}{{@{{}}{alignment}@{{}}}}\n  \\toprule\n"
        + f"{row([column.head for column in columns])}  \\midrule\n{body}  \\bottomrule\n  \\end{{tabular}}\n"
        + (f"\n  \\medskip\\footnotesize {tex(' '.join(notes))}\n" if notes else "")
        + "\\end{table}\n"
    )


def tex(text: str) -> str:
    """Text that LaTeX sets as it is. Letters beyond Latin, which its usual fonts lack, become '?'."""
    return re.sub("--+|.", lambda match: _tex(match[0]), clean(text))


def _tex(text: str) -> str:
    """A character, or hyphens that would become a dash."""
    if text in TEX:
        return TEX[text]
    if text.startswith("--"):
        return "{-}" * len(text)
    return text if text.isascii() or LATIN[0] <= text <= LATIN[1] else "?"


_SIGNED = re.compile(r"((?<!\S)[+-]\d[\d.,]*\d|(?<!\S)[+-]\d)(?!\S)")


def _tex_cell(text: str) -> str:
    """A cell. A sign before a number is set as one, and not as a hyphen."""
    if text == "-":
        return "--"
    parts = _SIGNED.split(text)  # a number with its sign stands at every odd place
    return "".join(f"${part.replace(',', '{,}')}$" if i % 2 else tex(part) for i, part in enumerate(parts))


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
