"""The layout of table.yaml: a list of rows, or a matrix whose cells become rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fitbench.config import validated
from fitbench.config.errors import located
from fitbench.errors import RequestError
from fitbench.tables.definition import Matrix
from fitbench.tables.schema import CellFile, RowFile, Settings, TableFile

Placed = tuple[RowFile, tuple[str, str] | None]  # a row, and its cell in a matrix


def check_rows(content: Mapping[str, Any]) -> None:
    """Check each row of a table.yaml by itself, so that a message names its row.

    Raises:
        RequestError: a row is wrong.
    """
    if isinstance(content.get("rows"), list):
        for number, row in enumerate(content["rows"], 1):
            with located(row_name(number, row)):
                validated(RowFile, row, top="a row")


def row_name(number: int, row: Any) -> str:
    """What messages call a row: its number and, if it has one, its label."""
    label = row.get("label") if isinstance(row, Mapping) else None
    return f"row {number}" + (f" ({' '.join(label.split())})" if isinstance(label, str) else "")


def matrix_of(file: TableFile) -> Matrix | None:
    """The layout of the matrix; None for a list of rows."""
    if (matrix := file.matrix) is None:
        return None
    return Matrix(matrix.down, matrix.across, tuple(matrix.lines), tuple(matrix.columns))


def rows_of(file: TableFile) -> list[Placed]:
    """The rows of a table.yaml; those of a matrix line by line, with labels such as 'GunPoint, FCN' (column, line).

    Raises:
        RequestError: a cell of a matrix is in no line or column, or its parts contradict each other.
    """
    return [(row, None) for row in file.rows] if file.matrix is None else list(_cells(file))


def _cells(file: TableFile) -> Iterator[Placed]:
    matrix = file.matrix
    _refuse_others("matrix.cells", matrix.cells, matrix.lines, "matrix.lines")
    for line, across in matrix.cells.items():
        _refuse_others(f"matrix.cells.{line}", across, matrix.columns, "matrix.columns")
    for line, of_line in matrix.lines.items():
        for column, of_column in matrix.columns.items():
            if (cell := matrix.cells.get(line, {}).get(column)) is not None:
                with located(f"matrix.cells.{line}.{column}"):
                    yield _row(f"{column}, {line}", cell, [of_line, of_column, cell]), (line, column)


def _refuse_others(key: str, names: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name in names:
        if name not in known:
            raise RequestError(f"{key} has {name!r}; {where} has {', '.join(known)}")


def _row(label: str, cell: CellFile, parts: Sequence[Settings]) -> RowFile:
    """A cell as a row. What its line sets comes first, then what its column sets, then its own."""
    experiments = [part.experiment for part in parts if part.experiment.strip()]
    if len(experiments) > 1:
        raise RequestError(f"experiment is {' and '.join(map(repr, experiments))}; a cell has one, of line or column")
    values: dict[str, Any] = {}
    for part in parts:
        values |= part.model_dump(exclude_defaults=True, by_alias=True)
    joined = {
        "notes": " ".join(part.notes for part in parts if part.notes),
        "overrides": [override for part in parts for override in part.overrides],
        "chosen": {key: text for part in parts for key, text in part.chosen.items()},
    }
    own = cell.model_dump(exclude_defaults=True, by_alias=True)
    return validated(RowFile, {**values, **joined, **own, **joined, "label": label}, top="a cell")
