"""Checks the examples of a given kind, and gives them as the model takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fitbench.data.dataset import PARTS
from fitbench.data.memory import chunks, converted
from fitbench.data.scale import as_bytes
from fitbench.errors import DataError
from fitbench.kinds import ARRAYS, IMAGES, KINDS, SERIES, TOKENS
from fitbench.text import in_digits

Where = Mapping[str, str]  # what messages call the examples of each part, such as `a.npz: x_train`
NUMBERS = "bool, integers or floats"


def examples_of(
    kind: str, raw: Mapping[str, np.ndarray], where: Where, max_value: float | None = None
) -> dict[str, Any]:
    """The examples of each part as the model takes them, all of one shape and type.

    Images become uint8 [N, height, width, channels]; series float32 [N, steps, channels]; tokens int32 [N, steps]. Of
    other arrays [N, ...], floats become float32, booleans and bytes uint8, and other integers int32. What has this form
    already is not copied. What does not fit into memory is converted when it is read.

    Args:
        kind: a name in `kinds.KINDS`.
        raw: [N, ...] by part.
        where: by part.
        max_value: of images: the value of white; see `scale.as_bytes`.

    Raises:
        DataError: a part has no examples, another shape or type, or values that its type cannot hold.
    """
    parts = [part for part in PARTS if part in raw]
    if kind == IMAGES:
        examples = {part: _pixels(raw[part], max_value, where[part]) for part in parts}
    else:
        for part in parts:
            _check_numbers(raw[part], where[part])
        _check_alike(raw, where)
        examples = _SHAPED[kind](raw, where)
    for part in parts:
        if not len(examples[part]):
            raise DataError(f"{where[part]}: no {part} examples; expected at least one.")
        if examples[part].shape[1:] != examples["train"].shape[1:]:
            plural, shape = KINDS[kind].plural, KINDS[kind].shape.replace("N, ", "")
            raise DataError(
                f"{where[part]}: train {plural} are {examples['train'].shape[1:]} and {part} {plural} "
                f"{examples[part].shape[1:]}; expected the same {shape}."
            )
    return examples


def vocabulary_of(tokens: Mapping[str, Any], given: int | None, where: Where) -> int:
    """How many tokens there are: as given, or one more than the largest of the training and validation part.

    Args:
        tokens: int32 [N, steps] by part.
        given: `data.vocabulary`.
        where: by part.

    Raises:
        DataError: a token is negative, or there are not so many; the message names the first row that has one.
    """
    largest = {part: max(int(array[rows].max()) for rows in chunks(array)) for part, array in tokens.items()}
    vocabulary = given or max(value for part, value in largest.items() if part != "test") + 1
    for part, array in tokens.items():
        row, token = _first(array, lambda values: (values < 0) | (values >= vocabulary))
        if row is None:
            continue
        found = f"{where[part]} holds the token {token:,} in row {row:,} (counted from 0)"
        if token < 0:
            raise DataError(f"{found}; tokens are numbered from 0. data.inputs=arrays takes other whole numbers.")
        known = f"data.vocabulary is {vocabulary}" if given else f"those of the training part end at {vocabulary - 1:,}"
        raise DataError(f"{found}, but {known}; set data.vocabulary={max(largest.values()) + 1} or more.")
    return vocabulary


# -- shapes -----------------------------------------------------------------------------------------------------------


def _pixels(array: np.ndarray, max_value: float | None, where: str) -> Any:
    """Images as uint8 [N, height, width, channels], without a copy if they are uint8 from 0 to 255 already."""
    if array.ndim not in {3, 4} or 0 in array.shape[1:]:
        advice = " Rows of numbers are read from a table, with data=csv." if array.ndim == 2 else ""
        raise DataError(
            f"{where} has the shape {array.shape}; expected images, [N, height, width] or [N, height, width, channels]."
            f"{advice}"
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.shape[1] in {1, 3} and array.shape[3] > 4:
        raise DataError(
            f"{where} has the shape {array.shape}, with the channels first; expected them last. "
            "Use x.transpose(0, 2, 3, 1)."
        )
    return as_bytes(array, max_value, where)


def _series(raw: Mapping[str, np.ndarray], where: Where) -> dict[str, Any]:
    """Series as float32 [N, steps, channels]; [N, steps] are those of one channel."""
    series = {}
    for part, array in raw.items():
        _check_axes(array, (2, 3), "series, [N, steps] or [N, steps, channels]", where[part])
        series[part] = _as(np.float32, array[..., np.newaxis] if array.ndim == 2 else array, where[part])
    return series


def _tokens(raw: Mapping[str, np.ndarray], where: Where) -> dict[str, Any]:
    """Tokens as int32 [N, steps]."""
    for part, array in raw.items():
        _check_axes(array, (2,), "sequences of tokens, [N, steps]", where[part])
        if array.dtype.kind not in "ui":
            raise DataError(
                f"{where[part]} has the dtype {array.dtype}; tokens must be integers. Use x.astype('int32')."
            )
    return {part: _as(np.int32, array, where[part]) for part, array in raw.items()}


def _arrays(raw: Mapping[str, np.ndarray], where: Where) -> dict[str, Any]:
    """Arrays [N, ...] as float32, int32 or uint8, all parts as the first of these that one of them needs."""
    for part, array in raw.items():
        _check_axes(array, range(2, 33), "at least one number for each example, [N, ...]", where[part])
    is_small = all(array.dtype in (np.uint8, np.bool_) for array in raw.values())
    dtype = np.float32 if raw["train"].dtype.kind == "f" else np.uint8 if is_small else np.int32
    return {part: _as(dtype, array, where[part]) for part, array in raw.items()}


_SHAPED: dict[str, Callable[[Mapping[str, np.ndarray], Where], dict[str, Any]]] = {
    SERIES: _series,
    TOKENS: _tokens,
    ARRAYS: _arrays,
}


def _check_axes(array: np.ndarray, axes: Any, expected: str, where: str) -> None:
    if array.ndim not in axes or 0 in array.shape[1:]:
        advice = " Use x[:, numpy.newaxis]." if array.ndim == 1 else ""
        raise DataError(f"{where} has the shape {array.shape}; expected {expected}.{advice}")


# -- types ------------------------------------------------------------------------------------------------------------


def _check_numbers(array: np.ndarray, where: str) -> None:
    if array.dtype.kind not in "buif":
        advice = " Use numpy.array of plain numbers." if array.dtype.kind == "O" else ""
        raise DataError(f"{where} has the dtype {array.dtype}; examples must be {NUMBERS}.{advice}")


def _check_alike(raw: Mapping[str, np.ndarray], where: Where) -> None:
    """Refuse floats in one part beside whole numbers in another, which are hardly on the same scale."""
    train = raw["train"].dtype
    for part, array in raw.items():
        if (array.dtype.kind == "f") != (train.kind == "f"):
            raise DataError(
                f"{where[part]} has the dtype {array.dtype}, but that of the training part is {train}; expected floats "
                "in both, or whole numbers in both, on the same scale."
            )


def _as(dtype: Any, array: np.ndarray, where: str) -> Any:
    """Numbers as float32, int32 or uint8, without a copy if they are that.

    Raises:
        DataError: a value is NaN or infinite, or the type cannot hold it; the message names the first row that has one.
    """
    if dtype == np.float32:
        _check(array, _not_finite, "finite numbers that float32 can hold, at most 3.4e38", where)
    elif not np.can_cast(array.dtype, dtype):
        _check(array, _not_int32, "whole numbers that int32 can hold, at most 2,147,483,647", where)
    return array if array.dtype == dtype else converted(array, np.dtype(dtype), lambda rows: rows.astype(dtype))


def _check(array: np.ndarray, wrong: Callable[[np.ndarray], np.ndarray], expected: str, where: str) -> None:
    row, value = _first(array, wrong)
    if row is not None:
        count = sum(int(_rows(wrong(array[rows])).sum()) for rows in chunks(array))
        raise DataError(
            f"{where} holds {_shown(value)} in row {row:,} (counted from 0), the first of {count:,} such rows of "
            f"{len(array):,}; expected {expected}."
        )


def _first(array: Any, wrong: Callable[[np.ndarray], np.ndarray]) -> tuple[int | None, Any]:
    """The first row that has a wrong value, and this value; None if there is none."""
    for rows in chunks(array):
        values = np.asarray(array[rows])
        found = wrong(values)
        if found.any():
            row = int(_rows(found).argmax())
            return rows.start + row, values[row][found[row]].flat[0]
    return None, None


def _rows(wrong: np.ndarray) -> np.ndarray:
    """Which rows have a wrong value, bool [N]."""
    return np.asarray(wrong.reshape(len(wrong), -1).any(axis=1))


def _not_finite(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(~np.isfinite(values.astype(np.float32, copy=False)))


def _not_int32(values: np.ndarray) -> np.ndarray:
    limits = np.iinfo(np.int32)
    return (values < limits.min) | (values > limits.max)


def _shown(value: Any) -> str:
    if value.dtype.kind != "f":
        return f"{value:,}"
    return in_digits(value) if np.isfinite(value) else str(value)
