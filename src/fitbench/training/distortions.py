"""Random distortions of the training images: layers that act while training and pass images through otherwise."""

import keras
from keras import layers

from fitbench.config import Affine, NoDistortion


def distorted(model: keras.Model, distortion: NoDistortion | Affine, seed: int) -> keras.Model:
    """The model to train: `model` itself, or `model` behind layers that distort its images.

    The weights are shared, so what is trained is `model`, which stays free of the distortion.
    """
    if not isinstance(distortion, Affine):
        return model
    images = keras.Input(model.input_shape[1:], dtype="uint8", name="pixels")
    degrees, shift, zoom = distortion.rotation, distortion.translation, distortion.zoom
    x = images
    for layer in (
        layers.RandomRotation(degrees / 360, fill_mode="constant", seed=seed, dtype="float32"),
        layers.RandomTranslation(shift, shift, fill_mode="constant", seed=seed + 1, dtype="float32"),
        layers.RandomZoom(zoom, zoom, fill_mode="constant", seed=seed + 2, dtype="float32"),
    ):
        x = layer(x)
    return keras.Model(images, model(x), name=f"distorted_{model.name}")
