"""Recurrent models of series and of sequences of tokens. They follow the conventions that `dense` explains."""

import keras
from keras import layers

from fitbench.kinds import TOKENS
from fitbench.models.annotations import Count, Fraction, LayerSizes, Sequences
from fitbench.models.blocks import channels, logits
from fitbench.record.inputs import Inputs


def lstm(
    inputs: Sequences,
    outputs: int,
    units: LayerSizes,
    bidirectional: bool,
    dropout: Fraction,
    embedding: Count,
    mask_zero: bool,
) -> keras.Model:
    """Layers of LSTM (Hochreiter and Schmidhuber, 'Long short-term memory', Neural Computation 9(8), 1997).

    The last state of the last layer goes through dropout to the outputs. With `bidirectional` each layer also reads the
    sequence backwards with weights of its own, and both results stand side by side (Schuster and Paliwal,
    'Bidirectional recurrent neural networks', 1997). Between two layers there is dropout too.

    A layer of `u` units on `c` values has 4u(c + u + 1) parameters: with units [64], 1 channel and 2 classes the model
    has 17,026, which are 16,896 and 130.

    A token becomes `embedding` trained numbers. With `mask_zero` token 0 is padding, which is skipped wherever it
    stands; the layers then do not use cuDNN, which takes padding at the end alone. Series and arrays are taken as they
    are.

    Raises:
        ValueError: arrays are not [steps] or [steps, channels].
    """
    given, x = _embedded(inputs, embedding, mask_zero) if inputs.kind == TOKENS else channels(inputs)
    is_masked = mask_zero and inputs.kind == TOKENS
    for number, size in enumerate(units, 1):
        returns = {"return_sequences": number < len(units)}
        layer = layers.RNN(layers.LSTMCell(size), **returns) if is_masked else layers.LSTM(size, **returns)
        x = (layers.Bidirectional(layer) if bidirectional else layer)(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    return keras.Model(given, logits(outputs)(x), name="lstm")


def _embedded(inputs: Inputs, length: int, mask_zero: bool) -> tuple:
    """The tokens, int32 [batch, steps], and their vectors, [batch, steps, length]."""
    tokens = keras.Input(inputs.shape, dtype=inputs.dtype, name=inputs.kind)
    return tokens, layers.Embedding(inputs.vocabulary, length, mask_zero=mask_zero, name="embedding")(tokens)
