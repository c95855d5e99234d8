"""Deskewing: images sheared so that what is written stands upright.

LeCun, Bottou, Bengio and Haffner 1998, section III.A: 'the deslanting computes the second moments of inertia of the
pixels [...] and shears the image by horizontally shifting the lines so that the principal axis is vertical'. With m11
and m02 the second central moments of x and y and of y and y, the shear x + (m11 / m02) (y - mean y) does that: it makes
m11 zero. The source counts a pixel as 0 or 1, here it counts with its grey value.

The same operations are the first of a saved model, which so takes images as they come from a file, and are applied to
the training images once before the training, and not again in every epoch. They are plain Keras operations: Keras alone
loads them.
"""

from typing import Any

import keras
import numpy as np
from keras import ops


def deskewed(images: Any) -> Any:
    """Images, uint8 [batch, height, width, channels], sheared upright; an image of one row or of nothing stays."""
    height, width = images.shape[1:3]
    ink = ops.sum(ops.cast(images, "float32"), axis=-1)  # [batch, height, width]
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]

    def mean(values: Any) -> Any:
        return ops.sum(ops.multiply(ink, values), axis=(1, 2), keepdims=True) / whole

    whole = ops.maximum(ops.sum(ink, axis=(1, 2), keepdims=True), 1)
    from_middle = ops.subtract(y, mean(y))
    m11 = mean(ops.subtract(x, mean(x)) * from_middle)
    m02 = mean(from_middle * from_middle)
    slope = ops.where(m02 > 1e-6, m11 / ops.maximum(m02, 1e-6), 0.0)
    # not `ops.add`, which on TensorFlow takes a [1, n, 1] for a bias of [1, n]
    columns = ops.clip(ops.subtract(x, -slope * from_middle), -1, width) + 1
    left = ops.floor(columns)
    share, left = ops.expand_dims(columns - left, -1), ops.expand_dims(ops.cast(left, "int32"), -1)
    padded = ops.pad(images, [[0, 0], [0, 0], [1, 2], [0, 0]])  # so that every position has two neighbours
    one, other = (ops.cast(ops.take_along_axis(padded, left + offset, axis=2), "float32") for offset in (0, 1))
    return ops.cast(ops.round(one + share * (other - one)), "uint8")


def deskewing(shape: tuple[int, ...]) -> keras.Model:
    """The model that deskews images of this shape, uint8 [batch, height, width, channels]."""
    images = keras.Input(shape, dtype="uint8", name="pixels")
    return keras.Model(images, deskewed(images), name="deskewed")
