"""An image file, which may be a stranger's, decoded: one of known formats, and not too large for the memory."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from fitbench.data.image_files import IMAGE_ERRORS, IMAGE_FORMATS, displayed, why_unreadable
from fitbench.errors import DataError
from fitbench.text import clean

MAX_PIXELS = 100_000_000  # an A3 page at 600 dots per inch has 70 million
# Pillow warns of large images, for which there is the limit, and of odd metadata, which are nobody's concern here.
warnings.filterwarnings("ignore", module=r"PIL\b")


def decode(source: str | Path | BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """An image file as it is to be seen: upright, 8 bits, on white where it is transparent, the first of its frames.

    Args:
        source: the path of the file, or one that is open.
        name: what messages call it.
        max_pixels: the most that are decoded; asked of the header, before there is memory for them.

    Raises:
        DataError: it is no image of a known format, damaged, cut short or too large; the message begins with the name.
    """
    if isinstance(source, str | Path) and not os.path.isfile(source) and os.path.exists(source):  # noqa: PTH110, PTH113
        raise DataError(f"{clean(name)}: not a file")  # a pipe would be waited for
    try:
        with Image.open(source, formats=IMAGE_FORMATS) as file:
            if file.width * file.height > max_pixels:
                raise ValueError(f"{file.width:,} x {file.height:,} pixels; at most {max_pixels:,} in all are read")
            return displayed(file)
    except Image.DecompressionBombError:  # which Pillow raises where it knows no size yet
        raise DataError(f"{clean(name)}: not a readable image (more than {max_pixels:,} pixels)") from None
    except IMAGE_ERRORS as error:
        raise DataError(f"{clean(name)}: not a readable image ({clean(why_unreadable(error))})") from error
