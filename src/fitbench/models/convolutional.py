"""Convolutional models of today. They follow the conventions that `dense` explains."""

from typing import Literal

import keras
from keras import layers

from fitbench.models.annotations import Activation, Count, Fraction, LayerSizes, PixelRange
from fitbench.models.blocks import activation_of, at_least, logits, padded, pixels


def lenet5(input_shape: tuple[int, int, int], outputs: int, pixel_range: PixelRange) -> keras.Model:
    """LeNet-5 as many tutorials build it: average pooling, ReLU, 3x3 kernels without padding.

    60,074 parameters on 28x28x1 and 10 classes: 60 + 880 + 48,120 + 10,164 + 850. After LeCun, Bottou, Bengio and
    Haffner, 'Gradient-based learning applied to document recognition', 1998, whose own net has 5x5 kernels on 32x32
    pixels, trainable subsampling and a scaled tanh.

    Raises:
        ValueError: the images are smaller than 10x10.
    """
    at_least("lenet5", input_shape, 10)
    images, x = pixels(input_shape, pixel_range)
    for maps in (6, 16):
        x = layers.Conv2D(maps, 3, activation="relu")(x)
        x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    for units in (120, 84):
        x = layers.Dense(units, activation="relu")(x)
    return keras.Model(images, logits(outputs)(x), name="lenet5")


def lenet5_max(input_shape: tuple[int, int, int], outputs: int, pixel_range: PixelRange) -> keras.Model:
    """LeNet-5 with max pooling, ReLU after the 5x5 convolutions, and no activation between the dense layers.

    Images smaller than 32x32 are padded with zeros, the same on both sides as far as that goes (28x28: by 2).
    61,706 parameters on 28x28x1 and 10 classes: 156 + 2,416 + 48,120 + 10,164 + 850.
    """
    images, x = pixels(input_shape, pixel_range)
    x = padded(input_shape, 32)(x)
    for maps in (6, 16):
        x = layers.Conv2D(maps, 5, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for units in (120, 84):
        x = layers.Dense(units)(x)
    return keras.Model(images, logits(outputs)(x), name="lenet5_max")


def convnet(
    input_shape: tuple[int, int, int],
    outputs: int,
    pixel_range: PixelRange,
    filters: LayerSizes,
    dropout: Fraction,
    momentum: Fraction,
) -> keras.Model:
    """A small modern convolutional net: pairs of 3x3 convolutions with batch normalisation, global average pooling.

    Each stage has two convolutions of `filters[stage]` maps; between stages 2x2 max pooling halves the image. The
    pattern is that of VGG (Simonyan and Zisserman 2015) with batch normalisation (Ioffe and Szegedy 2015), whose
    running mean and variance have this `momentum`, and global average pooling (Lin, Chen and Yan 2014). 72,666
    trainable parameters on 28x28x1 with filters [16, 32, 64].

    Raises:
        ValueError: the images are too small to be halved that often.
    """
    at_least("convnet", input_shape, 2 ** (len(filters) - 1))
    images, x = pixels(input_shape, pixel_range)
    for stage, maps in enumerate(filters):
        if stage:
            x = layers.MaxPooling2D(2)(x)
        for _ in range(2):
            x = layers.Conv2D(maps, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=momentum)(x)
            x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(images, logits(outputs)(x), name="convnet")


def conv_pool(
    input_shape: tuple[int, int, int],
    outputs: int,
    pixel_range: PixelRange,
    filters: LayerSizes,
    kernel_size: Count,
    hidden: LayerSizes,
    activation: Activation,
    dropout: Fraction,
    padding: Literal["valid"] | None = None,
) -> keras.Model:
    """Convolutions, each with 2x2 max pooling after it, then dense layers and dropout.

    With filters [32, 64], 5x5 kernels, 1,024 units and dropout 0.4 it is the net of Fashion-MNIST's
    benchmark/convnet.py: 3,274,634 parameters on 28x28x1. The dropout is before the last layer. Zeros around the image
    keep its size in each convolution; with `padding` valid there are none, and each convolution makes it smaller by
    kernel_size - 1.

    Raises:
        ValueError: the images are too small to be made smaller that often.
    """
    side = 1
    for _ in filters:
        side = 2 * side + (kernel_size - 1 if padding else 0)
    at_least("conv_pool", input_shape, side)
    images, x = pixels(input_shape, pixel_range)
    for maps in filters:
        x = layers.Conv2D(maps, kernel_size, padding=padding or "same", activation=activation_of(activation))(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for units in hidden:
        x = layers.Dense(units, activation=activation_of(activation))(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return keras.Model(images, logits(outputs)(x), name="conv_pool")
