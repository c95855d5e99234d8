"""The convolutional nets of 1989 to 2003, as their papers describe them. `lenet5` in convolutional.py is a modern one.

They follow the conventions that `dense` explains; the layers that Keras lacks are in layers.py. Of their dense layers
and convolutions, weights and biases start within ±2.4 / fan-in where the LeNets' paper says so.
"""

from typing import Annotated, Literal

import keras
from keras import layers

from fitbench.models.annotations import Activation, Count, OutputActivation, PixelRange, Positive, Requires
from fitbench.models.blocks import activation_of, logits, normal, padded, pixels, within_fan_in
from fitbench.models.digits import CODES
from fitbench.models.layers import AreaResize, RadialBasis, Subsampling, TableConv2D, scaled_tanh

# Table I of LeCun, Bottou, Bengio and Haffner 1998: the S2 maps that each C3 map sees.
LENET5_C3 = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip
# Table 1 of LeCun et al. 1989: the H2 maps that each H3 map sees; two almost independent halves.
LENET1_H3 = ((0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1), (2,), (2, 3), (2, 3), (3,), (2, 3), (2, 3))
# No source gives LeNet-4's; with four inputs per map its counts come out.
LENET4_C3 = (
    *(tuple(sorted((first + step) % 8 for step in (0, 1, 2, 3))) for first in range(8)),
    *(tuple(sorted((first + step) % 8 for step in (0, 2, 3, 5))) for first in range(8)),
)


# The outputs are never above 0, so no other loss can be small.
Output = Annotated[
    Literal["rbf", "softmax"],
    Requires(
        "rbf",
        "training.loss",
        "cross_entropy",
        "its outputs are never above 0",
        instead=("fitbench.models.losses.MaximumAPosteriori",),
    ),
]


def lenet5_1998(
    input_shape: tuple[int, int, int], outputs: int, pixel_range: PixelRange, output: Output
) -> keras.Model:
    """LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998, section II.B.

    28x28 pixels are padded to 32x32; C1 has 6 maps of 28x28, S2 of 14x14, C3 16 maps of 10x10 that see some S2 maps
    each (table I), S4 of 5x5, C5 120 units, F6 84, all squashed by 1.7159 tanh(2x/3). 60,000 parameters on 28x28x1:
    156 + 12 + 1,516 + 32 + 48,120 + 10,164.

    `output` is `rbf`, the paper's: less the squared distance of F6 from a fixed code of each digit, drawn in digits.py
    (the drawings are ours, not the paper's figure 3), without parameters; or `softmax`: a dense layer of 850
    parameters. The paper's loss for `rbf` is `losses.MaximumAPosteriori`. It trains with stochastic diagonal
    Levenberg-Marquardt steps, here any optimizer does.

    Raises:
        ValueError: the images are larger than 32x32, or `output` is rbf and the classes are not ten.
    """
    _at_most("lenet5_1998", input_shape, 32)
    if output == "rbf" and outputs != len(CODES):
        raise ValueError(f"output=rbf has codes for the {len(CODES)} digits, not for {outputs} classes; output=softmax")
    images, x = pixels(input_shape, pixel_range, padded(input_shape, 32))
    x = _conv(6, 25 * input_shape[2], "C1")(x)
    x = Subsampling(name="S2")(x)
    x = TableConv2D(LENET5_C3, name="C3")(x)
    x = Subsampling(name="S4")(x)
    x = _dense(120, 400, "C5")(layers.Flatten()(x))
    x = _dense(84, 120, "F6")(x)
    last = RadialBasis(CODES, dtype="float32", name="logits") if output == "rbf" else _outputs(outputs, 84, None)
    return keras.Model(images, last(x), name="lenet5_1998")


def lenet1(
    input_shape: tuple[int, int, int], outputs: int, pixel_range: PixelRange, output_activation: OutputActivation | None
) -> keras.Model:
    """LeNet-1: the net of LeCun et al. 1989 on digits subsampled to 16x16 and centred in 28x28.

    The 20x20 pixels that hold an MNIST digit become 16x16 if 28x28 becomes 22x22 (by averaging areas), and three
    pixels of background around them make 28x28 again. H1 has 4 maps of 24x24, H2 of 12x12, H3 12 maps of 8x8 that see
    some H2 maps each (table 1 of 1989), H4 of 4x4. 2,578 parameters on 28x28x1 and 10 classes, as in LeCun et al.,
    'Backpropagation applied to handwritten zip code recognition', Neural Computation 1(4), 1989, p. 402 ('4635 units,
    98442 connections, and 2578 independent parameters'), and 'about 2600' in LeCun et al., 'Comparison of learning
    algorithms for handwritten digit recognition', 1995: 104 + 8 + 512 + 24 + 1,930.

    Raises:
        ValueError: the images are not 28x28.
    """
    if tuple(input_shape[:2]) != (28, 28):
        raise ValueError(f"lenet1 takes images of 28x28 pixels; these are {input_shape[0]}x{input_shape[1]}")
    images, x = pixels(input_shape, pixel_range, AreaResize((22, 22)), padded((22, 22, 1), 28))
    x = _conv(4, 25 * input_shape[2], "H1")(x)
    x = Subsampling(name="H2")(x)
    x = TableConv2D(LENET1_H3, name="H3")(x)
    x = Subsampling(name="H4")(x)
    return keras.Model(images, _outputs(outputs, 192, output_activation)(layers.Flatten()(x)), name="lenet1")


def lenet4(
    input_shape: tuple[int, int, int],
    outputs: int,
    pixel_range: PixelRange,
    hidden_units: Count,
    output_activation: OutputActivation | None,
) -> keras.Model:
    """LeNet-4: 4 maps, 8 subsampled ones (two of each), 16 maps, 16 subsampled ones, a dense layer, the outputs.

    Bottou et al., 'Comparison of classifier methods', 1994, and LeCun et al. 1998 give it 'about 260,000 connections'
    and 'about 17,000 free parameters'. 1998 also gives its dense layer 120 units, which cannot be: on 16 maps of 5x5
    that layer alone has 48,120 parameters. With 37 units there are 16,985 parameters and 268,193 connections on
    28x28x1 padded to 32x32 and 10 classes (104 + 16 + 1,616 + 32 + 14,837 + 380); with 120 there are 51,098 and
    302,306. Which S2 maps a C3 map sees is not published; here it is four of the eight, all different sets.

    Raises:
        ValueError: the images are larger than 32x32.
    """
    _at_most("lenet4", input_shape, 32)
    images, x = pixels(input_shape, pixel_range, padded(input_shape, 32))
    x = _conv(4, 25 * input_shape[2], "C1")(x)
    x = Subsampling(copies=2, name="S2")(x)
    x = TableConv2D(LENET4_C3, name="C3")(x)
    x = Subsampling(name="S4")(x)
    x = _dense(hidden_units, 400, "F5")(layers.Flatten()(x))
    return keras.Model(images, _outputs(outputs, hidden_units, output_activation)(x), name="lenet4")


def simard(
    input_shape: tuple[int, int, int],
    outputs: int,
    pixel_range: PixelRange,
    activation: Activation,
    init_stddev: Positive | None = None,
) -> keras.Model:
    """The net of Simard, Steinkraus and Platt, 'Best practices for convolutional neural networks', ICDAR 2003.

    28x28 pixels are padded to 29x29; 5 maps of 13x13 and 50 maps of 5x5 from 5x5 kernels at every second pixel, 100
    units, the outputs: 132,540 parameters on 28x28x1 and 10 classes. Weights start from Glorot's uniform distribution
    and biases from zero, or, with `init_stddev`, both from a normal distribution of mean 0 and that standard deviation;
    the paper's is 0.05.

    Raises:
        ValueError: the images are larger than 29x29.
    """
    _at_most("simard", input_shape, 29)
    images, x = pixels(input_shape, pixel_range, padded(input_shape, 29))
    for maps in (5, 50):
        x = layers.Conv2D(maps, 5, strides=2, activation=activation_of(activation), **normal(init_stddev))(x)
    x = layers.Dense(100, activation=activation_of(activation), **normal(init_stddev))(layers.Flatten()(x))
    return keras.Model(images, logits(outputs, **normal(init_stddev))(x), name="simard")


def _conv(maps: int, fan_in: int, name: str) -> layers.Conv2D:
    return layers.Conv2D(maps, 5, activation=scaled_tanh, name=name, **within_fan_in(fan_in))


def _dense(units: int, fan_in: int, name: str) -> layers.Dense:
    return layers.Dense(units, activation=scaled_tanh, name=name, **within_fan_in(fan_in))


def _outputs(units: int, fan_in: int, activation: str | None) -> layers.Dense:
    return logits(units, activation=activation_of(activation or "linear"), **within_fan_in(fan_in))


def _at_most(name: str, input_shape: tuple[int, int, int], side: int) -> None:
    height, width, _ = input_shape
    if max(height, width) > side:
        raise ValueError(f"{name} takes images of {side}x{side} pixels or fewer; these are {height}x{width}")
