"""Groups of runs as a matrix: one key of their configuration in the columns, the others in the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fitbench.analysis import ranks, request
from fitbench.analysis.comparable import comparable, first_metric, labels
from fitbench.analysis.comparison import Compared, Comparison, compared
from fitbench.analysis.frame import column, in_known_groups, of_known_task, plain_values, varying
from fitbench.analysis.groups import Group, Identity, also_differ, group_each, in_order, row_texts
from fitbench.analysis.names import short_name
from fitbench.analysis.statistics import SIGNIFICANT
from fitbench.analysis.telling import by_kind, text
from fitbench.errors import RequestError
from fitbench.quantities import Quantity

if TYPE_CHECKING:
    import pandas as pd

DATA, SHA256 = "data.name", "dataset.sha256"

Keys = tuple[Any, ...]  # the values of a row's keys
Parts = Sequence[tuple[Any, "pd.DataFrame"]]  # the value of each column, and its runs


@dataclass(frozen=True)
class Cell:
    """The runs of a row in a column, by one metric.

    Attributes:
        group: the runs.
        rank: of the mean among those of the column, from 1; equal means have the mean of their ranks. None without a
            value.
        best: whether no mean of the column is better, and some mean is worse.
        comparison: with the best of the column; None for the best that the others are compared with, and without value.
    """

    group: Group
    rank: float | None
    best: bool
    comparison: Comparison | None

    @property
    def p(self) -> float | None:
        """The p-value against the best of the column, corrected after Holm for the column; None without a test."""
        return self.comparison.p_holm if self.comparison else None

    @property
    def as_good(self) -> bool:
        """Whether the mean is not the best, and a test finds no significant difference from the best of the column."""
        return self.group.rank != 1 and self.p is not None and self.p >= SIGNIFICANT


@dataclass(frozen=True)
class Block:
    """The cells of one metric.

    Attributes:
        metric: the metric.
        columns: the groups of each column and their comparison with its best, by one metric.
        cells: of each row, a cell for each column; None where it has no runs.
    """

    metric: Quantity
    columns: list[Compared]
    cells: list[list[Cell | None]]

    @property
    def complete(self) -> list[int]:
        """The positions of the columns in which every row has a value; rows without any value do not count."""
        return ranks.complete(self._ranks)

    @property
    def average_ranks(self) -> list[float | None]:
        """The mean of the ranks of each row in the complete columns, see `ranks.averages`."""
        return ranks.averages(self._ranks)

    @property
    def _ranks(self) -> list[list[float | None]]:
        return [[cell.rank if cell else None for cell in row] for row in self.cells]


@dataclass(frozen=True)
class Pivot:
    """A matrix of groups: the rows that are best on average first, as far as they have ranks by the first metric.

    Attributes:
        keys, heads: the columns of the frame that name rows, and the same as short as `--by` takes them.
        pivot, head: the column of the frame whose values are the columns of the matrix, and the same shorter.
        rows, texts: the values of the keys of each row, and the same as people read them.
        values: of each column of the matrix, the value of the pivot; where that is the data set, what tells the data
            sets apart.
        blocks: the cells of each metric.
        differing: of each row, the settings that are no keys and differ between its columns, with their values.
        uncounted: how many runs do not count by any of the metrics, by the reason.
        runs: the number of runs.
        left_out: folders that could not be read, with the reason.
        of: how people tell this matrix from others that are shown beside it, as 'mnist'; '' without others.
        task: of the runs; '' where they are of several tasks, or it is not known.
        data: what names the data set of the runs among those of all matrices; None where data sets are the columns.
    """

    keys: list[str]
    heads: list[str]
    pivot: str
    head: str
    rows: list[Keys]
    texts: list[tuple[str, ...]]
    values: list[Any]
    blocks: list[Block]
    differing: list[dict[str, list[Any]]]
    uncounted: Counter[str]
    runs: int
    left_out: list[tuple[str, str]]
    of: str = ""
    task: str = ""
    data: str | None = None


def pivots(which: request.Which, pivot: str, by: str | None, metrics: Sequence[str]) -> list[Pivot]:
    """The matrices of the runs: one for each task where data sets are the columns, else one for each data set.

    All runs of a column can be compared and are of one data set: data sets of one name have a column each if their test
    parts or their training parts differ.

    Args:
        which: the runs.
        pivot: the column of the frame whose values become columns, as people name it.
        by: the keys of the rows, separated by commas; None stands for those that tell the runs of a column apart.
        metrics: the recorded numbers, as people name them; none stands for the primary metric of the runs. Runs of
            data sets in which none records the first are left out.

    Raises:
        RequestError: an option is wrong, no run remains, or the runs have different definitions of a metric.
    """
    frame = request.selected_runs(which)
    name = column(frame, pivot)
    sets = comparable(frame, first_metric(frame, metrics))
    if name != DATA:
        return [
            replace(
                _matrix(each.frame, _parts(each.frame, name), name, by, metrics),
                of=each.label,
                task=each.task,
                data=each.label or each.data,
            )
            for each in sets
        ]
    tasks: dict[str, list[pd.DataFrame]] = {}
    for each in sets:
        tasks.setdefault(each.task, []).extend(_data_sets(each.frame, by))
    return [
        replace(
            _matrix(frame.loc[[row for part in parts for row in part.index]], _named(parts), name, by, metrics),
            of=task * (len(tasks) > 1),
            task=task,
        )
        for task, parts in tasks.items()
    ]


def _parts(frame: pd.DataFrame, pivot: str) -> Parts:
    """The runs of each value of a column, in the order of the values."""
    rows: dict[tuple[bool, Any], list[int]] = {}
    for row, value in enumerate(plain_values(frame[pivot])):
        rows.setdefault(by_kind(value), []).append(row)
    return [(value, frame.iloc[rows[kind, value]]) for kind, value in sorted(rows, key=lambda each: in_order(each[1]))]


def _data_sets(frame: pd.DataFrame, by: str | None) -> list[pd.DataFrame]:
    """The runs of each data set of a frame; where it is by default the training part that tells runs apart, by this."""
    parts = [part for _, part in _parts(frame, DATA)]
    if by is not None:
        return parts
    return [
        one
        for part in parts
        for one in (
            [each for _, each in _parts(part, SHA256)] if SHA256 in request.keys(of_known_task(part), None) else [part]
        )
    ]


def _named(parts: Sequence[pd.DataFrame]) -> Parts:
    """The parts, each of one data set, with what tells these apart, in its order."""
    names = labels(parts) if len(parts) > 1 else [text(plain_values(parts[0][DATA])[0])]
    return sorted(zip(names, parts, strict=True), key=lambda part: part[0])


def _matrix(frame: pd.DataFrame, parts: Parts, pivot: str, by: str | None, metrics: Sequence[str]) -> Pivot:
    """The matrix of the runs of a frame, of which each column has a part."""
    wanted: Sequence[str | None] = metrics or [None]
    quantities = [request.measured(frame, metric) for metric in wanted]
    keys = _keys(frame, [part for _, part in parts], pivot, by)
    kept, varied = [in_known_groups(part, keys) for _, part in parts], varying(frame)
    by_part = [group_each(part, keys, quantities, varied) for part in kept]
    by_metric = [
        [compared(part, groups[place], metric, keys) for part, groups in zip(kept, by_part, strict=True)]
        for place, metric in enumerate(quantities)
    ]
    found = list(dict.fromkeys(entry.identity for one in by_metric[0] for entry in one.groups))
    blocks = [_block(metric, of_metric, found) for metric, of_metric in zip(quantities, by_metric, strict=True)]
    order = _best_first(blocks[0], found)
    rows = [tuple(value for _, value in found[row]) for row in order]
    blocks = [Block(block.metric, block.columns, [block.cells[row] for row in order]) for block in blocks]
    return Pivot(
        keys=keys,
        heads=[short_name(frame, key) for key in keys],
        pivot=pivot,
        head=short_name(frame, pivot),
        rows=rows,
        texts=row_texts(rows),
        values=[value for value, _ in parts],
        blocks=blocks,
        differing=[also_differ([cell.group for cell in row if cell], [*keys, pivot]) for row in blocks[0].cells],
        uncounted=_uncounted(by_metric),
        runs=sum(map(len, kept)),
        left_out=frame.attrs["left_out"],
    )


def _uncounted(by_metric: Sequence[Sequence[Compared]]) -> Counter[str]:
    """The runs that do not count. One that has not finished is in the groups of all metrics, and counts once."""
    counts: Counter[str] = Counter()
    for columns in by_metric:
        counts |= sum((tally for one in columns for tally in one.uncounted), Counter())
    return counts + sum((Counter(one.without_task) for one in by_metric[0]), Counter())


def _keys(frame: pd.DataFrame, parts: Iterable[pd.DataFrame], pivot: str, by: str | None) -> list[str]:
    """The keys of the rows: those that a person names, or all that tell runs of one column apart.

    Raises:
        RequestError: the person names the key that the columns are for.
    """
    if by is not None:
        if pivot in (keys := request.keys(frame, by)):
            raise RequestError(f"--by and --pivot both name {pivot}; rows and columns need different keys")
        return keys
    chosen = {key for part in parts for key in request.keys(of_known_task(part), None)} - {pivot}
    keys = [name for name in frame.columns if name in chosen]
    known = of_known_task(frame)
    return [name for name in keys if len(set(map(by_kind, plain_values(known[name])))) > 1] or keys


def _block(metric: Quantity, columns: list[Compared], rows: Sequence[Identity]) -> Block:
    by_row = [_cells(one) for one in columns]
    return Block(metric, columns, [[cells.get(row) for cells in by_row] for row in rows])


def _cells(of: Compared) -> Mapping[Identity, Cell]:
    """The cells of a column by the keys of their rows."""
    places = ranks.ranks([entry.summary.mean for entry in of.groups], of.metric.higher_is_better)
    return {
        entry.identity: Cell(entry, rank, best, comparison)
        for entry, rank, best, comparison in zip(of.groups, places, ranks.best(places), of.comparisons, strict=True)
    }


def _has_value(cell: Cell | None) -> bool:
    return cell is not None and cell.rank is not None


def _best_first(block: Block, rows: Sequence[Identity]) -> list[int]:
    """The positions of the rows by their average rank, then by how many of their cells have a value, then by keys."""
    averages = block.average_ranks

    def place(row: int) -> tuple[float, int, list[Any]]:
        values = sum(map(_has_value, block.cells[row]))
        return averages[row] or math.inf, -values, [in_order(key) for _, key in rows[row]]

    return sorted(range(len(rows)), key=place)
