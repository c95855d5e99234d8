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
    limits = ends((table.metric.low, table.metric.high), table.unit)
    return draw_claims([_row(table, outcome) for outcome in results], table.heading, limits)


def _row(table: Table, outcome: Outcome) -> ClaimRow:
    claim, unit = outcome.row.claim, table.unit
    mean, half_width = outcome.judgement.measured.mean, outcome.judgement.half_width
    least, most, around = table.metric.low, table.metric.high, None
    if mean is not None and half_width is not None:
        around = max(least, mean - half_width), min(most, mean + half_width)
    return ClaimRow(
        label=outcome.row.label,
        claim=None if claim is None else ends((claim.low, claim.high), unit),
        tolerance=None
        if claim is None
        else ends((claim.lowest - table.tolerance, claim.highest + table.tolerance), unit),
        mean=None if mean is None else unit.number(mean),
        interval=None if around is None else ends(around, unit),
        seeds=[unit.number(value) for value in outcome.values],
    )
