"""Series less a mean over a deviation, as plain Keras operations, which Keras alone loads."""

from typing import Any

import keras
import numpy as np
from keras import ops

from fitbench.models.blocks import values
from fitbench.record.inputs import Inputs

RESOLUTION = float(np.finfo(np.float32).eps)  # of float32, relative to a value


def of_series(inputs: Inputs) -> keras.Model:
    """The model that standardises each channel of each series by its own mean and deviation (divided by steps).

    The archives of UCR have such series: Dau et al., 'The UCR Time Series Archive', 2018, section 2. Arrays of [steps]
    have one channel. In arrays with more sides, the last side is that of the channels. The computation is in float32.
    The mean of large values is rounded, so the mean of the differences is subtracted once more. A channel whose
    deviation is smaller than the resolution of float32 at its mean counts as constant. It becomes zeros, except for
    errors of rounding.
    """
    series, x = values(inputs)
    axes = tuple(range(1, max(len(inputs.shape), 2)))

    def mean(values: Any) -> Any:
        return ops.mean(values, axis=axes, keepdims=True)

    first = mean(x)
    centred = x - first
    centred = centred - mean(centred)
    peak = ops.max(ops.abs(centred), axis=axes, keepdims=True)
    peak = ops.where(peak > 0, peak, 1.0)
    deviation = peak * ops.sqrt(mean(ops.square(centred / peak)))  # whose squares float32 can hold
    divisor = ops.where(deviation > RESOLUTION * ops.abs(first), deviation, 1.0)
    return keras.Model(series, centred / divisor, name="standardized_series")


def of_channels(inputs: Inputs, mean: np.ndarray, deviation: np.ndarray) -> keras.Model:
    """The model that subtracts a mean, float64 [channels], from each channel and divides by a deviation, [channels].

    The computation is in float32. The mean is rounded to float32, and the part that rounding removed is subtracted
    after the division. If it were subtracted before, TensorFlow would add the two constants and lose the part.
    A deviation that is smaller than the resolution of float32 at the mean counts as 1.
    """
    series, x = values(inputs)
    rounded = mean.astype(np.float32)
    divisor = np.where(deviation > RESOLUTION * np.abs(mean), deviation, 1)
    standardized: Any = (x - rounded) / divisor.astype(np.float32) - ((mean - rounded) / divisor).astype(np.float32)
    return keras.Model(series, standardized, name="standardized_channels")
