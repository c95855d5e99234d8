"""How groups are told apart in one chart: by colour, marker, line and filling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fitbench.analysis.palette import DASHES, MARKERS, SERIES

MOST = len(SERIES)  # groups that colours and markers can tell apart
LINES: tuple[Any, ...] = tuple((0, dashes) if dashes else "-" for dashes in DASHES)


@dataclass(frozen=True)
class Look:
    """How one group is drawn."""

    color: str
    marker: str
    line: Any
    filled: bool


def looks(values: Sequence[tuple[Any, ...]]) -> list[Look]:
    """A look for each group, given the values of its keys; at most `MOST` groups.

    In a grid, colour and marker tell the first key, line and filling the second. Else each group has a colour and a
    marker of its own.
    """
    grid = grid_of(values)
    if grid:
        first, second = grid
        places = [(first.index(a), second.index(b)) for a, b in values]
        return [Look(SERIES[i].light, MARKERS[i], LINES[j], not j % 2) for i, j in places]
    return [Look(SERIES[i].light, MARKERS[i], LINES[i % len(LINES)], i < MOST // 2) for i in range(len(values))]


def grid_of(values: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[Any]] | None:
    """The values of two keys that both vary, the second over few enough for a line of its own each; else None."""
    if not all(len(value) == 2 for value in values):
        return None
    first, second = (list(dict.fromkeys(value[i] for value in values)) for i in (0, 1))
    return (first, second) if len(first) > 1 and 1 < len(second) <= len(LINES) else None
