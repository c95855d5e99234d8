"""What the model of a run takes: images, or the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.errors import FitbenchError
from fitbench.record import dataset
from fitbench.record.dataset import Column
from fitbench.text import clean

NEEDED = {"number": ("mean", "deviation"), "category": ("vocabulary",)}  # keys of a column, by its kind


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes:
        shape: of one example: [height, width, channels] of an image, or [columns] of a row.
        columns: of a table, in the order of the input; empty for images.
    """

    shape: tuple[int, ...]
    columns: tuple[Column, ...] = ()

    @property
    def dtype(self) -> type[np.generic]:
        """The type of the values: pixels are uint8, rows float32."""
        return np.float32 if self.columns else np.uint8

    @property
    def noun(self) -> str:
        """What messages call an example."""
        return "row" if self.columns else "image"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape where the inputs are images."""
        height, width, channels = self.shape
        return height, width, channels

    def examples(self) -> np.ndarray:
        """Two examples that the model must take, [2, *shape]: of zeros, and with the last code of each category."""
        examples = np.zeros((2, *self.shape), self.dtype)
        if self.columns:
            examples[1] = [len(column.vocabulary or ()) for column in self.columns]
        return examples


def recorded_columns(folder: Path) -> tuple[Column, ...]:
    """The columns in dataset.json of a run; none if its inputs are images.

    Raises:
        FitbenchError: dataset.json is damaged, or two columns have the same name, or a column lacks what a model needs.
    """
    record = dataset.read(folder)
    columns = tuple(record.columns) if record else ()
    names: set[str] = set()
    for place, column in enumerate(columns):
        where = f"{folder}/{dataset.NAME}: columns[{place}]"
        if column.name in names:
            raise FitbenchError(f"{where} has the name of another, {clean(column.name)!r}")
        for key in NEEDED[column.kind]:
            if getattr(column, key) is None:
                raise FitbenchError(f"{where}.{key} is missing; a column that is a {column.kind} needs it")
        names.add(column.name)
    return columns


def inputs_of(model: Any, columns: tuple[Column, ...], path: Path) -> Inputs:
    """What a Keras model takes, which must be rows of these columns, or images if there are none.

    Raises:
        FitbenchError: it takes something else; the message names the file of the model, `path`.
    """
    shape = getattr(model, "input_shape", None)
    sides = shape[1:] if isinstance(shape, tuple) and all(isinstance(side, int) for side in shape[1:]) else ()
    if columns:
        if sides != (len(columns),):
            raise FitbenchError(
                f"{path}: takes {shape}; expected rows, [batch, {len(columns)}], of the columns in {dataset.NAME}"
            )
    elif len(sides) != 3:
        raise FitbenchError(f"{path}: takes {shape}; expected images, [batch, height, width, channels]")
    elif sides[2] not in (1, 3):
        raise FitbenchError(f"{path}: takes images of {sides[2]} channels; expected 1 (grey) or 3 (RGB)")
    return Inputs(sides, columns)
