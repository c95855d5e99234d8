"""Turns an opened image into the pixels that a model takes, on any scale of the values in the file.

Exported models have a copy of this file, so it needs only NumPy and Pillow.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

# Pillow recognises formats by content. It is limited to these because others, such as PostScript, run programs.
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


class ScaleError(ValueError):
    """The pixels of an image are not on the scale that `data.max_value` states."""


def displayed(file: Image.Image, max_value: float | None = None) -> Image.Image:
    """Decode an opened image file as a viewer displays it, in 8 bits.

    The image is turned upright according to its EXIF data, and transparent pixels are on white. An animation gives its
    first frame. `max_value` is the value of white in the file; None stands for 65535 in an image of 16 bits and for
    255 in others. In images of 8 bits, white is never above 255.

    Raises:
        ScaleError: the pixels are not between 0 and white.
        Others, see `image_files.IMAGE_ERRORS`: the file cannot be decoded.
    """
    return opaque(to_8_bits(upright(file), max_value))


def upright(file: Image.Image) -> Image.Image:
    """Decode an opened image file, and turn it upright according to its EXIF data."""
    file.load()
    return ImageOps.exif_transpose(file) if file.info else file  # without metadata there is no orientation


def opaque(image: Image.Image) -> Image.Image:
    """Put the transparent pixels of an image on white."""
    if not image.has_transparency_data:
        return image
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def white_in(image: Image.Image, max_value: float | None) -> float:
    """Return the value of white in an image; see `displayed`."""
    if image.mode == "F":
        if max_value is None:
            raise ScaleError("its pixels are floating-point numbers, of which white is not known")
        return max_value
    if image.mode.startswith("I"):
        return max_value or 65535
    return 255 if image.mode == "1" else min(max_value or 255, 255)


def extremes(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest value of the pixels of an image, of any colour."""
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.asarray(image)
        return pixels.min().item(), pixels.max().item()
    colours = image if image.mode in ("L", "RGB") else image.convert("RGB")
    of_bands = np.array(colours.getextrema())
    return of_bands.min().item(), of_bands.max().item()


def to_8_bits(image: Image.Image, max_value: float | None) -> Image.Image:
    """Scale the pixels from 0..white to 0..255; Pillow's own conversion clips. Transparency stays.

    Raises:
        ScaleError: the pixels are not between 0 and white.
    """
    white = white_in(image, max_value)
    if white == 255 and image.mode != "F" and not image.mode.startswith("I"):
        return image
    smallest, largest = extremes(image)
    if not 0 <= smallest <= largest <= white:  # also true of NaN
        raise ScaleError(f"its pixels range over {smallest:g}..{largest:g}, and white is {white:g}")
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(np.rint(np.asarray(image) * np.float64(255 / white)).astype(np.uint8))
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    table = [min(255, round(value * 255 / white)) for value in range(256)]
    has_alpha = image.mode.endswith("A")
    return image.point(table * (len(image.getbands()) - has_alpha) + list(range(256)) * has_alpha)


def fitted(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """Convert and resize an image to uint8 [height, width, channels], `shape`: grey for 1 channel, RGB for 3.

    The resizing is bilinear with antialiasing and does not keep the proportions.
    """
    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)
