"""Tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fitbench.columns import Column, Mark, Table, signed, visible
from fitbench.text import clean

MARKED = {Mark.NONE: "{}", Mark.BOLD: "**{}**", Mark.UNDERLINE: "<u>{}</u>"}


def markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown, with their titles and notes."""
    parts = []
    for each in tables:
        parts += [f"**{escaped(each.title)}**"] * bool(each.title)
        parts += [as_markdown(each.columns), *(escaped(note.text) for note in each.notes)]
    return "\n\n".join(parts)


def as_markdown(columns: Sequence[Column]) -> str:
    """A table in GitHub's Markdown, with every column that people see."""
    columns = signed(visible(columns))

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rule = f"|{'|'.join('---:' if column.right else '---' for column in columns)}|"
    rows = zip(*map(_cells, columns), strict=True)
    return "\n".join([line(list(map(_head, columns))), rule, *map(line, rows)])


def _head(column: Column) -> str:
    """The heading. Markdown has no cells over several columns, so that each repeats what stands over it."""
    return "<br>".join(map(escaped, filter(None, (column.over, column.head))))


def _cells(column: Column) -> list[str]:
    cells = [escaped(cell).rstrip() for cell in column.cells]  # a space before ** would show them as they are
    return (
        [MARKED[mark].format(cell) for cell, mark in zip(cells, column.marks, strict=True)] if column.marks else cells
    )


# a _ between letters means nothing; a ( behind ] would make a link, a [ that begins a line the target of one
_MARKUP = re.compile(r"[\\`*|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=\])\(|^[\[>]")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, even a stranger's."""
    return _MARKUP.sub(r"\\\g<0>", clean(text).replace("&", "&amp;").replace("<", "&lt;"))
