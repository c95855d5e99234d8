"""The scale of pixel values: which value is white, and pixels of any scale as bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fitbench.data.memory import chunks, converted
from fitbench.errors import DataError

# The values that white usually has: all ones in a number of bits; 16 in scikit-learn's digits; 100 percent.
USUAL_WHITES = (1, 3, 7, 15, 16, 31, 63, 100, 127, 255, 511, 1023, 2047, 4095, 8191, 16383, 32767, 65535)


def as_bytes(array: np.ndarray, max_value: float | None, where: str) -> Any:
    """Return pixels as bytes, uint8 from 0 (black) to 255 (white), without a copy if that is what they are.

    What does not fit into memory becomes a `memory.Converted`.

    Args:
        array: pixels [N, ...] of any real or boolean dtype, from 0 to `max_value`.
        max_value: the value of white. None stands for 255; then every value must be a whole number.
        where: what the pixels are called in messages, such as 'images.npz: x_train'.

    Raises:
        DataError: the values are not such pixels, or `check_scale` refuses them.
    """
    if array.dtype.kind not in "buif":
        raise DataError(f"{where} has the dtype {array.dtype}; pixels must be numbers, such as uint8 from 0 to 255.")
    white = max_value or 255
    if array.size:
        smallest, largest = _extremes(array, white, where)
        if max_value is None and array.dtype.kind == "f" and 0 <= smallest <= largest <= white:
            _check_whole(array, largest, where)
        check_scale(smallest, largest, white, max_value, where)
    if array.dtype == np.uint8 and white == 255:
        return array
    factor = np.float64(255 / white)
    return converted(array, np.dtype(np.uint8), lambda rows: np.rint(rows * factor).astype(np.uint8))


def check_scale(smallest: float, largest: float, white: float, max_value: float | None, where: str) -> None:
    """Refuse pixels that are not between 0 and white, or so dark that white is probably another value.

    Images whose largest value is below half of white are accepted if `max_value` states that white.

    Raises:
        DataError: with the largest value and what to do.
    """
    usual = next((usual for usual in USUAL_WHITES if usual >= largest), largest)
    if smallest < 0 or largest > white:
        advice = (
            "Save the pixels as they were before they were centred or standardised."
            if smallest < 0
            else f"If white is {usual:g}, set data.max_value={usual:g}."
        )
        raise DataError(
            f"{where} holds values from {smallest:g} to {largest:g}; pixels must be from 0 to {white:g}. {advice}"
        )
    if largest == 0:
        raise DataError(f"{where}: every pixel is 0, which is black. Check how the images were written.")
    if 2 * largest < white != max_value:
        raise DataError(
            f"{where}: the largest value is {largest:g}, but white is taken to be {white:g}. If white is {usual:g}, "
            f"set data.max_value={usual:g}; if the images are this dark, set data.max_value={white:g}."
        )


def note_on_dark(images: np.ndarray, where: str) -> str | None:
    """What to say of images, uint8, that are so dark that white is probably not 255; None where it may be."""
    _, largest = _extremes(images, 255, where) if images.size else (0, 255)
    if 2 * largest >= 255:
        return None
    return f"{where}: the largest value is {largest:g}, but white is 255; if white is another value, scale it to 255"


def _extremes(array: np.ndarray, white: float, where: str) -> tuple[float, float]:
    """Return the smallest and the largest value of an array. Of bytes, a value above half of white is large enough."""
    smallest, largest = np.inf, -np.inf
    for rows in chunks(array):
        low, high = array[rows].min().item(), array[rows].max().item()
        if not math.isfinite(low) or not math.isfinite(high):
            raise DataError(f"{where} holds NaN or infinite values; pixels must be numbers from 0 to {white:g}.")
        smallest, largest = min(smallest, low), max(largest, high)
        if array.dtype == np.uint8 and white == 255 and largest > 127:
            break  # nothing can be refused any more
    return smallest, largest


def _check_whole(array: np.ndarray, largest: float, where: str) -> None:
    usual = next(usual for usual in USUAL_WHITES if usual >= largest)
    for rows in chunks(array):
        values = array[rows]
        if (values != np.rint(values)).any():
            raise DataError(
                f"{where} holds fractions, up to {largest:.4g}; pixels must be whole numbers from 0 to 255. If white "
                f"is {usual}, set data.max_value={usual}: the pixels are then scaled to 0..255 and rounded."
            )
