"""Values as JSON and JavaScript can hold them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.frame import plain_values, without_attrs

if TYPE_CHECKING:
    import pandas as pd

SAFE_INTEGER = 2**53  # JavaScript has no larger ones
DIGITS = 4  # significant ones of a curve


def plain_columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The values of each column of a frame, see `plain`."""
    frame = without_attrs(frame)
    return {str(name): plain(frame[name]) for name in frame.columns}


def plain(column: pd.Series) -> list[Any]:
    """The values as JSON and JavaScript can hold them: the missing as None, times as seconds since 1970."""
    if column.dtype.kind == "M":
        return [None if moment is None else round(moment.timestamp()) for moment in plain_values(column)]
    return [fitting(value) for value in plain_values(column)]


def fitting(value: Any) -> Any:
    """A value without infinities, NaN and integers that JavaScript would round."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < SAFE_INTEGER else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    return value if value is None or isinstance(value, (bool, str)) else str(value)


def rounded_curve(values: np.ndarray) -> list[float | None]:
    """The values of a curve, float [E], in 4 significant digits, or in as many as show its range in 4 digits."""
    finite = values[np.isfinite(values)]
    spread = float(np.ptp(finite)) if finite.size else 0.0
    return rounded(values, DIGITS - 1 - math.floor(math.log10(spread)) if 0 < spread < math.inf else None)


def rounded(values: np.ndarray, decimals: int | None = None) -> list[float | None]:
    """The values, float [E], in 4 significant digits, or with these decimals where that is closer.

    They are None for what is, or becomes, no finite number.
    """
    shorter = [_shorter(value, decimals) for value in values.tolist()]
    return [value if math.isfinite(value) else None for value in shorter]


def _shorter(value: float, decimals: int | None) -> float:
    significant = float(f"{value:.{DIGITS}g}")
    if decimals is None:
        return significant
    return min(significant, round(value, decimals), key=lambda each: abs(each - value))


def digits(value: Any) -> Any:
    """A number in 7 significant digits; what is no float stays as it is."""
    return float(f"{value:.7g}") if isinstance(value, float) and math.isfinite(value) else fitting(value)
