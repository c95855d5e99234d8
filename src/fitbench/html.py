"""Tables in HTML, for a browser and to copy into a page. Texts are text, never markup; nothing is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path

from fitbench.columns import Column, Mark, Table, visible
from fitbench.text import clean

GROUNDS = {  # how a page says which ground it has; others have that of the reader's system
    "light": ('[data-jp-theme-light="true"]', ".vscode-light", '[data-md-color-scheme="default"]'),
    "dark": ('[data-jp-theme-light="false"]', ".vscode-dark", '[data-md-color-scheme="slate"]'),
}
COLOURS = {  # of Rich's styles, on a light and on a dark ground
    "green": ("#1a7431", "#5fd385"),
    "cyan": ("#0a6a94", "#5cc8ec"),
    "red": ("#b3261e", "#ff8a80"),
    "yellow": ("#855c00", "#e6b94a"),
    "magenta": ("#8a2f8f", "#e39be6"),
}
MARKED = {Mark.NONE: "{}", Mark.BOLD: "<b>{}</b>", Mark.UNDERLINE: "<u>{}</u>"}
FOLDED = 24  # characters; a longer cell goes on in the next line where its column is a folded one
SELECTOR = ".fitbench-tables"
HEAD = '<!DOCTYPE html>\n<meta charset="utf-8">\n<meta name="color-scheme" content="light dark">\n'


def html(tables: Sequence[Table]) -> str:
    """A page with tables, their titles and notes. What stands in its one `div` can be copied into another page."""
    title = next((each.title for each in tables if each.title), "fitbench")
    content = "\n".join([f"<style>\n{_style()}</style>", *map(_table, tables)])
    return f'{HEAD}<title>{text(title)}</title>\n<div class="fitbench-tables">\n{content}\n</div>'


def text(value: object) -> str:
    """Any text as HTML that shows it."""
    return escape(clean(value))


def on_grounds(selector: str, colours: Mapping[str, tuple[str, str]]) -> str:
    """CSS that gives the elements of a selector the variables --fitbench-NAME, a colour for each ground."""
    light, dark = (
        "{" + "".join(f"--fitbench-{name}: {pair[place]};" for name, pair in colours.items()) + "}" for place in (0, 1)
    )
    stated = [
        f"{', '.join(f'{place} {selector}' for place in places)} {ground}"
        for places, ground in zip(GROUNDS.values(), (light, dark), strict=True)
    ]
    of_system = f"{selector} {light} @media (prefers-color-scheme: dark) {{ {selector} {dark} }}"
    return "\n".join([of_system, *stated])


@cache
def _style() -> str:
    classes = "".join(
        f"{SELECTOR}{SELECTOR} .fitbench-{name} {{ color: var(--fitbench-{name}); }}\n" for name in COLOURS
    )
    rules = Path(__file__).with_name("html.css").read_text("utf-8")
    return f"{on_grounds(SELECTOR, COLOURS)}\n{rules}{classes}"


# -- a table ----------------------------------------------------------------------------------------------------------


def _table(table: Table) -> str:
    columns = visible(table.columns)
    notes = "".join(f"<p{_classes('note', note.style)}>{text(note.text)}</p>\n" for note in table.notes)
    if not columns:
        return notes
    caption = f"<caption>{text(table.title)}</caption>\n" * bool(table.title)
    heads = "".join(f"<th{_classes(*_layout(column))}>{text(column.head)}</th>" for column in columns)
    rows = [f"<tr>{''.join(row)}</tr>\n" for row in zip(*map(_cells, columns), strict=True)]
    body = "".join(f"<tbody>\n{''.join(group)}</tbody>\n" for group in table.groups(rows))
    head = f"<thead>\n{_spanning(columns)}<tr>{heads}</tr>\n</thead>\n"
    return f'<div class="fitbench-wide"><table>\n{caption}{head}{body}</table></div>\n{notes}'


def _spanning(columns: Sequence[Column]) -> str:
    """The row of the texts that stand over several columns; '' without any."""
    groups = [(over, len(list(members))) for over, members in groupby(column.over for column in columns)]
    cells = [f"<th{_classes('over' * bool(over))} colspan={count}>{text(over)}</th>" for over, count in groups]
    return f"<tr>{''.join(cells)}</tr>\n" if any(over for over, _ in groups) else ""


def _cells(column: Column) -> list[str]:
    """The cells, each with its style and mark, and with room for a sign where one cell of the column has one."""
    empty = [""] * len(column.cells)
    element = "th scope=row" if column.key else "td"
    return [
        f"<{element}{_classes(*_layout(column), style)}>{MARKED[Mark(mark)].format(text(cell))}"
        + (f"<span{_classes('sign')}>{text(sign)}</span>" * any(column.signs))
        + f"</{element[:2]}>"
        for cell, sign, style, mark in zip(
            column.cells, column.signs or empty, column.styles or empty, column.marks or empty, strict=True
        )
    ]


def _layout(column: Column) -> tuple[str, str]:
    """The classes of a column: how its cells are aligned, and whether long ones go on in the next line."""
    return "right" * column.right, "folded" * (column.folded and max(map(len, column.cells), default=0) > FOLDED)


def _classes(*names: str) -> str:
    """The attribute with these names, each of which may hold several words."""
    words = [f"fitbench-{word}" for name in names for word in name.split()]
    return f' class="{" ".join(words)}"' if words else ""
