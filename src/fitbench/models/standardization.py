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
    have one channel; of arrays with more sides the last one is that of the channels. All is computed in float32: the
    mean is subtracted twice, because that of large values is rounded. A channel whose deviation is below what float32
    resolves at its mean counts as constant, and becomes zeros but for that resolution.
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

    All is computed in float32. What the mean loses by that is subtracted after the division: before it, TensorFlow
    would add both constants up. A deviation below what float32 resolves at the mean counts as 1.
    """
    series, x = values(inputs)
    rounded = mean.astype(np.float32)
    divisor = np.where(deviation > RESOLUTION * np.abs(mean), deviation, 1)
    standardized: Any = (x - rounded) / divisor.astype(np.float32) - ((mean - rounded) / divisor).astype(np.float32)
    return keras.Model(series, standardized, name="standardized_channels")
