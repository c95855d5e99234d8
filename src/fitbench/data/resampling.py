"""Interpolates series of different lengths to one length.

Exported models have a copy of this file, so it needs only NumPy, and SciPy for `cubic`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def resampled(series: Sequence[np.ndarray], steps: int, method: str) -> np.ndarray:
    """Bring series of any lengths to one length, as Ismail Fawaz et al. (2019) do with series of several channels.

    The first and the last value of a series stay where they are, and the values between are interpolated at equal
    distances. A series that has the length already is not changed. A series of one value is constant.

    Args:
        series: at least one, each [steps, channels], with the same number of channels and without missing values.
        steps: the length of the result.
        method: `linear`, or `cubic`, the spline of SciPy's `CubicSpline` and `interp1d(kind="cubic")`. Three values
            have a parabola, and two a straight line.

    Returns:
        float32 [N, steps, channels].
    """
    result = np.empty((len(series), steps, series[0].shape[1]), np.float32)
    for row, values in zip(result, series, strict=True):
        row[:] = values if len(values) in (1, steps) else _interpolated(values, steps, method)
    return result


def _interpolated(values: np.ndarray, steps: int, method: str) -> np.ndarray:
    """A series of at least two values, [steps, channels], at other places."""
    known, wanted = np.arange(len(values)), np.linspace(0, len(values) - 1, steps)
    if method == "linear":
        return np.stack([np.interp(wanted, known, channel) for channel in values.T], axis=-1)
    from scipy.interpolate import CubicSpline

    return CubicSpline(known, values.astype(np.float64))(wanted)
