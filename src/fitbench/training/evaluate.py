"""The outputs of a model for many examples."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

INPUT_BYTES = 64 * 2**20  # of the inputs of a batch as float32, which the first layer makes of images
LAYER_BYTES = 256 * 2**20  # of what one layer gives for a batch, which may be a hundred times its inputs


def batch_size(shape: tuple[int, ...], model: keras.Model | None = None) -> int:
    """How many examples of this shape are evaluated at a time, by a model if it is given."""
    layer = max(_sizes(model), default=1) if model is not None else 1
    return max(1, min(1000, INPUT_BYTES // (4 * math.prod(shape)), LAYER_BYTES // (4 * layer)))


def _sizes(model: keras.Model) -> Iterator[int]:
    """How many numbers each layer gives for one example, as far as Keras knows it before the model is called."""
    for layer in model._flatten_layers():
        for node in layer._inbound_nodes:
            for tensor in node.output_tensors:
                if None not in tensor.shape[1:]:
                    yield math.prod(tensor.shape[1:])


def predict(model: keras.Model, inputs: Any) -> np.ndarray:
    """The model's outputs, float32 [N, outputs], for inputs [N, *shape], such as images in uint8."""
    size = batch_size(inputs.shape[1:], model)
    outputs = []
    for start in range(0, inputs.shape[0], size):
        batch = np.asarray(inputs[start : start + size])
        if keras.config.backend() == "tensorflow":  # a few large batches are not worth a graph of their own
            outputs.append(keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(batch), training=False)))
        else:
            outputs.append(model.predict_on_batch(batch))
    return np.concatenate(outputs).astype(np.float32)
