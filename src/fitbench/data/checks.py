"""Builds a data set from arrays, or raises an error that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fitbench.data.dataset import PARTS, Dataset, assembled
from fitbench.data.memory import chunks
from fitbench.data.scale import as_bytes
from fitbench.errors import DataError


def build_dataset(
    name: str,
    arrays: Mapping[str, np.ndarray],
    source: str,
    classes: Sequence[str] | None = None,
    max_value: float | None = None,
) -> Dataset:
    """Check arrays and build a data set from them.

    Args:
        name: the name of the data set.
        arrays: x_train, y_train, x_test, y_test, and optionally x_val, y_val, and `classes`, a vector of strings.
            Images are [N, height, width] or [N, height, width, channels], of any scale that `max_value` describes.
            Labels are [N] or [N, 1], whole numbers of any dtype.
        source: the file or folder that the arrays come from. Error messages name it.
        classes: the class names if `arrays` has none. By default the classes are named by their numbers.
        max_value: the value of white; see `scale.as_bytes`.

    Raises:
        DataError: the arrays are not a data set.
    """
    parts = [part for part in PARTS if f"x_{part}" in arrays]
    images = {part: _pixels(arrays[f"x_{part}"], max_value, f"{source}: x_{part}") for part in parts}
    labels = {part: _labels(arrays[f"y_{part}"], f"{source}: y_{part}") for part in parts}
    for part in parts:
        if len(images[part]) != len(labels[part]):
            counts = f"{len(images[part]):,} {part} images but {len(labels[part]):,} {part} labels"
            raise DataError(f"{source}: {counts}; expected one label for each image.")
        if not len(images[part]):
            raise DataError(f"{source}: no {part} examples; expected at least one.")
        if images[part].shape[1:] != images["train"].shape[1:]:
            raise DataError(
                f"{source}: train images are {images['train'].shape[1:]} and {part} images {images[part].shape[1:]}; "
                "expected the same [height, width, channels]."
            )
    if "classes" in arrays:
        classes = _class_names(arrays["classes"], source)
    return assembled(name, images, labels, _checked_classes(labels, classes, source), source)


def _checked_classes(labels: Mapping[str, np.ndarray], classes: Sequence[str] | None, source: str) -> tuple[str, ...]:
    """Return the class names, after a check that the labels of all parts fit them."""
    numbers = np.unique(labels["train"])
    if classes is None:
        classes = [str(number) for number in numbers]
        first, last = numbers[0], numbers[-1]
        if last != len(numbers) - 1:
            is_shifted = last - first == len(numbers) - 1
            advice = f"Subtract {first}." if is_shifted else "Renumber them, or name all classes in an array 'classes'."
            raise DataError(
                f"{source}: y_train holds {len(numbers):,} classes numbered {first}..{last}; "
                f"expected 0..classes-1 without gaps. {advice}"
            )
    if numbers[-1] >= len(classes):
        raise DataError(f"{source}: y_train holds {numbers[-1]}, but there are {len(classes)} class names.")
    for part, values in labels.items():
        unseen = ", ".join(map(str, np.setdiff1d(values, numbers)[:5]))
        if unseen:
            raise DataError(f"{source}: y_{part} holds class {unseen}, which y_train does not have.")
    if len(classes) < 2:
        raise DataError(f"{source}: all labels are 0; expected at least two classes.")
    return tuple(classes)


def _class_names(array: np.ndarray, source: str) -> list[str]:
    names = [str(name) for name in array] if array.ndim == 1 and _is_text(array) else []
    if not names or len(set(names)) < len(names):
        raise DataError(f"{source}: the class names are not a vector of different strings.")
    return names


def _is_text(array: np.ndarray) -> bool:
    """Whether an array holds strings. A damaged one may hold what is no character, on which Python fails."""
    if array.dtype.kind != "U":
        return False
    try:
        array.astype(array.dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
    except UnicodeDecodeError:
        return False
    return True


def _pixels(array: np.ndarray, max_value: float | None, where: str) -> np.ndarray:
    """Return images as uint8 [N, height, width, channels], without a copy if they are uint8 from 0 to 255 already."""
    if array.ndim not in {3, 4} or 0 in array.shape[1:]:
        raise DataError(
            f"{where} has the shape {array.shape}; expected [N, height, width] or [N, height, width, channels]."
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.shape[1] in {1, 3} and array.shape[3] > 4:
        raise DataError(
            f"{where} has the shape {array.shape}, with the channels first; expected them last. "
            "Use x.transpose(0, 2, 3, 1)."
        )
    return as_bytes(array, max_value, where)


def _labels(array: np.ndarray, where: str) -> np.ndarray:
    """Return labels as int32 [N]."""
    rule = "labels must be whole numbers 0..classes-1"
    if array.dtype.kind not in "buif":
        raise DataError(f"{where} has the dtype {array.dtype}; {rule}.")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise DataError(f"{where} has the shape {array.shape}; expected one class number per example. {_advice(array)}")
    if array.ndim != 1:
        raise DataError(f"{where} has the shape {array.shape}; expected one class number per example, [N].")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise DataError(f"{where} holds NaN; {rule}.")
    if array.size and (array.min() < 0 or array.max() >= 2**31):
        raise DataError(f"{where} holds values from {array.min()} to {array.max()}; {rule}.")
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        raise DataError(f"{where} holds fractions ({array.min():.4g} to {array.max():.4g}); {rule}.")
    return array.astype(np.int32)


def _advice(columns: np.ndarray) -> str:
    """Return what to do with labels of several columns. Only one-hot rows are class numbers in another form."""
    for rows in chunks(columns):
        labels = columns[rows]
        is_binary = np.isin(labels, (0, 1)).all(axis=1)
        if not is_binary.all():
            return f"Row {rows.start + is_binary.argmin():,} holds other values than 0 and 1, so no class is certain."
        count = labels.astype(bool).sum(axis=1)
        if (count != 1).any():
            row = (count != 1).argmax()
            classes = f"{count[row]} classes" if count[row] else "no class"
            return f"Row {rows.start + row:,} has {classes}; fitbench trains on examples of exactly one class."
    return "The rows are one-hot: use y.argmax(axis=1)."
