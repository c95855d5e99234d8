"""The chart of a table: what each outcome gives to `charts.claims`, in the unit of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fitbench.charts.claims import ClaimRow, draw_claims
from fitbench.tables.definition import Table
from fitbench.tables.outcome import Outcome
from fitbench.tables.rendering import ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def chart(table: Table, results: Sequence[Outcome]) -> Figure:
    """Claimed against measured, a line for each outcome. One without claim and measurement keeps its place."""
    return draw_claims([_row(table, outcome) for outcome in results], table.heading)


def _row(table: Table, outcome: Outcome) -> ClaimRow:
    claim, unit, judgement = outcome.row.claim, table.unit, outcome.judgement
    mean, half_width = judgement.measured.mean, judgement.half_width
    measured = mean is not None and half_width is not None
    return ClaimRow(
        label=outcome.row.label,
        claim=None if claim is None else ends((claim.low, claim.high), unit),
        tolerance=None
        if claim is None
        else ends((claim.lowest - table.tolerance, claim.highest + table.tolerance), unit),
        mean=None if mean is None else unit.number(mean),
        interval=ends((mean - half_width, mean + half_width), unit) if measured else None,
        seeds=[unit.number(value) for value in outcome.values],
    )
