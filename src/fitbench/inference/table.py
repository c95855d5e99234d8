"""Rows as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fitbench.inference.answers import Row
from fitbench.inference.row_files import writing
from fitbench.text import clean, console, shortened, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

SHOWN = 100  # rows of the table, and
SHOWN_ERRORS = 20  # of the errors below it
NAME = 16  # characters of a class
SHORTEST = 16  # characters of an image's name, of which the end is shown


class Table:
    """Rows as a table for people: the first of them, and what could not be read."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.rows: list[Row] = []
        self.errors: list[Row] = []
        self.left = 0

    def recorded(self) -> Iterator[Row]:
        """There are none."""
        return iter(())

    def begin(self) -> None:
        """Nothing is printed before all is known."""

    def write(self, rows: Sequence[Row]) -> None:
        """Keep rows, if they are to be shown."""
        for row in rows:
            kept, room = (self.rows, SHOWN) if row[-1] is None else (self.errors, SHOWN_ERRORS)
            if len(kept) < room:
                kept.append(row)
            else:
                self.left += 1

    def close(self, whole: bool) -> None:
        """Print the table and what could not be read, unless something went wrong."""
        if not whole:
            return
        out = console()
        with writing(None):
            if self.rows:
                out.print(self._table(out))
            for row in self.errors:
                out.print(f"{clean(row[0])}: {clean(row[-1])}", style="red", soft_wrap=True)
            if self.left:
                out.print(f"and {self.left:,} images more; -o FILE or --format csv has all", soft_wrap=True)

    def _table(self, out: Console) -> RichTable:
        """The rows; of an image's name as much of its end as there is room for."""
        from rich.cells import cell_len

        heads = ["image", "label", "probability", "second", "third", *(["true"] if "true" in self.names else [])]
        made = table(out, *heads, right=("probability",))
        cells = [_cells(dict(zip(self.names, row, strict=True))) for row in self.rows]
        others = [
            max(len(head), *map(cell_len, column))
            for head, *column in zip(heads[1:], *(row[1:] for row in cells), strict=True)
        ]
        room = max(SHORTEST, out.width - sum(others) - 3 * len(heads) - 1) if out.is_terminal else None
        for row, (image, *rest) in zip(self.rows, cells, strict=True):
            wrong = "true" in self.names and row[-2] is False
            made.add_row(_end(image, room), *rest, style="yellow" if wrong else "")
        return made


def _cells(row: dict[str, Any]) -> list[str]:
    def named(name: str | None, probability: float | None) -> str:
        return "" if name is None or probability is None else f"{shortened(clean(name), NAME)} {probability:.4f}"

    cells = [clean(row["path"]), shortened(clean(row["label"]), NAME), f"{row['probability']:.4f}"]
    cells += [named(row[place], row[f"{place}_probability"]) for place in ("second", "third")]
    return cells + ([shortened(clean(row["true"] or ""), NAME)] if "true" in row else [])


def _end(text: str, most: int | None) -> str:
    """The end of the text in so many columns of the terminal at most."""
    from rich.cells import cell_len

    if most is None or cell_len(text) <= most:
        return text
    while cell_len(text) >= most:
        text = text[1:]
    return f"…{text}"
