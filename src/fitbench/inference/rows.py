"""The rows that `fitbench predict` writes: one per example, with what the model says of it or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.text import clean

if TYPE_CHECKING:
    from fitbench.inference.examples import Examples
    from fitbench.inference.reader import Reader
    from fitbench.tasks import Task

NOT_FINITE = "the output of the model is not a finite number"
TRUTH = ("true", "correct")
ERROR = "error"

Row = dict[str, Any]  # cells by column, in the order of the columns; None for an empty cell


@dataclass(frozen=True)
class Layout:
    """The columns of rows.

    Attributes:
        place: the columns that identify an example: path, or row, or both.
        answers: the columns of what the model says of an example.
        labelled: whether there are columns for the true class, and whether the prediction is correct.
        noun: what messages call an example.
    """

    place: tuple[str, ...]
    answers: tuple[str, ...]
    labelled: bool
    noun: str

    @staticmethod
    def of(place: tuple[str, ...], noun: str, task: Task, names: Sequence[str], labelled: bool = False) -> Layout:
        """The layout for a task with these names of outputs.

        An answer that has the name of another column, as a target called 'error' has, is called '<name>_predicted'.
        """
        others = (*place, *TRUTH * labelled, ERROR)
        answers = (f"{name}_predicted" if name in others else name for name in task.answer_columns(names))
        return Layout(place, tuple(answers), labelled, noun)

    @property
    def heads(self) -> tuple[str, ...]:
        """All columns in their order."""
        return (*self.place, *self.answers, *TRUTH * self.labelled, ERROR)

    def place_of(self, row: Row) -> str:
        """What identifies the example of a row, for messages."""
        return ", ".join(f"row {row[name]}" if name == "row" else clean(row[name]) for name in self.place)


def rows_of(reader: Reader, layout: Layout, batch: Examples) -> list[Row]:
    """Compute what the model says of the examples of a batch, and return a row for each."""
    errors, true = batch.errors, batch.true
    readable = [i for i in range(len(batch.places)) if i not in errors]
    answers = dict(zip(readable, _answers(reader, batch.inputs[readable]), strict=True)) if readable else {}
    nothing = [None] * len(layout.answers)
    rows = []
    for i, place in enumerate(batch.places):
        answer = answers.get(i)
        cells = [*place, *(answer or nothing)]
        if true is not None:
            cells += [true[i], None if true[i] is None or answer is None else answer[0] == true[i]]
        cells.append(errors.get(i, NOT_FINITE if answer is None else None))
        rows.append(dict(zip(layout.heads, cells, strict=True)))
    return rows


def _answers(reader: Reader, inputs: np.ndarray) -> list[list[Any] | None]:
    """What the model says of each example; None if its outputs are not finite."""
    outputs = reader.outputs(inputs)
    with np.errstate(invalid="ignore"):
        answers = reader.task.answers(reader.names, outputs, reader.recorded(outputs), reader.threshold)
    finite = np.isfinite(outputs).all(axis=1)
    return [answer if is_finite else None for answer, is_finite in zip(answers, finite, strict=True)]
