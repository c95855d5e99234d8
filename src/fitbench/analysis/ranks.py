"""Ranks within the columns of a matrix, and their averages over the columns in which every row has one."""

from __future__ import annotations

import math
from collections.abc import Sequence

SAME = 12  # digits in which two values agree that are equal
SOURCE = "J. Demšar (2006), Journal of Machine Learning Research 7, 1-30"

Ranks = Sequence[float | None]  # from 1 for the best; None without a value


def ranks(values: Sequence[float | None], higher_is_better: bool) -> list[float | None]:
    """The rank of each value; equal ones share the mean of their ranks. None has no rank."""
    sign = -1 if higher_is_better else 1
    rounded = [None if value is None else sign * float(f"{value:.{SAME}g}") for value in values]
    present = [value for value in rounded if value is not None]
    return [
        None if value is None else sum(each < value for each in present) + (present.count(value) + 1) / 2
        for value in rounded
    ]


def best(places: Ranks) -> list[bool]:
    """Whether each rank, or average of ranks, is one of the lowest, and some other is higher."""
    found = set(places) - {None}
    lowest = min((rank for rank in places if rank is not None), default=None)
    return [len(found) > 1 and rank == lowest for rank in places]


def complete(rows: Sequence[Ranks]) -> list[int]:
    """The positions of the columns in which every row has a rank; rows without any rank do not count."""
    counted = [row for row in rows if any(rank is not None for rank in row)]
    if not counted:
        return []
    return [place for place, column in enumerate(zip(*counted, strict=True)) if None not in column]


def averages(rows: Sequence[Ranks]) -> list[float | None]:
    """The mean of the ranks of each row in the complete columns; None without such columns and for a row without ranks.

    J. Demšar (2006), Statistical comparisons of classifiers over multiple data sets, J. of Machine Learning Research 7,
    1-30, section 3.2.2: the best of a column has rank 1, and equal ones share the mean of their ranks.
    """
    places = complete(rows)
    counted = [[rank for place in places if (rank := row[place]) is not None] for row in rows]
    return [math.fsum(row) / len(row) if row else None for row in counted]
