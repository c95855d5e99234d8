"""A published table as a picture: lines down, columns across, claimed and measured in cells of the verdict's colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitbench.analysis.palette import GREY, GRID
from fitbench.charts import paper
from fitbench.charts.labels import in_lines, labels, length

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL_INCHES = 0.4  # the height of a cell
HEAD_INCHES = 0.4  # for the names of the columns, which have two lines at most
HEADING_INCHES = 0.3
LABEL_INCHES = 0.25 * paper.WIDTHS["full"]  # for the name of a line
NARROWEST, WIDEST = 0.55, 1.2  # inches of a column
PAD = 0.14  # inches beside the text of a column
APART = 0.2  # of the claim above and the measurement below the middle of a cell, in cells
FILLS = {  # by the colour of the same verdict in a terminal
    "green": "#c9e7cf",
    "cyan": "#c5e3f6",
    "red": "#f6c9c3",
    "magenta": "#e4dcf3",
    "yellow": "#fbebb5",
}
TITLE = "claimed above, measured below; colour and sign are the verdict, in parentheses while seeds are missing"


@dataclass(frozen=True)
class MatrixCell:
    """A cell: what is claimed and measured as text, the verdict, and its colour: a key of `FILLS`, else white."""

    claimed: str
    measured: str
    verdict: str = ""
    colour: str = ""


@dataclass(frozen=True)
class ClaimMatrix:
    """The matrix of one metric.

    Attributes:
        heading: the metric, above the matrix.
        lines, columns: their names.
        cells: of each line a cell for each column; None where there is none.
    """

    heading: str
    lines: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[MatrixCell | None]]


def draw_claim_matrices(matrices: Sequence[ClaimMatrix]) -> Figure:
    """Matrices below each other, as wide as their texts need, and a legend of the verdicts that occur."""
    heights = [HEADING_INCHES + HEAD_INCHES + CELL_INCHES * len(each.lines) for each in matrices]
    name = min(LABEL_INCHES, max(length(line) for each in matrices for line in each.lines))
    body = max(_column_inches(each) * len(each.columns) for each in matrices)
    with paper.style():
        figure = paper.empty(max(name + body + 0.2, paper.WIDTHS["column"]), sum(heights))
        grid = figure.add_gridspec(len(matrices), height_ratios=heights)
        for place, each in enumerate(matrices):
            _draw(figure.add_subplot(grid[place]), each, body / len(each.columns))
        found = {cell.verdict: cell.colour for each in matrices for line in each.cells for cell in line if cell}
        verdicts = sorted(filter(None, found), key=lambda verdict: (list(FILLS).index(found[verdict]), verdict))
        patches = [_patch(found[verdict]) for verdict in verdicts] or [_patch("")]
        paper.legend_above(figure, patches, verdicts or ["no verdict yet"], TITLE)
    return figure


def _column_inches(matrix: ClaimMatrix) -> float:
    """What a column needs: room for its numbers, and for its name up to a limit."""
    cells = [cell for line in matrix.cells for cell in line if cell is not None]
    numbers = max(length(text) for cell in cells for text in (cell.claimed, cell.measured))
    names = max(length(name) for name in matrix.columns)
    return max(NARROWEST, numbers + PAD, min(names + PAD, WIDEST))


def _draw(axes: Axes, matrix: ClaimMatrix, inches: float) -> None:
    for row, line in enumerate(matrix.cells):
        for place, cell in enumerate(line):
            if cell is not None:
                _draw_cell(axes, row, place, cell)
    axes.set(xlim=(-0.5, len(matrix.columns) - 0.5), ylim=(len(matrix.lines) - 0.5, -0.5))
    axes.set_yticks(range(len(matrix.lines)), labels(matrix.lines, LABEL_INCHES))
    axes.set_xticks(range(len(matrix.columns)), [in_lines(name, inches - PAD / 2) for name in matrix.columns])
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_title(matrix.heading, loc="left", color=GREY)
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_cell(axes: Axes, row: int, place: int, cell: MatrixCell) -> None:
    fill = FILLS.get(cell.colour, "white")
    axes.add_patch(_rectangle((place - 0.48, row - 0.46), 0.96, 0.92, facecolor=fill, gid="cell"))
    for text, at, color in ((cell.claimed, row - APART, GREY), (cell.measured, row + APART, "black")):
        axes.text(place, at, text, ha="center", va="center_baseline", color=color)


def _patch(colour: str) -> Any:
    return _rectangle((0, 0), 1, 1, facecolor=FILLS.get(colour, "white"))


def _rectangle(*place: Any, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(*place, linewidth=0.5, edgecolor=GRID, **look)
