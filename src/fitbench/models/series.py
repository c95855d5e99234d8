"""Models of time series, after Wang, Yan and Oates 2017 and Ismail Fawaz et al. 2019."""

import keras
from keras import layers

from fitbench.models.annotations import Signals
from fitbench.models.blocks import channels, logits


def fcn(inputs: Signals, outputs: int) -> keras.Model:
    """The fully convolutional network of Wang, Yan and Oates, 'Time series classification from scratch', 2017.

    Three convolutions of 128, 256 and 128 filters of length 8, 5 and 3, each with batch normalisation and ReLU, then
    global average pooling. 265,986 parameters on 150 steps, 1 channel and 2 classes.
    """
    given, x = channels(inputs)
    for filters, length in ((128, 8), (256, 5), (128, 3)):
        x = layers.Conv1D(filters, length, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(given, logits(outputs)(x), name="fcn")
