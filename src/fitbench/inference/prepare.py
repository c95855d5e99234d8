"""Prepares images for a model: resizes them, or makes digits look like those of MNIST."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from PIL import Image

from fitbench.data.builtin import BUILTIN
from fitbench.data.image_pixels import fitted
from fitbench.inference.photos import BOX, like_mnist

Shape = tuple[int, int, int]  # height, width, channels

MNIST = (BUILTIN["mnist"].sha256, BUILTIN["mnist_5k"].sha256)


class Prepare(Enum):
    """How images are prepared for a model. For models of colour images, both only resize."""

    auto = "auto"
    none = "none"


def default_prepare(result: Mapping[str, Any]) -> Prepare:
    """Return the default for a run, given its result.json: `auto` for models of MNIST's digits, else `none`.

    The recorded checksum identifies the data, whatever their name and the format of their files.
    """
    return Prepare.auto if result["data"]["sha256"] in MNIST else Prepare.none


def prepare_image(image: Image.Image, shape: Shape, prepare: Prepare) -> np.ndarray:
    """Prepare an image for a model: uint8 [height, width, channels], `shape`.

    Args:
        image: an image from `images.decode`.
        shape: the shape of the model's images.
        prepare: `none` converts to grey or RGB and resizes, as reading a data set of image files does. `auto` turns the
            image into one like MNIST's if the model takes grey images. An image that is like MNIST's is not changed. An
            image without ink becomes black.
    """
    height, width, channels = shape
    if prepare is Prepare.none or channels != 1:
        return fitted(image, shape)
    if image.size == (width, height):
        return prepare_images(fitted(image, shape)[np.newaxis], prepare)[0]
    grey = image if image.mode == "L" else image.convert("L")
    return like_mnist(grey, height, width).reshape(shape)


def prepare_images(images: np.ndarray, prepare: Prepare) -> np.ndarray:
    """Prepare many images that have the shape of the model: uint8 [N, height, width, channels]. See `prepare_image`."""
    if prepare is Prepare.none or images.shape[3] != 1:
        return images
    results = images.copy()
    normal = _is_normal(images[..., 0])
    inverted = ~normal & _is_normal(255 - images[..., 0])
    results[inverted] = 255 - images[inverted]
    for i in np.flatnonzero(~(normal | inverted)):
        results[i, ..., 0] = like_mnist(Image.fromarray(images[i, ..., 0]), *images.shape[1:3])
    return results


def _is_normal(images: np.ndarray) -> np.ndarray:
    """Whether images, uint8 [N, height, width], are light on black, as large as the box, and centred: bool [N]."""
    normal = images.max(axis=(1, 2)) >= 0.9 * 255
    spare = []  # pixels of the box that the ink does not cover
    for axis, side in ((2, images.shape[1]), (1, images.shape[2])):
        mass = images.sum(axis=axis, dtype=np.float32)
        inked = mass > 0
        spare.append(round(BOX * side) - (side - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1)))
        centre = mass @ np.arange(side, dtype=np.float32) / np.maximum(mass.sum(axis=1), 1)
        normal &= np.abs(centre - side / 2) <= 0.55
    least_spare = np.minimum(*spare)
    return normal & (least_spare >= 0) & (least_spare <= 1)
