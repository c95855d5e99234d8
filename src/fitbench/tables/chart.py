"""The charts of a table: what each outcome gives to `charts.claims` and `charts.claim_matrix`, in its unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fitbench.charts.claim_matrix import ClaimMatrix, MatrixCell, draw_claim_matrices
from fitbench.charts.claims import ClaimPanel, ClaimRow, draw_claims
from fitbench.metrics import Metric
from fitbench.tables.cells import ends
from fitbench.tables.definition import Table, heading
from fitbench.tables.matrix import Block, blocks
from fitbench.tables.matrix_tables import cell_texts, sign
from fitbench.tables.outcome import Outcome
from fitbench.tables.units import Unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def chart(results: Sequence[Outcome]) -> Figure:
    """Claimed against measured, a panel for each metric and unit, a line for each outcome.

    An outcome without claim and measurement keeps its place.
    """
    panels: dict[tuple[Metric, Unit], list[Outcome]] = {}
    for outcome in results:
        panels.setdefault((outcome.row.measure.metric, outcome.row.measure.unit), []).append(outcome)
    return draw_claims([_panel(members) for members in panels.values()])


def matrix_chart(table: Table, results: Sequence[Outcome]) -> Figure:
    """The table as its source prints it, for a table that is a matrix: a matrix for each metric."""
    return draw_claim_matrices([_matrix(block) for block in blocks(table, results)])


def _matrix(block: Block) -> ClaimMatrix:
    cells = [[None if cell is None else _cell(cell, block.digits) for cell in line] for line in block.cells]
    return ClaimMatrix(block.heading, block.lines, block.columns, cells)


def _cell(outcome: Outcome, digits: int) -> MatrixCell:
    shown = sign(outcome)
    claimed, measured = cell_texts(outcome, digits)
    return MatrixCell(claimed, f"{measured} {shown.text}".rstrip(), shown.meaning, shown.style)


def _panel(results: Sequence[Outcome]) -> ClaimPanel:
    measures = [outcome.row.measure for outcome in results]
    metric, unit = measures[0].metric, measures[0].unit
    of_errors = unit.of_errors or not metric.higher_is_better
    limits = ends((metric.low, metric.high), unit)
    return ClaimPanel([_row(outcome) for outcome in results], heading(measures), limits, of_errors)


def _row(outcome: Outcome) -> ClaimRow:
    claim, unit, metric = outcome.row.claim, outcome.row.measure.unit, outcome.row.measure.metric
    tolerance = outcome.row.measure.tolerance
    mean, half_width = outcome.judgement.measured.mean, outcome.judgement.half_width
    around = None
    if mean is not None and half_width is not None:
        around = max(metric.low, mean - half_width), min(metric.high, mean + half_width)
    return ClaimRow(
        label=outcome.row.label,
        claim=None if claim is None else ends((claim.low, claim.high), unit),
        tolerance=None if claim is None else ends((claim.lowest - tolerance, claim.highest + tolerance), unit),
        mean=None if mean is None else unit.number(mean),
        interval=None if around is None else ends(around, unit),
        seeds=[unit.number(value) for value in outcome.values],
    )
