"""Models of time series, after two comparisons of them. They follow the conventions that `dense` explains.

'2017' below is Wang, Yan and Oates, 'Time series classification from scratch with deep neural networks: a strong
baseline', IJCNN 2017. '2019' is Ismail Fawaz, Forestier, Weber, Idoumghar and Muller, 'Deep learning for time series
classification: a review', Data Mining and Knowledge Discovery 33, 2019, with its code (github.com/hfawaz/dl-4-tsc).
Where the two differ, the models here are those of 2019.

Numbers of parameters are those of 150 steps, 1 channel and 2 classes, as GunPoint has them, with the settings of
conf/model. Batch normalisation has the momentum 0.9 there. The sources have Keras's 0.99, with which the running
statistics need some hundred steps to settle, and validation before that is of little use.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import keras
from keras import layers

from fitbench.models.annotations import Count, Fraction, Fractions, LayerSizes, OutputActivation, Shares, Signals
from fitbench.models.blocks import activation_of, channels, features, logits

SHORT = 60  # steps; 2019 pads the convolutions of its Time-CNN for series that are shorter


def fcn(
    inputs: Signals, outputs: int, filters: LayerSizes, kernel_sizes: LayerSizes, momentum: Fraction
) -> keras.Model:
    """The fully convolutional network of 2017: convolutions with batch normalisation and ReLU, then their mean.

    265,986 parameters, of which 264,962 are trained: 1,152 + 164,096 + 98,432 of the convolutions, 512 + 1,024 + 512 of
    batch normalisation, 258 of the last layer. Convolutions are padded, so that series keep their length.

    Raises:
        ValueError: there are not as many kernel sizes as filters, or the examples are not series.
    """
    _check_as_many("kernel_sizes", kernel_sizes, len(filters), "as many as filters")
    given, x = channels(inputs)
    for maps, size in zip(filters, kernel_sizes, strict=True):
        x = layers.Activation("relu")(_convolution(x, maps, size, momentum))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(given, logits(outputs)(x), name="fcn")


def resnet1d(
    inputs: Signals, outputs: int, filters: LayerSizes, kernel_sizes: LayerSizes, momentum: Fraction
) -> keras.Model:
    """The residual network of 2017 as 2019 has it: blocks of three convolutions beside a shortcut, then their mean.

    A block has a convolution of each of the `kernel_sizes`, with batch normalisation, and with ReLU but for the last
    one. It gives ReLU of the sum with its shortcut. The shortcut is a convolution of length 1 with batch normalisation,
    or batch normalisation alone where the block has as many filters as the block before. 506,818 parameters, of which
    504,258 are trained: blocks of 34,624, 207,360 and 264,576, and 258 of the last layer.

    Raises:
        ValueError: the examples are not series.
    """
    given, x = channels(inputs)
    before = None
    for maps in filters:
        shortcut = layers.BatchNormalization(momentum=momentum)(x) if maps == before else None
        if shortcut is None:
            shortcut = _convolution(x, maps, 1, momentum)
        for size in kernel_sizes[:-1]:
            x = layers.Activation("relu")(_convolution(x, maps, size, momentum))
        x = layers.Add()([shortcut, _convolution(x, maps, kernel_sizes[-1], momentum)])
        x = layers.Activation("relu")(x)
        before = maps
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(given, logits(outputs)(x), name="resnet1d")


def mlp_time(inputs: Signals, outputs: int, hidden: LayerSizes, dropout: Fractions) -> keras.Model:
    """The MLP of 2017: dense layers with ReLU on all values, with dropout before each layer and before the last.

    577,502 parameters: 75,500 + 250,500 + 250,500 + 1,002.

    Raises:
        ValueError: there is not one fraction of dropout for each hidden layer and one for the last layer.
    """
    _check_as_many("dropout", dropout, len(hidden) + 1, "one for each hidden layer and one for the last layer")
    given, x = features(inputs)
    for units, fraction in zip(hidden, dropout, strict=False):
        x = layers.Dense(units, activation="relu")(layers.Dropout(fraction)(x))
    x = layers.Dropout(dropout[-1])(x)
    return keras.Model(given, logits(outputs)(x), name="mlp_time")


def time_cnn(
    inputs: Signals,
    outputs: int,
    filters: LayerSizes,
    kernel_size: Count,
    pool_size: Count,
    padding: Literal["auto", "same", "valid"],
    output_activation: Annotated[OutputActivation | None, Shares("sigmoid")],
) -> keras.Model:
    """Time-CNN: convolutions with a sigmoid, each with average pooling after it, then one dense layer.

    After Zhao, Lu, Chen, Liu and Wu, 'Convolutional neural networks for time series classification', Journal of Systems
    Engineering and Electronics 28(1), 2017, as 2019 has it: 902 parameters, 48 + 516 + 338. The outputs are sigmoids,
    which are trained with the mean squared error; each estimates the probability of its class. `training.networks` says
    what is recorded of them. Without `output_activation` they are logits for the other losses.

    `padding` is as in Keras; `auto` is 2019's: `same` for series below 60 steps, else `valid`.

    Raises:
        ValueError: the series are so short that pooling leaves nothing, or the examples are not series.
    """
    given, x = channels(inputs)
    steps = x.shape[1]
    if padding == "auto":
        padding = "same" if steps < SHORT else "valid"
    _check_steps(steps, len(filters), kernel_size, pool_size, padding)
    for maps in filters:
        x = layers.Conv1D(maps, kernel_size, padding=padding, activation="sigmoid")(x)
        x = layers.AveragePooling1D(pool_size)(x)
    x = layers.Flatten()(x)
    squashed = activation_of(output_activation or "linear")
    return keras.Model(given, logits(outputs, activation=squashed)(x), name="time_cnn")


def _convolution(x: Any, filters: int, length: int, momentum: float) -> Any:
    """A padded convolution with batch normalisation, [batch, steps, filters]."""
    x = layers.Conv1D(filters, length, padding="same")(x)
    return layers.BatchNormalization(momentum=momentum)(x)


def _check_as_many(name: str, values: Sequence[Any], number: int, meaning: str) -> None:
    if len(values) != number:
        raise ValueError(f"model.{name} has {len(values)} values; expected {number}, {meaning}")


def _check_steps(steps: int, convolutions: int, kernel_size: int, pool_size: int, padding: str) -> None:
    """Refuse series that are shorter than the convolutions and the pooling need."""
    needed = 1
    for _ in range(convolutions):
        needed = needed * pool_size + (kernel_size - 1 if padding == "valid" else 0)
    if steps < needed:
        raise ValueError(
            f"it takes series of {needed} steps or more, because {convolutions} convolutions of length {kernel_size} "
            f"(padding={padding}) with pooling by {pool_size} shorten them; these have {steps}; set fewer "
            "model.filters or a smaller model.pool_size"
        )
