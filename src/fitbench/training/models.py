"""The models. Each is a plain function from the images' shape to a `keras.Model`.

Every model takes raw pixels, uint8 [batch, height, width, channels] from 0 to 255, prepares them in its first layers,
and ends in logits, float32 [batch, classes]. So a saved model needs nothing but images, and training and use cannot
differ. A function of your own works in the same way: name it in `model._target_`.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from fitbench.training.layers import Standardize, scaled_tanh


def pixels(input_shape: tuple[int, int, int], pixel_range: list[float], *first: layers.Layer) -> tuple:
    """The input, and the pixels as floats with 0 and 255 mapped to the ends of `pixel_range`.

    Layers that come `first` are given pixels from 0 to 255: what they pad with 0 becomes the background.
    """
    low, high = pixel_range
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = images
    for layer in first:
        x = layer(x)
    return images, layers.Rescaling((high - low) / 255, offset=low, name="pixel_range")(x)


def logits(classes: int, **settings: Any) -> layers.Dense:
    """The last layer, in float32 under every dtype policy."""
    return layers.Dense(classes, dtype="float32", name="logits", **settings)


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


def softmax(input_shape: tuple[int, int, int], classes: int, pixel_range: list[float]) -> keras.Model:
    """One dense layer: multinomial logistic regression. 7,850 parameters on 28x28x1 and 10 classes."""
    images, x = pixels(input_shape, pixel_range)
    x = layers.Flatten()(x)
    return keras.Model(images, logits(classes)(x), name="softmax")


def mlp(
    input_shape: tuple[int, int, int],
    classes: int,
    pixel_range: list[float],
    hidden: list[int],
    activation: str,
    dropout: float,
    init_stddev: float | None,
    output_activation: str | None = None,
) -> keras.Model:
    """Dense layers. 55,050 parameters on 28x28x1 with hidden [64, 64] and 10 classes.

    Weights start from Glorot's uniform distribution and biases from zero, or, with `init_stddev`, both from a normal
    distribution of mean 0 and that standard deviation. With `output_activation` the outputs are squashed, for the
    mean squared error; then they are no logits, but their order is that of the logits.
    """

    def start() -> dict:
        if init_stddev is None:
            return {}
        normal = keras.initializers.RandomNormal
        return {"kernel_initializer": normal(stddev=init_stddev), "bias_initializer": normal(stddev=init_stddev)}

    images, x = pixels(input_shape, pixel_range)
    x = layers.Flatten()(x)
    for units in hidden:
        x = layers.Dense(units, activation=activation_of(activation), **start())(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    squashed = activation_of(output_activation or "linear")
    return keras.Model(images, logits(classes, activation=squashed, **start())(x), name="mlp")


def lenet5(input_shape: tuple[int, int, int], classes: int, pixel_range: list[float]) -> keras.Model:
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
    return keras.Model(images, logits(classes)(x), name="lenet5")


def lenet5_max(input_shape: tuple[int, int, int], classes: int, pixel_range: list[float]) -> keras.Model:
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
    return keras.Model(images, logits(classes)(x), name="lenet5_max")


def convnet(
    input_shape: tuple[int, int, int],
    classes: int,
    pixel_range: list[float],
    filters: list[int],
    dropout: float,
    momentum: float,
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
    return keras.Model(images, logits(classes)(x), name="convnet")


def conv_pool(
    input_shape: tuple[int, int, int],
    classes: int,
    pixel_range: list[float],
    filters: list[int],
    kernel_size: int,
    hidden: list[int],
    activation: str,
    dropout: float,
) -> keras.Model:
    """Convolutions that keep the image's size, each with 2x2 max pooling after it, then dense layers and dropout.

    With filters [32, 64], 5x5 kernels, 1,024 units and dropout 0.4 it is the net of Fashion-MNIST's
    benchmark/convnet.py: 3,274,634 parameters on 28x28x1. The dropout is before the last layer.

    Raises:
        ValueError: the images are too small to be halved that often.
    """
    at_least("conv_pool", input_shape, 2 ** len(filters))
    images, x = pixels(input_shape, pixel_range)
    for maps in filters:
        x = layers.Conv2D(maps, kernel_size, padding="same", activation=activation_of(activation))(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for units in hidden:
        x = layers.Dense(units, activation=activation_of(activation))(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return keras.Model(images, logits(classes)(x), name="conv_pool")


def logistic_ovr(
    input_shape: tuple[int, int, int],
    classes: int,
    examples: int,
    C: float,
    penalty: str,
    penalise_bias: bool,
) -> keras.Model:
    """One logistic regression per class against the rest, on standardised pixels, penalised as in scikit-learn.

    With `training.loss=binary_cross_entropy` the objective is, over n = `examples` training images and K classes,

        1 / (K n C) * sum over classes of (P(w) + C * sum over images of log(1 + exp(-y (w·x + b)))),  y = 1 or -1,

    where P(w) is |w|²/2 for the penalty l2 and the sum of |w| for l1: the sum of the objectives of scikit-learn's
    `LogisticRegression(C=C, penalty=penalty, solver="liblinear")` over the classes, divided by K n C (user guide,
    section 'Logistic regression'; Fan et al., LIBLINEAR, 2008). liblinear treats the bias as a weight of an input of
    1, so P takes it in with `penalise_bias`; the other solvers leave it out. The weights start at zero: the objective
    is convex. Steps of gradient descent make small weights under l1, not zero ones.
    """
    weight = 1 / (C * examples * classes)
    penalised = keras.regularizers.L1(weight) if penalty == "l1" else keras.regularizers.L2(weight / 2)
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = layers.Flatten()(Standardize(name="standardised")(images))
    last = logits(
        classes,
        kernel_initializer="zeros",
        kernel_regularizer=penalised,
        bias_regularizer=penalised if penalise_bias else None,
    )
    return keras.Model(images, last(x), name="logistic_ovr")


def nearest_mean(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The class whose mean image is nearest in squared error, as one dense layer on pixels from 0 to 1.

    For a mean image m, -|x - m|^2 / 2 is m·x - |m|^2 / 2 less |x|^2 / 2, which is the same for every class. So the
    kernel's columns are the means and the biases are -|m|^2 / 2. `solve_nearest_mean` sets them.
    """
    images, x = pixels(input_shape, [0, 1])
    x = layers.Flatten()(x)
    return keras.Model(images, logits(classes)(x), name="nearest_mean")


def solve_nearest_mean(model: keras.Model, images: Any, labels: np.ndarray) -> None:
    """Set the weights of `nearest_mean` from images, uint8 [N, height, width, channels], and labels, int [N]."""
    classes = model.output_shape[-1]
    sums = np.zeros((classes, int(np.prod(images.shape[1:]))))
    for start in range(0, len(labels), 4096):
        chunk = slice(start, start + 4096)
        flat = images[chunk].reshape(len(labels[chunk]), -1).astype(np.float64)
        for label in range(classes):
            sums[label] += flat[labels[chunk] == label].sum(axis=0)
    means = sums / np.bincount(labels, minlength=classes)[:, None] / 255
    model.get_layer("logits").set_weights([means.T, -(means**2).sum(axis=1) / 2])
