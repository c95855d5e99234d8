"""Numbers as a model takes them, and why it cannot take others.

Exported models have a copy of this file, so it needs only NumPy. What a model takes is described as in model.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

InputCard = Mapping[str, Any]  # `input` of model.json
Resampled = Callable[[Sequence[np.ndarray], int, str], np.ndarray]  # as `data.resampling.resampled`

TYPES = {"series": "buif", "tokens": "ui"}  # of NumPy, which an array of a kind may have
FLOATS, WHOLE = "f", "bui"  # those of other arrays
WORDS = {"buif": "numbers", "ui": "integers", FLOATS: "floats", WHOLE: "whole numbers"}


def fitting(array: np.ndarray, takes: InputCard) -> np.ndarray:
    """An array that has the shape of the examples, [N, ...]; series of one channel get their last side.

    Series may have other lengths where `lengths` says how they are interpolated.

    Raises:
        ValueError: it has another shape or type; the message says what is expected.
    """
    shape, is_series = tuple(takes["shape"][1:]), takes["kind"] == "series"
    if is_series and array.ndim == 2 and shape[1] == 1:
        array = array[..., np.newaxis]
    any_steps = is_series and takes["lengths"] is not None and array.ndim == 3 and array.shape[1] > 0
    found = (shape[0], *array.shape[2:]) if any_steps else array.shape[1:]
    types = TYPES.get(takes["kind"], FLOATS if takes["dtype"] == "float32" else WHOLE)
    if array.ndim == 0 or found != shape or array.dtype.kind not in types:
        first = "steps" if is_series and takes["lengths"] is not None else shape[0] if shape else ""
        expected = ", ".join(["N", *map(str, (first, *shape[1:]))])
        raise ValueError(f"an array of {array.dtype} {array.shape}; expected {WORDS[types]} [{expected}]")
    return array


def check_labelled(steps: Sequence[int], takes: InputCard) -> None:
    """Refuse the series of a file whose lines begin with a label, if the first value may have been taken for it.

    Raises:
        ValueError: all have one step less than the model takes.
    """
    if set(steps) == {takes["shape"][1] - 1}:
        raise ValueError(
            f"its lines have {takes['shape'][1]} numbers, as many as the model takes, but the first of a line is a "
            "label; put one first, such as 0"
        )


def checked(rows: np.ndarray, takes: InputCard) -> tuple[np.ndarray, dict[int, str]]:
    """Rows, [N, ...], in the type that the model takes, and error messages by position. Wrong rows become zeros."""
    dtype = np.dtype(takes["dtype"])
    if dtype.kind == "f":
        expected = "a finite number below 3.4e38"
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(rows.astype(dtype, copy=False))
    else:
        limits, vocabulary = np.iinfo(takes["dtype"]), takes.get("vocabulary")
        low, high = (limits.min, limits.max) if vocabulary is None else (0, vocabulary - 1)
        expected = f"a whole number from {low} to {high}" + ("" if vocabulary is None else ", the tokens of the run")
        wrong = (rows < low) | (rows > high)
    wrong = wrong.reshape(len(rows), -1)
    errors = {}
    for i in np.flatnonzero(wrong.any(axis=1)).tolist():
        place = np.unravel_index(wrong[i].argmax(), rows.shape[1:])
        errors[i] = f"value [{', '.join(map(str, place))}] is {rows[i][place]:g}; expected {expected}"
    inputs = np.zeros(rows.shape, dtype)
    right = np.delete(np.arange(len(rows)), list(errors))
    inputs[right] = rows[right]
    return inputs, errors


def checked_series(
    series: Sequence[np.ndarray], takes: InputCard, resampled: Resampled
) -> tuple[np.ndarray, dict[int, str]]:
    """Series, [steps, channels] each, as `checked` gives rows. Those of other lengths are interpolated, if they may."""
    steps, channels = takes["shape"][1:]
    inputs, errors = np.zeros((len(series), steps, channels), takes["dtype"]), {}
    for i, one in enumerate(series):
        if one.shape[1] != channels:
            errors[i] = f"the number of channels is {one.shape[1]}; the model takes {channels}"
        elif len(one) != steps and takes["lengths"] is None:
            errors[i] = f"the number of steps is {len(one)}; the model takes {steps}"
        elif len(one) == 1 < steps:
            errors[i] = f"the number of steps is 1, which cannot be interpolated to {steps}; expected 2 or more"
        else:
            [values], wrong = checked(one[np.newaxis], takes)
            if wrong:
                errors[i] = wrong[0]
            else:
                inputs[i] = values if len(one) == steps else resampled([values], steps, takes["lengths"])[0]
    return inputs, errors
