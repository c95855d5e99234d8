"""What the model of a run takes, as its run has recorded it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.kinds import IMAGES, TABLE
from fitbench.record import dataset
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs
from fitbench.text import clean

NEEDED = {"number": ("mean", "deviation"), "category": ("vocabulary",)}  # keys of a column, by its kind


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


def recorded_inputs(folder: Path) -> Inputs | None:
    """What the model of a run takes, as dataset.json says; None if there is no such file, as in a run of version 0.1.

    Raises:
        FitbenchError: dataset.json is damaged, or two columns have the same name, or a column lacks what a model needs.
    """
    record = dataset.read(folder)
    if record is None:
        return None
    kind = record.kind or (TABLE if record.columns else IMAGES)
    return Inputs(
        kind=kind,
        shape=tuple(record.shape),
        dtype=record.dtype,
        columns=recorded_columns(folder),
        vocabulary=record.vocabulary,
    )


def inputs_of(model: Any, recorded: Inputs | None, path: Path) -> Inputs:
    """What a Keras model takes, which must be what its run has recorded, or images if nothing is recorded.

    Raises:
        FitbenchError: it takes something else; the message names the file of the model, `path`.
    """
    shape = getattr(model, "input_shape", None)
    sides = shape[1:] if isinstance(shape, tuple) and all(isinstance(side, int | None) for side in shape[1:]) else ()
    if recorded is not None and recorded.kind != IMAGES:
        if len(sides) != len(recorded.shape) or any(
            side not in (None, expected) for side, expected in zip(sides, recorded.shape, strict=True)
        ):
            raise FitbenchError(f"{path}: takes {shape}; {dataset.NAME} says {recorded.described}")
        return recorded
    if len(sides) != 3 or None in sides:
        raise FitbenchError(f"{path}: takes {shape}; expected images, [batch, height, width, channels]")
    if sides[2] not in (1, 3):
        raise FitbenchError(f"{path}: takes images of {sides[2]} channels; expected 1 (grey) or 3 (RGB)")
    return Inputs(kind=IMAGES, shape=sides, dtype="uint8")
