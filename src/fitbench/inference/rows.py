"""The rows that `fitbench predict` writes: one per example, with what the model says of it or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.inference.examples import Examples
from fitbench.inference.layout import Layout, Row

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

NOT_FINITE = "the output of the model is not a finite number"


def rows_of(reader: Reader, layout: Layout, batch: Examples) -> list[Row]:
    """Compute what the model says of the examples of a batch, and return a row for each."""
    errors, true = batch.errors, batch.true
    readable = [i for i in range(len(batch.places)) if i not in errors]
    found = dict(zip(readable, answers(reader, batch.inputs[readable]), strict=True)) if readable else {}
    nothing = [None] * len(layout.answers)
    rows = []
    for i, place in enumerate(batch.places):
        answer = found.get(i)
        cells = [*place, *(answer or nothing)]
        if true is not None:
            cells += [true[i], None if true[i] is None or answer is None else answer[0] == true[i]]
        cells.append(errors.get(i, NOT_FINITE if answer is None else None))
        rows.append(dict(zip(layout.heads, cells, strict=True)))
    return rows


def answers(reader: Reader, inputs: np.ndarray) -> list[list[Any] | None]:
    """What the model says of each example; None if its outputs are not finite."""
    outputs = reader.outputs(inputs)
    with np.errstate(invalid="ignore"):
        found = reader.task.answers(reader.names, outputs, reader.recorded(outputs), reader.threshold)
    finite = np.isfinite(outputs).all(axis=1)
    return [answer if is_finite else None for answer, is_finite in zip(found, finite, strict=True)]
