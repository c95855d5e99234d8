"""Takes the targets of a run from a table, with the names of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fitbench.data.image_paths import nfc
from fitbench.errors import DataError
from fitbench.text import clean, counted, first_of

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from fitbench.tasks import Task


def targets_of(frame: DataFrame, columns: Sequence[str], task: Task, names: Sequence[str], path: str) -> np.ndarray:
    """The targets in these columns of a table, as `Dataset` has those of the task.

    Raises:
        DataError: a value is missing, or is no class, number or label of the run; the message names the first such row.
    """
    is_class = task.has_classes and len(columns) == 1
    for name in columns:
        _check_complete(frame[name], "category" if is_class else "number", path)
    if is_class:
        return _classes(frame[columns[0]], names, f"{path}: the column {clean(columns[0])}")
    numbers = np.column_stack([_numbers(frame, column, path) for column in columns])
    if task.has_values:
        return numbers.astype(np.float32)
    wrong = np.argwhere(~np.isin(numbers, (0, 1)))
    if len(wrong):
        row, place = wrong[0]
        raise DataError(f"{path}: row {row + 1}: {clean(columns[place])} is {numbers[row, place]:g}; expected 0 or 1")
    if not task.has_classes:
        return numbers.astype(np.int8)
    counts = numbers.sum(axis=1)
    if (counts != 1).any():
        row = int((counts != 1).argmax())
        raise DataError(
            f"{path}: row {row + 1}: {int(counts[row]) or 'none'} of the columns {first_of(columns)} are 1; expected a "
            "1 in the column of the class, and 0 in the others"
        )
    return numbers.argmax(axis=1).astype(np.int32)


def _check_complete(column: Series, kind: str, path: str) -> None:
    from fitbench.data.table_columns import missing_in

    rows = np.flatnonzero(missing_in(column, kind))
    if len(rows):
        raise DataError(
            f"{path}: the target {clean(column.name)!r} is missing in {counted(len(rows), 'row')}, such as row "
            f"{rows[0] + 1:,}. Leave these rows out"
        )


def _classes(column: Series, names: Sequence[str], where: str) -> np.ndarray:
    """The positions of values in the names of the classes, int32 [N].

    A value is the class that is written like it, or else the one that has its name as a category of a table.
    """
    import pandas as pd

    from fitbench.data.table_columns import name_of

    positions = {name_of(nfc(name)): position for position, name in enumerate(names)}
    positions |= {nfc(name): position for position, name in enumerate(names)}
    codes, values = pd.factorize(column)
    texts = [nfc(str(value)) for value in values]
    found = [positions.get(text, positions.get(name_of(text.strip()), -1)) for text in texts]
    labels = np.array(found, np.int32)[codes]
    if (labels < 0).any():
        row = int((labels < 0).argmax())
        allowed = clean(", ".join(names))
        raise DataError(
            f"{where}: row {row + 1} is {clean(column.iloc[row])!r:.60}; the classes of the run are {allowed:.200}"
        )
    return labels


def _numbers(frame: DataFrame, column: str, path: str) -> np.ndarray:
    """The numbers of a column, float64 [N]."""
    import pandas as pd

    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~(np.abs(values) <= np.finfo(np.float32).max))
    if len(wrong):
        value = frame[column].iloc[wrong[0]]
        raise DataError(
            f"{path}: row {wrong[0] + 1}: {clean(column)} is {clean(value)!r:.60}; expected a finite number below "
            "3.4e38"
        )
    return values
