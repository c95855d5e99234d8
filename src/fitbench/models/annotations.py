"""Annotated types of the settings of models. A builder whose parameters have them is checked before data are read.

This module does not import Keras. `fitbench.config.signatures` says what else annotations may use.
"""

import os
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AfterValidator

from fitbench.config.annotations import (
    Allowed,
    Count,
    Fraction,
    ImageSize,
    Interval,
    NonNegative,
    PathText,
    Positive,
    Real,
    Requires,
    Shares,
    Takes,
    Whole,
    expanded,
)
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS
from fitbench.record.inputs import Inputs

__all__ = [
    "Activation",
    "Allowed",
    "AnyLayerSizes",
    "AnyNumbers",
    "Application",
    "Count",
    "Fraction",
    "Fractions",
    "ImageSize",
    "Interval",
    "LayerSizes",
    "NonNegative",
    "OutputActivation",
    "PixelRange",
    "Positive",
    "PretrainedWeights",
    "Real",
    "Requires",
    "Sequences",
    "Shares",
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

AnyLayerSizes = Annotated[
    list[Count], Allowed("a list of positive numbers below 2^31, such as [64, 64], or [] for no layer")
]

Fractions = Annotated[list[Fraction], MinLen(1), Allowed("a list of numbers from 0 to below 1, such as [0.1, 0.2]")]

# The activations of Keras that take one tensor to one tensor of its shape, by Keras's names, and 1.7159 tanh(2x/3).
Activation = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "hard_sigmoid", "softplus", "softsign", "linear", "scaled_tanh",
]  # fmt: skip
OutputActivation = Annotated[
    Literal["scaled_tanh", "tanh", "sigmoid"],
    Requires(
        "sigmoid",
        "training.loss",
        "mean_squared_error",
        "the other losses are computed from logits, which model.output_activation=null gives",
    ),
]


def _absolute(weights: str) -> str:
    """The path for every folder, in one spelling, because run_id depends on it."""
    return weights if weights == "imagenet" else os.path.abspath(expanded(weights))  # noqa: PTH100 - removes `..` too


PretrainedWeights = Annotated[
    PathText, AfterValidator(_absolute), Allowed("imagenet, or the path of a file of weights")
]
Application = Literal[
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "DenseNet121", "DenseNet169",
    "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101",
    "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception",
]  # fmt: skip
