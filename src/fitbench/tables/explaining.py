"""Rows that explain others: the same claim, reproduced with other settings of a named group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fitbench.config.errors import nearest
from fitbench.errors import RequestError
from fitbench.tables.definition import Row


def check(rows: Sequence[Row]) -> None:
    """Refuse explanations by a row that does not exist or has another claim.

    Raises:
        RequestError: the message names the row.
    """
    by_key: Mapping[tuple[str, str], Row] = {row.key: row for row in rows}
    for row in rows:
        if row.explanation is None:
            continue
        where = f"row {row.number} ({row.label}): explained_by.row is {row.explanation.label!r}"
        other = by_key.get((row.explanation.label, row.measure.name))
        if other is None:
            raise RequestError(
                f"{where}; no row has this label" + nearest(row.explanation.label, [r.label for r in rows], "")
            )
        if other is row:
            raise RequestError(f"{where}, the row itself")
        if other.claim != row.claim or not other.measured:
            raise RequestError(f"{where}; that row has another claim; a row is explained by one with the same claim")
