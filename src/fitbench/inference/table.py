"""Prints rows as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fitbench.inference.row_files import writing
from fitbench.inference.rows import Row
from fitbench.text import clean, console, shortened, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

MAX_ROWS = 100
MAX_ERRORS = 20  # below the table
CLASS_WIDTH = 16  # characters
MIN_IMAGE_WIDTH = 16  # characters; the end of a longer name is printed


class Table:
    """An output of rows as a table on stdout: the first rows, and the first errors."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.rows: list[Row] = []
        self.errors: list[Row] = []
        self.omitted = 0

    def recorded(self) -> Iterator[Row]:
        """Yield nothing."""
        return iter(())

    def begin(self) -> None:
        """Do nothing: the table is printed at the end."""

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the first rows and the first errors."""
        for row in rows:
            kept, limit = (self.rows, MAX_ROWS) if row[-1] is None else (self.errors, MAX_ERRORS)
            if len(kept) < limit:
                kept.append(row)
            else:
                self.omitted += 1

    def close(self, complete: bool) -> None:
        """Print the table and the errors, unless the rows are incomplete."""
        if not complete:
            return
        out = console()
        with writing(None):
            if self.rows:
                out.print(self._table(out))
            for row in self.errors:
                out.print(f"{clean(row[0])}: {clean(row[-1])}", style="red", soft_wrap=True)
            if self.omitted:
                out.print(f"and {self.omitted:,} more images; -o FILE or --format csv writes all", soft_wrap=True)

    def _table(self, out: Console) -> RichTable:
        """Build the table. Long image names are shortened to their ends."""
        from rich.cells import cell_len

        headers = ["image", "label", "probability", "second", "third", *(["true"] if "true" in self.names else [])]
        rows = table(out, *headers, right=("probability",))
        cells = [_cells(dict(zip(self.names, row, strict=True))) for row in self.rows]
        others = [
            max(len(header), *map(cell_len, column))
            for header, *column in zip(headers[1:], *(row[1:] for row in cells), strict=True)
        ]
        width = max(MIN_IMAGE_WIDTH, out.width - sum(others) - 3 * len(headers) - 1) if out.is_terminal else None
        for row, (image, *rest) in zip(self.rows, cells, strict=True):
            wrong = "true" in self.names and row[-2] is False
            rows.add_row(_end(image, width), *rest, style="yellow" if wrong else "")
        return rows


def _cells(row: dict[str, Any]) -> list[str]:
    def class_cell(name: str | None, probability: float | None) -> str:
        return "" if name is None or probability is None else f"{shortened(clean(name), CLASS_WIDTH)} {probability:.4f}"

    cells = [clean(row["path"]), shortened(clean(row["label"]), CLASS_WIDTH), f"{row['probability']:.4f}"]
    cells += [class_cell(row[rank], row[f"{rank}_probability"]) for rank in ("second", "third")]
    return cells + ([shortened(clean(row["true"] or ""), CLASS_WIDTH)] if "true" in row else [])


def _end(text: str, width: int | None) -> str:
    """Return the end of a text that fits into `width` columns of the terminal; None does not limit it."""
    from rich.cells import cell_len

    if width is None or cell_len(text) <= width:
        return text
    while cell_len(text) >= width:
        text = text[1:]
    return f"…{text}"
