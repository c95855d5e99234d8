"""What the model of a run takes, as its run has recorded it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.kinds import IMAGES, KINDS, TABLE, TOKENS
from fitbench.record import dataset
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs
from fitbench.text import clean, counted

NEEDED = {"number": ("mean", "deviation"), "category": ("vocabulary",)}  # keys of a column, by its kind
DTYPES = ("float32", "int32", "uint8")  # of arrays
MAX_NUMBERS, MAX_VOCABULARY = 2**26, 2**31  # of one example, and of tokens, which are int32


def recorded_inputs(folder: Path) -> Inputs:
    """What the model of a run takes, as dataset.json says.

    A run of version 0.1 has no such file. It takes images, of whose shape only the model knows: the shape is ().

    Raises:
        FitbenchError: dataset.json is damaged, or what it says of the examples does not go together: their kind, shape,
            type, vocabulary and columns.
    """
    record = dataset.read(folder)
    if record is None:
        return Inputs(kind=IMAGES, shape=(), dtype="uint8")
    where = f"{folder}/{dataset.NAME}"
    _check_columns(record.columns, where)
    inputs = Inputs(
        kind=record.kind or (TABLE if record.columns else IMAGES),
        shape=tuple(record.shape),
        dtype=record.dtype,
        columns=tuple(record.columns),
        vocabulary=record.vocabulary,
    )
    _check_inputs(inputs, where)
    return inputs


def _check_columns(columns: Sequence[Column], where: str) -> None:
    names: set[str] = set()
    for place, column in enumerate(columns):
        if column.name in names:
            raise FitbenchError(f"{where}: columns[{place}] has the name of another, {clean(column.name)!r}")
        for key in NEEDED[column.kind]:
            if getattr(column, key) is None:
                raise FitbenchError(
                    f"{where}: columns[{place}].{key} is missing; a column that is a {column.kind} needs it"
                )
        names.add(column.name)


def _check_inputs(inputs: Inputs, where: str) -> None:
    """Refuse what no reader of ours records, before memory is taken for it."""
    kind, shape, is_table = KINDS[inputs.kind], inputs.shape, inputs.kind == TABLE
    if kind.sides not in (None, len(shape)) or min(shape) < 1 or math.prod(shape) > MAX_NUMBERS:
        raise FitbenchError(
            f"{where}: shape is {list(shape)!s:.60}; {kind.plural} are {kind.shape}, with at most {MAX_NUMBERS:,} "
            "numbers in each"
        )
    if inputs.dtype not in ((kind.dtype,) if kind.dtype else DTYPES):
        expected = kind.dtype or f"one of {', '.join(DTYPES)}"
        raise FitbenchError(f"{where}: dtype is {clean(inputs.dtype)!r:.60}; {kind.plural} have {expected}")
    if (is_table and len(inputs.columns) != shape[0]) or (not is_table and inputs.columns):
        expected = counted(shape[0] if is_table else 0, "column")
        raise FitbenchError(f"{where}: columns has {len(inputs.columns)} of them; expected {expected}")
    vocabulary = inputs.vocabulary
    if inputs.kind == TOKENS and not 1 <= (vocabulary or 0) <= MAX_VOCABULARY:
        raise FitbenchError(
            f"{where}: vocabulary is {vocabulary!s:.30}; tokens need a whole number from 1 to {MAX_VOCABULARY:,}"
        )


def inputs_of(model: Any, recorded: Inputs, path: Path) -> Inputs:
    """What a Keras model takes, which must be what its run has recorded.

    Raises:
        FitbenchError: it takes something else; the message names the file of the model, `path`.
    """
    shape = getattr(model, "input_shape", None)
    sides = shape[1:] if isinstance(shape, tuple) and all(isinstance(side, int | None) for side in shape[1:]) else ()
    if recorded.kind != IMAGES:
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
