"""Decides what the examples of given arrays are, and makes a data set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fitbench.config import ArrayData
from fitbench.data.checks import build_dataset
from fitbench.data.dataset import Dataset
from fitbench.data.memory import chunks
from fitbench.kinds import ARRAYS, IMAGES, KINDS, SERIES, TOKENS


def dataset_of_arrays(data: ArrayData, arrays: Mapping[str, np.ndarray], source: str, task: str) -> Dataset:
    """Make a data set of arrays with the names of `npz.read_npz`. `decided_kind` decides the kind if no key states it.

    Raises:
        DataError: the arrays are not a data set.
    """
    kind = data.kind or decided_kind(arrays["x_train"])
    dataset = build_dataset(
        *(data.name, arrays, source),
        max_value=data.max_value,
        task=task,
        kind=kind,
        vocabulary=data.vocabulary,
        advice=" If they are no images, set data.inputs=arrays." if kind == IMAGES and not data.kind else "",
    )
    notes = () if data.kind else _notes(arrays["x_train"], kind)
    return replace(dataset, notes=(*notes, *dataset.notes))


def decided_kind(examples: np.ndarray) -> str:
    """The kind of examples that the type, the shape and the values of the training part decide.

    - [N, height, width, channels]: images.
    - [N, ., .]: images if the values are whole numbers from 0 on, otherwise series [N, steps, channels].
    - [N, .] of integers from 0 on: tokens [N, steps].
    - Everything else: arrays.

    An array that is larger than memory is read a chunk at a time, as far as is needed.

    Args:
        examples: the training part, [N, ...].
    """
    is_number = examples.dtype.kind in "buif"
    if examples.ndim == 4:
        return IMAGES
    if examples.ndim == 3 and is_number:
        return IMAGES if _are_counts(examples) else SERIES
    if examples.ndim == 2 and examples.dtype.kind in "iu" and _are_counts(examples):
        return TOKENS
    return ARRAYS


def _are_counts(array: np.ndarray) -> bool:
    """Whether all values are whole numbers from 0 on."""
    if array.dtype.kind in "bu":
        return True
    is_whole = array.dtype.kind == "i"
    return all(
        bool((values >= 0).all() and (is_whole or (values == np.rint(values)).all()))
        for values in (array[rows] for rows in chunks(array))
    )


def _notes(examples: np.ndarray, kind: str) -> tuple[str, ...]:
    """The line that says what examples were taken as, and how another kind is asked for; none for obvious images."""
    if kind == IMAGES and (examples.ndim == 4 or examples.dtype.kind in "bu"):
        return ()
    are_grey = kind == SERIES and examples.dtype.kind == "f" and _are_fractions(examples)
    others = {
        IMAGES: "data.inputs=series takes them as series",
        SERIES: "data.max_value=1 takes them as images whose white is 1"
        if are_grey
        else "data.inputs=arrays takes them as other arrays",
        TOKENS: "data.inputs=arrays takes them as arrays of numbers",
        ARRAYS: "data.inputs=series takes them as series of one channel" if examples.ndim == 2 else "",
    }
    other = f"; {others[kind]}" if others[kind] else ""
    return (f"x_train, {examples.dtype} {examples.shape}: taken as {KINDS[kind].plural}{other}",)


def _are_fractions(array: np.ndarray) -> bool:
    """Whether all values are from 0 to 1."""
    return all(bool(((array[rows] >= 0) & (array[rows] <= 1)).all()) for rows in chunks(array))
