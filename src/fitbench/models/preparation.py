"""A saved model takes raw examples: it begins with what prepared the examples that it was trained on."""

import keras


def from_raw(model: keras.Model, preparation: keras.Model | None) -> keras.Model:
    """The model that takes raw examples, from one that takes prepared examples and the model that prepares them."""
    if preparation is None:
        return model
    raw = keras.Input(preparation.input_shape[1:], dtype=preparation.inputs[0].dtype, name=preparation.inputs[0].name)
    return keras.Model(raw, model(preparation(raw)), name=f"{preparation.name}_{model.name}")
