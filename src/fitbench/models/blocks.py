"""The parts that models have in common: the input, padding, the last layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from fitbench.kinds import IMAGES, TABLE
from fitbench.models.layers import scaled_tanh, uniform
from fitbench.models.tables import encoded
from fitbench.record.inputs import Inputs


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


def features(inputs: Inputs, pixel_range: Sequence[float] = (0, 1), embedding: int | None = None) -> tuple:
    """The input, and what it holds as [batch, features]: pixels, the columns of a table, or the values of an array.

    A builder passes on the `inputs` that fitbench gives it. `tables.encoded` says what columns become. `pixel_range`
    is for images alone.

    Raises:
        ValueError: an embedding is asked for, but there are no columns of categories.
    """
    if embedding and not any(column.kind == "category" for column in inputs.columns):
        raise ValueError("model.embedding is for columns of categories, and there are none; set model.embedding=null")
    if inputs.kind == TABLE:
        rows = keras.Input(inputs.shape, dtype="float32", name="columns")
        return rows, encoded(rows, inputs.columns, embedding)
    given, x = pixels(inputs.shape, pixel_range) if inputs.kind == IMAGES else values(inputs)
    return given, layers.Flatten()(x)


def values(inputs: Inputs) -> tuple:
    """The input, and its values as float32 of the same shape."""
    given = keras.Input(inputs.shape, dtype=inputs.dtype, name=inputs.kind)
    return given, given if inputs.dtype == "float32" else ops.cast(given, "float32")


def channels(inputs: Inputs) -> tuple:
    """The input, and series as float32 [batch, steps, channels]; arrays of [steps] have one channel.

    Raises:
        ValueError: the arrays have another shape.
    """
    given, x = values(inputs)
    if len(inputs.shape) == 1:
        return given, ops.expand_dims(x, -1)
    if len(inputs.shape) != 2:
        raise ValueError(f"it takes arrays of the shape [steps] or [steps, channels]; these are {inputs.described}")
    return given, x


def logits(outputs: int, **settings: Any) -> layers.Dense:
    """The last layer, in float32 under every dtype policy."""
    return layers.Dense(outputs, dtype="float32", name="logits", **settings)


def normal(stddev: float | None) -> dict[str, keras.initializers.Initializer]:
    """Settings of a layer whose weights and biases start from N(0, stddev); None leaves them to Keras."""
    if stddev is None:
        return {}
    draw = keras.initializers.RandomNormal
    return {"kernel_initializer": draw(stddev=stddev), "bias_initializer": draw(stddev=stddev)}


def within_fan_in(inputs: int) -> dict[str, keras.initializers.Initializer]:
    """Settings of a layer whose weights and biases start within ±2.4 / inputs, as `layers.uniform` draws them."""
    return {"kernel_initializer": uniform(inputs), "bias_initializer": uniform(inputs)}


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
