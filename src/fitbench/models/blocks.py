"""The parts that models have in common: the input, padding, the last layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from fitbench.models.layers import scaled_tanh
from fitbench.models.tables import encoded
from fitbench.record.dataset import Column


def pixels(input_shape: tuple[int, ...], pixel_range: Sequence[float], *first: layers.Layer) -> tuple:
    """The input, and the pixels as floats with 0 and 255 mapped to the ends of `pixel_range`.

    Layers that come `first` are given pixels from 0 to 255: what they pad with 0 becomes the background.
    """
    low, high = pixel_range
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = images
    for layer in first:
        x = layer(x)
    return images, layers.Rescaling((high - low) / 255, offset=low, name="pixel_range")(x)


def features(
    input_shape: tuple[int, ...],
    columns: Sequence[Column] = (),
    pixel_range: Sequence[float] = (0, 1),
    embedding: int | None = None,
) -> tuple:
    """The input, and what it holds as [batch, features]: the pixels, or the columns of a table.

    A builder passes on the `input_shape` and `columns` that fitbench gives it. Without columns the examples are images.
    `tables.encoded` says what columns become. `pixel_range` has no effect on them.

    Raises:
        ValueError: an embedding is asked for, but there are no columns of categories.
    """
    if embedding and not any(column.kind == "category" for column in columns):
        raise ValueError("model.embedding is for columns of categories, and there are none; set model.embedding=null")
    if columns:
        rows = keras.Input(input_shape, dtype="float32", name="columns")
        return rows, encoded(rows, columns, embedding)
    images, x = pixels(input_shape, pixel_range)
    return images, layers.Flatten()(x)


def logits(outputs: int, **settings: Any) -> layers.Dense:
    """The last layer, in float32 under every dtype policy."""
    return layers.Dense(outputs, dtype="float32", name="logits", **settings)


def padded(input_shape: tuple[int, int, int], side: int) -> layers.ZeroPadding2D:
    """Zeros around images smaller than side x side, the same on both sides as far as that goes (28 to 32: by 2)."""
    missing = [max(side - length, 0) for length in input_shape[:2]]
    return layers.ZeroPadding2D([(some // 2, some - some // 2) for some in missing])


def activation_of(name: str) -> Any:
    """An activation by its name in the configuration: Keras's, or `scaled_tanh`."""
    return scaled_tanh if name == "scaled_tanh" else keras.activations.get(name)


def at_least(name: str, input_shape: tuple[int, int, int], side: int) -> None:
    """Refuse images that are smaller than side x side with a ValueError."""
    height, width, _ = input_shape
    if min(height, width) < side:
        raise ValueError(f"{name} takes images of {side}x{side} pixels or more; these are {height}x{width}")
