"""The outputs of a model for many examples."""

import math
from typing import Any

import keras
import numpy as np

BATCH_BYTES = 64 * 2**20  # of inputs as float32, which the first layer makes of images


def batch_size(shape: tuple[int, ...]) -> int:
    """How many examples of this shape are evaluated at a time."""
    return max(1, min(1000, BATCH_BYTES // (4 * math.prod(shape))))


def predict(model: keras.Model, inputs: Any) -> np.ndarray:
    """The model's outputs, float32 [N, outputs], for inputs [N, *shape], such as images in uint8."""
    size = batch_size(inputs.shape[1:])
    outputs = []
    for start in range(0, inputs.shape[0], size):
        batch = np.asarray(inputs[start : start + size])
        if keras.config.backend() == "tensorflow":  # a few large batches are not worth a graph of their own
            outputs.append(keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(batch), training=False)))
        else:
            outputs.append(model.predict_on_batch(batch))
    return np.concatenate(outputs).astype(np.float32)
