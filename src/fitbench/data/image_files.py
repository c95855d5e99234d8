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
from PIL import Image

from fitbench.data.image_pixels import (
    IMAGE_FORMATS,
    ScaleError,
    extremes,
    fitted,
    opaque,
    to_8_bits,
    upright,
    white_in,
)
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
            image = upright(file)
            pixels = fitted(opaque(to_8_bits(image, max_value)), shape)
            white, brightest = white_in(image, max_value), int(pixels.max())
            if brightest > 127 and not image.has_transparency_data:  # which may be all that is white
                return Decoded(pixels, white * brightest / 255, white)
            return Decoded(pixels, extremes(image)[1], white)  # resizing may have made thin lines dark
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


def why_unreadable(error: Exception) -> str:
    """Describe one of `IMAGE_ERRORS` in one line, without the path, which Pillow repeats."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a known image format"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return first_line(error)
