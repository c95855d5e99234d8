"""Rows of a table in requests to `fitbench serve`: JSON objects, or lists of values in the order of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.inference import api
from fitbench.inference.card import replaces_missing
from fitbench.inference.prepare import Prepare
from fitbench.inference.served import Named, Served
from fitbench.inference.table_examples import encode
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs
from fitbench.text import clean, counted, first_of, shortened
from fitbench.untrusted import LONGEST_TEXT

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

AT_A_TIME = 64  # rows; `encode` looks for every wrong one, and a request is refused for the first
LONGEST = 300  # characters of a message about a cell


class ServedRows(Served):
    """Rows of a table. The content of an example is the text of each cell, as a CSV file would have it."""

    value = "object with a value for each column"
    description = (
        'The JSON is {"example": row} or {"examples": [row, ...]}. A row is an object with a value for each column '
        "that /models lists, or a list of values in the order of the columns. A value is a number, a text, true or "
        "false. null stands for a missing value; it is refused for a number that no row of the training part misses, "
        "unless the run has data.missing=mean. Other keys of an object are ignored. If one row of a request cannot be "
        "read, the whole request is refused."
    )

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        super().__init__(readers, limits)
        self.columns = readers[0].inputs.columns
        self.names = [column.name for column in self.columns]
        self.body = api.json_body({"type": ["object", "array"]}, self.blank())

    def from_json(self, value: Any, name: str) -> list[str]:
        """The text of each cell, in the order of the columns.

        Raises:
            HTTPException: 422, it is no such row; the message begins with its name.
        """
        if isinstance(value, dict):
            if absent := [column for column in self.names if column not in value]:
                columns = "column" if len(absent) == 1 else "columns"
                text = f"{name}: lacks the {columns} {first_of(map(clean, absent))}; null stands for a missing value"
                raise HTTPException(422, shortened(text, LONGEST))
            value = [value[column] for column in self.names]
        if not isinstance(value, list):
            raise HTTPException(422, f"{name}: expected an object with a value for each column, or a list of values")
        if len(value) != len(self.names):
            columns = counted(len(self.names), "column")
            raise HTTPException(422, f"{name}: {counted(len(value), 'value')}; the models take {columns}")
        return [_text(cell, f"{name}: {column}") for cell, column in zip(value, self.names, strict=True)]

    def blank(self) -> dict[str, Any]:
        """A row of means, and of the first category of each vocabulary."""
        return {
            column.name: column.mean if column.kind == "number" else next(iter(column.vocabulary or ()), None)
            for column in self.columns
        }

    def size(self, inputs: Inputs) -> int:
        """The number of columns."""
        return len(inputs.columns)

    def prepare(
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """The rows as each model takes them, float32 [N, columns] by model, encoded as `fitbench predict` does.

        Raises:
            HTTPException: 422, a value is not what its column holds; the message begins with the name of the example.
        """
        from pandas import DataFrame, Series

        cells = zip(*(row for _, row in examples), strict=True)
        frame = DataFrame(
            {name: Series(texts, dtype="category") for name, texts in zip(self.names, cells, strict=True)}
        )
        prepared = {}
        for model, reader in models.items():
            parts = []
            for start in range(0, len(frame), AT_A_TIME):
                rows = frame.iloc[start : start + AT_A_TIME]
                inputs, errors = encode(rows, reader.inputs.columns, "row", replaces_missing(reader.result))
                for place, problem in errors.items():
                    raise HTTPException(422, shortened(f"{examples[start + place][0]}: {problem}", LONGEST))
                parts.append(inputs)
            prepared[model] = np.concatenate(parts)
        return prepared

    def value_of(self, example: np.ndarray, reader: Reader) -> dict[str, Any]:
        """A row as an object; null stands for a missing number, and for a category that training has not seen."""
        return {column.name: _cell(value, column) for column, value in zip(reader.inputs.columns, example, strict=True)}

    def seen(self, example: np.ndarray) -> list[Any]:
        """The numbers and codes; null for a missing number."""
        return [None if np.isnan(value) else value for value in example.tolist()]


def _cell(value: np.float32, column: Column) -> float | str | None:
    """The value that stands in an input for a cell: a number in its fewest digits, or the name of a category."""
    if column.kind == "number":
        return None if np.isnan(value) else float(str(value))
    return (column.vocabulary or ())[int(value) - 1] if value > 0 else None


def _text(cell: Any, where: str) -> str:
    """A cell as a CSV file would have it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return repr(cell)
    if isinstance(cell, str) and len(cell) > LONGEST_TEXT:
        text = f"{clean(where)}: a text of {len(cell):,} characters; expected at most {LONGEST_TEXT:,}"
        raise HTTPException(422, shortened(text, LONGEST))
    if isinstance(cell, str):
        return cell.strip()
    raise HTTPException(422, shortened(f"{clean(where)}: expected a number, a text, true, false or null", LONGEST))
