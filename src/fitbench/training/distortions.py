"""Random distortions of the training images: layers that act while training and pass images through otherwise."""

import keras
from keras import layers

from fitbench.config import Affine, NoDistortion


def distorted(
    model: keras.Model, input_shape: tuple[int, int, int], distortion: NoDistortion | Affine, seed: int
) -> keras.Model:
    """A model that distorts its images and hands them to `model`, whose weights are its own.

    Between the two, pixels are whole values from 0 to 255, as they come from a file; what moves in from outside of the
    image is 0.
    """
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = images
    if isinstance(distortion, Affine):
        shift, zoom = distortion.translation, distortion.zoom
        x = layers.RandomRotation(distortion.rotation / 360, fill_mode="constant", seed=seed, dtype="float32")(x)
        x = layers.RandomTranslation(shift, shift, fill_mode="constant", seed=seed + 1, dtype="float32")(x)
        x = layers.RandomZoom(zoom, zoom, fill_mode="constant", seed=seed + 2, dtype="float32")(x)
        x = keras.ops.round(x)  # the model's input is whole, and would cut the rest off
    return keras.Model(images, model(x), name=f"trained_{model.name}")
