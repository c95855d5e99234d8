"""The columns of the rows that `fitbench predict` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.tasks import Task
from fitbench.text import clean

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

        Raises:
            FitbenchError: two outputs have the same name.
        """
        others = (*place, *TRUTH * labelled, ERROR)
        answers = (f"{name}_predicted" if name in others else name for name in task.answer_columns(names))
        layout = Layout(place, tuple(answers), labelled, noun)
        if len(set(layout.heads)) < len(layout.heads):
            raise FitbenchError(f"two outputs of the run have the same name: {clean(', '.join(names)):.200}")
        return layout

    @property
    def heads(self) -> tuple[str, ...]:
        """All columns in their order."""
        return (*self.place, *self.answers, *TRUTH * self.labelled, ERROR)

    def place_of(self, row: Row) -> str:
        """What identifies the example of a row, for messages."""
        return ", ".join(f"row {row[name]}" if name == "row" else clean(row[name]) for name in self.place)
