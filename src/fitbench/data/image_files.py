"""Decodes an image file to 8 bits, of any common format and scale."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from fitbench.data.image_formats import IMAGE_FORMATS
from fitbench.errors import DataError
from fitbench.record.processes import cores
from fitbench.text import clean, first_line
from fitbench.untrusted import Unreadable, open_file

THREADS = min(16, cores())  # that decode images at a time
MAX_PIXELS = 2 * 89_478_485  # of a file; Pillow opens no larger ones
LARGE_PIXELS = 20_000_000  # larger files are decoded one at a time, for each takes hundreds of megabytes
# Pillow raises these on damaged files, according to its documentation and to fuzzing of its decoders.
IMAGE_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, MemoryError, struct.error),
    *(Image.DecompressionBombError, Unreadable),
)
# Pillow warns about large images, which are limited here, and about invalid metadata, which are not used.
warnings.filterwarnings("ignore", module=r"PIL\b")

_large = threading.Lock()


class ScaleError(ValueError):
    """The pixels of an image are not on the scale that `data.max_value` states."""


def read_image(path: Path, shape: tuple[int, int, int], max_value: float | None = None) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels], `shape`. See `displayed` and `fitted`.

    Raises:
        DataError: the file cannot be decoded; the message names it.
    """
    return decode(path, shape, max_value).pixels


@dataclass(frozen=True)
class Decoded:
    """A decoded image file: its pixels, uint8 [height, width, channels], and the scale of the values in the file.

    `white` is the value of white. `largest` is the largest value, or a smaller one that is above half of white.
    """

    pixels: np.ndarray
    largest: float
    white: float


def decode(path: Path, shape: tuple[int, int, int], max_value: float | None) -> Decoded:
    """As `read_image`, with the scale that the pixels had in the file."""
    try:
        with opened(path) as file:
            image = _upright(file)
            pixels = fitted(_opaque(_to_8_bits(image, max_value)), shape)
            white, brightest = _white(image, max_value), int(pixels.max())
            if brightest > 127 and not image.has_transparency_data:  # which may be all that is white
                return Decoded(pixels, white * brightest / 255, white)
            return Decoded(pixels, _extremes(image)[1], white)  # resizing may have made thin lines dark
    except ScaleError as error:
        raise DataError(
            f"{clean(path)}: {error}. Set data.max_value to the value of white, such as 1 or 4095."
        ) from error
    except IMAGE_ERRORS as error:
        raise DataError(f"{clean(path)}: not a readable image ({clean(why_unreadable(error))}).") from error


@contextmanager
def opened(source: str | Path | BinaryIO, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open an image file. Of large ones, one is open at a time.

    Args:
        source: the path of a file, or an open file.
        max_pixels: the largest number of pixels. It is checked in the header, before memory is allocated.

    Raises:
        One of `IMAGE_ERRORS`: it is not a regular file, not an image of a known format, damaged, or too large.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_file(source)) if isinstance(source, str | Path) else source
        try:
            image = stack.enter_context(Image.open(file, formats=IMAGE_FORMATS))
        except Image.DecompressionBombError:  # raised before the size is known
            raise ValueError(f"more than {max_pixels:,} pixels") from None
        count = image.width * image.height
        if count > max_pixels:
            raise ValueError(f"{image.width:,} x {image.height:,} pixels; at most {max_pixels:,} in all are read")
        if count > LARGE_PIXELS:
            stack.enter_context(_large)
        yield image


def displayed(file: Image.Image, max_value: float | None = None) -> Image.Image:
    """Decode an opened image file as a viewer displays it, in 8 bits.

    The image is turned upright according to its EXIF data, and transparent pixels are on white. An animation gives its
    first frame. `max_value` is the value of white in the file; None stands for 65535 in an image of 16 bits and for
    255 in others. In images of 8 bits, white is never above 255.

    Raises:
        One of `IMAGE_ERRORS`: the file cannot be decoded.
    """
    return _opaque(_to_8_bits(_upright(file), max_value))


def _upright(file: Image.Image) -> Image.Image:
    file.load()
    return ImageOps.exif_transpose(file) if file.info else file  # without metadata there is no orientation


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _white(image: Image.Image, max_value: float | None) -> float:
    """Return the value of white in an image."""
    if image.mode == "F":
        if max_value is None:
            raise ScaleError("its pixels are floating-point numbers, of which white is not known")
        return max_value
    if image.mode.startswith("I"):
        return max_value or 65535
    return 255 if image.mode == "1" else min(max_value or 255, 255)


def _extremes(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest value of the pixels of an image, of any colour."""
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.asarray(image)
        return pixels.min().item(), pixels.max().item()
    colours = image if image.mode in ("L", "RGB") else image.convert("RGB")
    extremes = np.array(colours.getextrema())
    return extremes.min().item(), extremes.max().item()


def _to_8_bits(image: Image.Image, max_value: float | None) -> Image.Image:
    """Scale the pixels from 0..white to 0..255; Pillow's own conversion clips. Transparency stays.

    Raises:
        ScaleError: the pixels are not between 0 and white.
    """
    white = _white(image, max_value)
    if white == 255 and image.mode != "F" and not image.mode.startswith("I"):
        return image
    smallest, largest = _extremes(image)
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


def why_unreadable(error: Exception) -> str:
    """Describe one of `IMAGE_ERRORS` in one line, without the path, which Pillow repeats."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a known image format"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return first_line(error)
