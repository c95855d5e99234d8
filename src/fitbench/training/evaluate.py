"""The outputs of a model for images."""

import math
from typing import Any

import keras
import numpy as np

BATCH_BYTES = 64 * 2**20  # of images as float32, which the first layer makes of them


def batch_size(image_shape: tuple[int, ...]) -> int:
    """How many images of this shape, [height, width, channels], are evaluated at a time."""
    return max(1, min(1000, BATCH_BYTES // (4 * math.prod(image_shape))))


def predict(model: keras.Model, images: Any) -> np.ndarray:
    """The model's logits, float32 [N, classes], for images, uint8 [N, height, width, channels]."""
    size = batch_size(images.shape[1:])
    logits = []
    for start in range(0, images.shape[0], size):
        batch = np.asarray(images[start : start + size])
        if keras.config.backend() == "tensorflow":  # a few large batches are not worth a graph of their own
            logits.append(keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(batch), training=False)))
        else:
            logits.append(model.predict_on_batch(batch))
    return np.concatenate(logits).astype(np.float32)
