"""Series less a mean over a deviation, as plain Keras operations, which Keras alone loads."""

from typing import Any

import keras
import numpy as np
from keras import ops

from fitbench.models.blocks import values
from fitbench.record.inputs import Inputs

SMALLEST = 1e-8  # a deviation below this is that of a constant, and counts as 1


def of_series(inputs: Inputs) -> keras.Model:
    """The model that standardises each channel of each series by its own mean and deviation (divided by steps).

    The archives of UCR have such series: Dau et al., 'The UCR Time Series Archive', 2018, section 2. A constant channel
    becomes zeros.
    """
    series, x = values(inputs)
    centred = x - ops.mean(x, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(centred), axis=1, keepdims=True))
    return keras.Model(series, centred / ops.where(deviation < SMALLEST, 1.0, deviation), name="standardized_series")


def of_channels(inputs: Inputs, mean: np.ndarray, deviation: np.ndarray) -> keras.Model:
    """The model that subtracts a mean, float64 [channels], from each channel and divides by a deviation, [channels]."""
    series, x = values(inputs)
    divisor = np.where(deviation < SMALLEST, 1, deviation).astype(np.float32)
    standardized: Any = (x - mean.astype(np.float32)) / divisor
    return keras.Model(series, standardized, name="standardized_channels")
