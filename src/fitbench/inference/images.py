"""Decodes untrusted image files: only of known formats, and not larger than the memory allows."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from fitbench.data.image_files import IMAGE_ERRORS, IMAGE_FORMATS, displayed, why_unreadable
from fitbench.errors import DataError
from fitbench.text import clean

MAX_PIXELS = 100_000_000  # an A3 page at 600 dots per inch has 70 million
# Pillow warns about large images, which are limited here, and about invalid metadata, which are not used.
warnings.filterwarnings("ignore", module=r"PIL\b")


def decode(source: str | Path | BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image file as a viewer displays it: see `image_files.displayed`.

    Args:
        source: the path of the file, or an open file.
        name: the name of the file in messages.
        max_pixels: the largest number of pixels. It is checked in the header, before memory is allocated.

    Raises:
        DataError: the file is not an image of a known format, or is damaged or too large; the message begins with the
            name.
    """
    if isinstance(source, str | Path) and Path(source).exists() and not Path(source).is_file():
        kind = "a folder that cannot be listed" if Path(source).is_dir() else "not a file"
        raise DataError(f"{clean(name)}: {kind}")  # reading a pipe could wait for ever
    try:
        with Image.open(source, formats=IMAGE_FORMATS) as file:
            if file.width * file.height > max_pixels:
                raise ValueError(f"{file.width:,} x {file.height:,} pixels; at most {max_pixels:,} in all are read")
            return displayed(file)
    except Image.DecompressionBombError:  # raised before the size is known
        raise DataError(f"{clean(name)}: not a readable image (more than {max_pixels:,} pixels)") from None
    except IMAGE_ERRORS as error:
        raise DataError(f"{clean(name)}: not a readable image ({clean(why_unreadable(error))})") from error
