"""The outcomes of a table as a matrix: for each metric the cells, the best ones and the ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from fitbench.analysis import ranks
from fitbench.analysis.ranks import Ranks
from fitbench.metrics import Metric
from fitbench.tables.definition import Table, heading
from fitbench.tables.outcome import Outcome


@dataclass(frozen=True)
class Side:
    """How the claimed or the measured values of a matrix rank within their columns.

    Attributes:
        ranks: of each line the rank in each column, from 1 for the best; None without a value.
        needs_all: whether there are no average ranks as long as a line has no value; else such a line does not count.
    """

    ranks: Sequence[Ranks]
    needs_all: bool

    @property
    def without(self) -> list[int]:
        """The positions of the lines without any value."""
        return [line for line, places in enumerate(self.ranks) if set(places) == {None}]

    @property
    def ranked(self) -> list[int]:
        """The positions of the columns in which every line that counts has a value."""
        return [] if self.needs_all and self.without else ranks.complete(self.ranks)

    @property
    def averages(self) -> list[float | None]:
        """The mean of the ranks of each line in these columns, see `ranks.averages`; None without any."""
        return ranks.averages(self.ranks) if self.ranked else [None] * len(self.ranks)

    def best(self, column: int) -> list[bool]:
        """For each line, whether no value of the column is better than its own, and some value is worse."""
        return ranks.best([places[column] for places in self.ranks])


@dataclass(frozen=True)
class Block:
    """The matrix of one metric.

    Attributes:
        lines, columns: the names of those that have a cell.
        cells: of each line the outcome in each column; None where the table has no such cell.
    """

    lines: list[str]
    columns: list[str]
    cells: list[list[Outcome | None]]

    @property
    def outcomes(self) -> list[Outcome]:
        """Those that are there, line by line."""
        return [outcome for line in self.cells for outcome in line if outcome is not None]

    @property
    def metric(self) -> Metric:
        """The metric."""
        return self.outcomes[0].row.measure.metric

    @property
    def heading(self) -> str:
        """The metric with its part and its unit."""
        return heading(dict.fromkeys(outcome.row.measure for outcome in self.outcomes))

    @property
    def digits(self) -> int:
        """Decimals of measured values: those of the claims, and at least one fewer than the unit has."""
        claimed = [outcome.row.claim.digits for outcome in self.outcomes if outcome.row.claim is not None]
        row = self.outcomes[0].row
        return max(*claimed, row.measure.unit.digits - 1) if claimed else row.digits

    @cached_property
    def claimed(self) -> Side:
        """The ranks of the claims. A line of which nothing is claimed does not count."""
        return self._side(_claimed, needs_all=False)

    @cached_property
    def measured(self) -> Side:
        """The ranks of the means over the seeds."""
        return self._side(lambda outcome: outcome.judgement.measured.mean, needs_all=True)

    def _side(self, value: Callable[[Outcome], float | None], needs_all: bool) -> Side:
        values = [[None if one is None else value(one) for one in column] for column in zip(*self.cells, strict=True)]
        columns = [ranks.ranks(column, self.metric.higher_is_better) for column in values]
        return Side(list(zip(*columns, strict=True)), needs_all)

    @property
    def has_ranks(self) -> bool:
        """Whether average ranks say something that the cells do not."""
        several = len(self.lines) > 1 and len(self.columns) > 1
        return several and bool(self.claimed.ranked or self.measured.ranked)


def _claimed(outcome: Outcome) -> float | None:
    """The claimed value, of a range its middle; None where none is stated."""
    claim = outcome.row.claim
    return None if claim is None else (claim.low + claim.high) / 2


def blocks(table: Table, results: Sequence[Outcome]) -> list[Block]:
    """The matrix of each metric and unit of a table that is one, in the order in which they occur.

    Parts of the data have matrices of their own where a cell has several.
    """
    assert table.matrix is not None
    measures = [(outcome.row.cell, outcome.row.measure) for outcome in results]
    several = len({(cell, measure.metric.name, measure.unit) for cell, measure in measures}) < len(results)
    by_metric: dict[object, dict[tuple[str, str], Outcome]] = {}
    for outcome, (cell, measure) in zip(results, measures, strict=True):
        assert cell is not None
        name = measure.name if several else measure.metric.name
        by_metric.setdefault((name, measure.unit), {})[cell] = outcome
    return [_block(table.matrix.lines, table.matrix.columns, cells) for cells in by_metric.values()]


def _block(lines: Sequence[str], columns: Sequence[str], cells: dict[tuple[str, str], Outcome]) -> Block:
    down = [line for line in lines if any(line == cell[0] for cell in cells)]
    across = [column for column in columns if any(column == cell[1] for cell in cells)]
    return Block(down, across, [[cells.get((line, column)) for column in across] for line in down])
