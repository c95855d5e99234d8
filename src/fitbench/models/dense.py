"""Models of dense layers.

A model is a function that returns a `keras.Model`. Its parameters are the settings in `conf/model/*.yaml`, which are
checked against their annotations. fitbench supplies `inputs` (a `record.inputs.Inputs`: the kind, shape and type of
the examples), `input_shape`, `columns` (those of a table), `outputs` and `examples` (the number of training examples)
to a function that has these parameters. A model takes raw examples as `Inputs` describes them, such as pixels, uint8
[batch, height, width, channels] from 0 to 255. It prepares them in its first layers, and ends in raw outputs, float32
[batch, outputs]: logits, or the values of a regression. So a saved model needs nothing but its inputs, and training and
use cannot differ. A function of fitbench without a parameter `inputs` takes images only. A function of your own works
in the same way: name it in `model._target_`.
"""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from fitbench.kinds import IMAGES
from fitbench.models.annotations import (
    Activation,
    AnyLayerSizes,
    AnyNumbers,
    Count,
    Fraction,
    OutputActivation,
    PixelRange,
    Positive,
)
from fitbench.models.blocks import activation_of, features, logits, normal, pixels, within_fan_in
from fitbench.models.layers import Standardize


def softmax(input_shape: tuple[int, int, int], outputs: int, pixel_range: PixelRange) -> keras.Model:
    """One dense layer: multinomial logistic regression. 7,850 parameters on 28x28x1 and 10 classes."""
    images, x = pixels(input_shape, pixel_range)
    x = layers.Flatten()(x)
    return keras.Model(images, logits(outputs)(x), name="softmax")


def linear(inputs: AnyNumbers, outputs: int, pixel_range: PixelRange) -> keras.Model:
    """One dense layer on pixels, columns of a table or other numbers. 14 parameters on 13 numbers and 1 target.

    It is what the loss makes of it: for classes multinomial logistic regression, for values the least squares, for
    several labels one logistic regression each. Nothing is penalised. With one-hot categories the weights are not
    unique, but the outputs are.
    """
    given, x = features(inputs, pixel_range)
    return keras.Model(given, logits(outputs)(x), name="linear")


def mlp(
    inputs: AnyNumbers,
    outputs: int,
    pixel_range: PixelRange,
    hidden: AnyLayerSizes,
    activation: Activation,
    dropout: Fraction,
    init_stddev: Positive | None,
    output_activation: OutputActivation | None = None,
    embedding: Count | None = None,
    init: Literal["fan_in"] | None = None,
) -> keras.Model:
    """Dense layers. 55,050 parameters on 28x28x1 with hidden [64, 64] and 10 classes; 5,121 on 13 numbers and 1 target.

    With hidden [] there is the output layer alone.

    Columns of categories become one-hot, or, with `embedding`, so many trained numbers for each category.

    Weights start from Glorot's uniform distribution and biases from zero, or, with `init_stddev`, both from a normal
    distribution of mean 0 and that standard deviation, or, with `init` fan_in, both within ±2.4 / the inputs of their
    layer (LeCun, Bottou, Bengio and Haffner 1998, appendix A). With `output_activation` the outputs are squashed, for
    the mean squared error; then they are no logits, but their order is that of the logits. Their softmax is recorded.

    Raises:
        ValueError: both `init` and `init_stddev` are given.
    """
    if init and init_stddev:
        raise ValueError(f"init={init} and init_stddev={init_stddev} exclude each other; leave one of them out")

    def start(x: Any) -> dict[str, keras.initializers.Initializer]:
        return within_fan_in(x.shape[-1]) if init else normal(init_stddev)

    given, x = features(inputs, pixel_range, embedding)
    for units in hidden:
        x = layers.Dense(units, activation=activation_of(activation), **start(x))(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    squashed = activation_of(output_activation or "linear")
    return keras.Model(given, logits(outputs, activation=squashed, **start(x))(x), name="mlp")


def logistic_ovr(
    inputs: AnyNumbers,
    outputs: int,
    examples: int,
    C: Positive,
    penalty: Literal["l1", "l2"],
    penalise_bias: bool,
) -> keras.Model:
    """One logistic regression per class against the rest, or per label, penalised as in scikit-learn.

    It is one of standardised pixels, or of the columns of a table as `tables.encoded` has them. With
    `training.loss=binary_cross_entropy` the objective is, over n = `examples` training examples and K = `outputs`,

        1 / (K n C) * sum over classes of (P(w) + C * sum over examples of log(1 + exp(-y (w·x + b)))),  y = 1 or -1,

    where P(w) is |w|²/2 for the penalty l2 and the sum of |w| for l1: the sum of the objectives of scikit-learn's
    `LogisticRegression(C=C, penalty=penalty, solver="liblinear")` over the classes, divided by K n C (user guide,
    section 'Logistic regression'; Fan et al., LIBLINEAR, 2008). liblinear treats the bias as a weight of an input of
    1, so P takes it in with `penalise_bias`; the other solvers leave it out. The weights start at zero: the objective
    is convex. Steps of gradient descent make small weights under l1, not zero ones.
    """
    weight = 1 / (C * examples * outputs)
    penalised = keras.regularizers.L1(weight) if penalty == "l1" else keras.regularizers.L2(weight / 2)
    if inputs.kind == IMAGES:
        given = keras.Input(inputs.shape, dtype="uint8", name="pixels")
        x = layers.Flatten()(Standardize(name="standardised")(given))
    else:
        given, x = features(inputs)
    last = logits(
        outputs,
        kernel_initializer="zeros",
        kernel_regularizer=penalised,
        bias_regularizer=penalised if penalise_bias else None,
    )
    return keras.Model(given, last(x), name="logistic_ovr")


def nearest_mean(input_shape: tuple[int, int, int], outputs: int) -> keras.Model:
    """The class whose mean image is nearest in squared error, as one dense layer on pixels from 0 to 1.

    For a mean image m, -|x - m|^2 / 2 is m·x - |m|^2 / 2 less |x|^2 / 2, which is the same for every class. So the
    kernel's columns are the means and the biases are -|m|^2 / 2. `solve_nearest_mean` sets them.
    """
    images, x = pixels(input_shape, [0, 1])
    x = layers.Flatten()(x)
    return keras.Model(images, logits(outputs)(x), name="nearest_mean")


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
