"""The layout of table.yaml: a list of rows, or a matrix whose cells become rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fitbench.config import validated
from fitbench.config.errors import did_you_mean, located, refusal
from fitbench.errors import RequestError
from fitbench.tables.definition import Matrix
from fitbench.tables.schema import CellFile, RowFile, Settings, TableFile

Placed = tuple[RowFile, tuple[str, str] | None]  # a row, and its cell in a matrix


def check_parts(content: Mapping[str, Any]) -> None:
    """Check each row of a table.yaml, or each line, column and cell of its matrix, by itself: a message names it.

    Raises:
        RequestError: one of them is wrong.
    """
    if isinstance(rows := content.get("rows"), list):
        for number, row in enumerate(rows, 1):
            with located(row_name(number, row)):
                validated(RowFile, row, top="a row")
    _check_matrix(_section(content, "matrix"))


def _check_matrix(matrix: Mapping[str, Any]) -> None:
    for key in ("lines", "columns"):
        for name, settings in _section(matrix, key).items():
            with located(f"matrix.{key}.{name}"):
                if not isinstance(settings, Mapping | None):
                    raise RequestError(refusal("it", settings, "a section such as {overrides: [model=mlp]}"))
                validated(Settings, settings or {}, top="a line or a column")
    for line, across in _section(matrix, "cells").items():
        for column, cell in across.items() if isinstance(across, Mapping) else ():
            with located(f"matrix.cells.{line}.{column}"):
                if cell in (None, "", "-"):
                    raise RequestError("it is empty; leave out a cell that has no claim")
                validated(CellFile, cell if isinstance(cell, Mapping) else {"claimed": cell}, top="a cell")


def _section(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The section under a key; empty where there is none."""
    section = content.get(key)
    return section if isinstance(section, Mapping) else {}


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
        RequestError: two rows have the same label, a cell of a matrix is in no line or column, or its parts contradict
            each other.
    """
    placed = [(row, None) for row in file.rows] if file.matrix is None else list(_cells(file))
    label, count = Counter(row.label for row, _ in placed).most_common(1)[0]
    if count > 1:
        raise RequestError(f"{'rows' if file.matrix is None else 'matrix'}: {count} rows have the label {label!r}")
    return placed


def _cells(file: TableFile) -> Iterator[Placed]:
    matrix = file.matrix
    _refuse_others("matrix.cells", matrix.cells, matrix.lines, "matrix.lines")
    for line, across in matrix.cells.items():
        _refuse_others(f"matrix.cells.{line}", across, matrix.columns, "matrix.columns")
    for line, of_line in matrix.lines.items():
        for column, of_column in matrix.columns.items():
            if (cell := matrix.cells.get(line, {}).get(column)) is not None:
                with located(f"matrix.cells.{line}.{column}"):
                    yield _row(f"{column}, {line}", [of_line, of_column, cell]), (line, column)
    having = {"lines": matrix.cells, "columns": {column for across in matrix.cells.values() for column in across}}
    for key, names in (("lines", matrix.lines), ("columns", matrix.columns)):
        for name in names:
            if name not in having[key]:
                raise RequestError(f"matrix.{key}.{name}: matrix.cells has no cell of it; add one, or leave it out")


def _refuse_others(key: str, names: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name in names:
        if name not in known:
            near = did_you_mean(name, list(known))
            raise RequestError(f"{key} has {name!r}; {where} has {', '.join(known)}{near}")


def _row(label: str, parts: Sequence[Settings]) -> RowFile:
    """A cell as a row. What its line sets comes first, then what its column sets, then its own."""
    experiments = [part.experiment for part in parts if part.experiment.strip()]
    if len(experiments) > 1:
        raise RequestError(f"experiment is {' and '.join(map(repr, experiments))}; a cell has one, of line or column")
    values: dict[str, Any] = {}
    for part in parts:
        values |= part.model_dump(exclude_unset=True, by_alias=True)
    joined = {
        "experiment": "".join(experiments),
        "notes": " ".join(part.notes for part in parts if part.notes),
        "overrides": [override for part in parts for override in part.overrides],
        "chosen": {key: text for part in parts for key, text in part.chosen.items()},
    }
    return validated(RowFile, {**values, **joined, "label": label}, top="a cell")
