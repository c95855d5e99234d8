"""Images seen through moved pixels: bilinear resampling."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def resample(images: Any, rows: Any, columns: Any) -> Any:
    """Images whose pixel at [row, column] comes from a position between the pixels of the given images.

    Bilinear interpolation of the four pixels around a position; outside of the image all is 0.

    Args:
        images: uint8 [batch, height, width, channels].
        rows: where each pixel comes from, float32 [batch, height, width], or of a shape that broadcasts to that.
        columns: the same.

    Returns:
        float32 [batch, height, width, channels], whole values from 0 to 255.
    """
    batch, height, width, channels = ops.shape(images)
    padded = ops.pad(images, [[0, 0], [1, 2], [1, 2], [0, 0]])  # so that every position has four neighbours
    flat = ops.reshape(padded, (-1, channels))
    rows, columns = ops.clip(rows, -1, height) + 1, ops.clip(columns, -1, width) + 1
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = ops.expand_dims(rows - top, -1), ops.expand_dims(columns - left, -1)
    image = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1)) * ((height + 3) * (width + 3))
    first = image + ops.cast(top, "int32") * (width + 3) + ops.cast(left, "int32")

    def pixels(offset: int) -> Any:
        return ops.cast(ops.take(flat, first + offset, axis=0), "float32")

    def between(start: Any, end: Any, share: Any) -> Any:
        return start + share * (end - start)

    upper = between(pixels(0), pixels(1), right)
    lower = between(pixels(width + 3), pixels(width + 4), right)
    return ops.round(between(upper, lower, down))


def fused(function: Callable) -> Callable:
    """The function of tensors as one kernel where that is faster than one for each operation in it.

    Resampling is a long row of cheap operations on each pixel. On a CPU TensorFlow alone takes three times as long
    for them as XLA's loop over the pixels. On a GPU, and on JAX, the whole training step is compiled or not.
    """
    if keras.config.backend() != "tensorflow" or any("gpu" in name for name in keras.distribution.list_devices()):
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
