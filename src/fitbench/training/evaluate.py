"""The outputs of a model for images."""

import math
from collections.abc import Callable
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


def compiled(model: keras.Model, shape: tuple[int, int, int]) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images, uint8 [N, *shape], to the model's outputs, float32 [N, classes], for many calls.

    It takes any number of images, all of them at a time. On TensorFlow it is traced once for all numbers; JAX compiles
    it for each size, so there images are filled up to a power of two.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec([None, *shape], tf.uint8)]
        graph = tf.function(lambda images: model(images, training=False), input_signature=signature, autograph=False)
        traced = graph.get_concrete_function()
        return lambda images: traced(tf.constant(images)).numpy().astype(np.float32, copy=False)

    def padded(images: np.ndarray) -> np.ndarray:
        size = 1 << (len(images) - 1).bit_length()
        filled = np.zeros((size, *shape), np.uint8)
        filled[: len(images)] = images
        return np.asarray(model.predict_on_batch(filled), np.float32)[: len(images)]

    return padded
