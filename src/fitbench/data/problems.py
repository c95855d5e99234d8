"""Collects what is wrong with the columns of a table, so that one message says all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fitbench.errors import DataError

MOST_LINES = 10


class Problems:
    """What is wrong with a file.

    Attributes:
        where: the file.
        lines: a problem each.
        features: the columns with a problem that the model need not take.
    """

    def __init__(self, where: str) -> None:
        """Begin with none."""
        self.where = where
        self.lines: list[str] = []
        self.features: list[str] = []

    @contextmanager
    def collected(self, feature: str | None = None) -> Iterator[None]:
        """In this block a `DataError` is kept and ends the block. `feature` names the column that it is about."""
        try:
            yield
        except DataError as error:
            self.lines.append(str(error).removeprefix(f"{self.where}: "))
            if feature is not None:
                self.features.append(feature)

    def refuse(self, advice: str = "") -> None:
        """Refuse the file if something is wrong.

        Args:
            advice: a last line of the message; '' for none.

        Raises:
            DataError: the message has a line for each problem, and counts those after `MOST_LINES`.
        """
        if not self.lines:
            return
        last = f"\n{advice}" if advice else ""
        if len(self.lines) == 1:
            raise DataError(f"{self.where}: {self.lines[0]}{last}")
        shown = "".join(f"\n- {line}" for line in self.lines[:MOST_LINES])
        more = f"\n- and {len(self.lines) - MOST_LINES:,} more" if len(self.lines) > MOST_LINES else ""
        raise DataError(f"{self.where}: {len(self.lines):,} problems:{shown}{more}{last}")
