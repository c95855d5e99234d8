"""How many of the tables of comparisons, and how many of their rows, a terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

LOWEST = 24  # lines of the smallest terminal that tables are made for
FEWEST = 3  # rows of a table, if it has so many
AROUND, BELOW = 7, 4  # lines around the rows of a table, and below all tables


class Size(NamedTuple):
    """The lines that a comparison needs: the rows of each table, and lines besides those around any table."""

    tables: Sequence[int]
    others: int

    def lines(self, rows: int) -> int:
        """Lines in a terminal if a table has so many rows at most."""
        return self.others + sum(AROUND + min(each, rows) + (each > rows) for each in self.tables)


def room(out: Console, sizes: Sequence[Size]) -> tuple[int, int, int]:
    """How many comparisons fit, the first of them at least, how many rows each table can have, and the lines left."""
    lines = max(out.height, LOWEST) - BELOW
    shown = next(
        (count for count in range(len(sizes), 1, -1) if sum(size.lines(FEWEST) for size in sizes[:count]) <= lines), 1
    )
    longest = max((rows for size in sizes for rows in size.tables), default=FEWEST)
    rows = FEWEST
    while rows < longest and sum(size.lines(rows + 1) for size in sizes[:shown]) <= lines:
        rows += 1
    return shown, rows, max(0, lines - sum(size.lines(rows) for size in sizes[:shown]))
