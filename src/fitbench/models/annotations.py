"""Annotated types of the settings of models. A builder whose parameters have them is checked before data are read.

This module does not import Keras. `fitbench.config.signatures` says what else annotations may use.
"""

from typing import Annotated, Literal

from annotated_types import MinLen

from fitbench.config.annotations import (
    Allowed,
    Count,
    Fraction,
    Interval,
    NonNegative,
    Positive,
    Real,
    Requires,
    Takes,
    Whole,
)
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS
from fitbench.record.inputs import Inputs

__all__ = [
    "Activation",
    "Allowed",
    "AnyNumbers",
    "Count",
    "Fraction",
    "Fractions",
    "Interval",
    "LayerSizes",
    "NonNegative",
    "OutputActivation",
    "PixelRange",
    "Positive",
    "Real",
    "Requires",
    "Sequences",
    "Signals",
    "Whole",
]

AnyNumbers = Annotated[Inputs, Takes((IMAGES, TABLE, SERIES, ARRAYS))]
Signals = Annotated[Inputs, Takes((SERIES, ARRAYS))]  # arrays of [steps] or [steps, channels]
Sequences = Annotated[Inputs, Takes((SERIES, TOKENS, ARRAYS))]
PixelRange = Interval  # what the pixel values 0 and 255 become before the first weights
LayerSizes = Annotated[
    list[Count], MinLen(1), Allowed("a list of one or more positive numbers below 2^31, such as [64, 64]")
]

Fractions = Annotated[list[Fraction], MinLen(1), Allowed("a list of numbers from 0 to below 1, such as [0.1, 0.2]")]

# The activations of Keras that take one tensor to one tensor of its shape, by Keras's names, and 1.7159 tanh(2x/3).
Activation = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "hard_sigmoid", "softplus", "softsign", "linear", "scaled_tanh",
]  # fmt: skip
OutputActivation = Annotated[
    Literal["scaled_tanh", "tanh", "sigmoid"],
    Requires("sigmoid", "training.loss", "mean_squared_error", "the other losses are computed from logits"),
]
