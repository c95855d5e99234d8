"""How image files are recognised: by their suffix, or by their first bytes."""

from __future__ import annotations

import re

# A file with another suffix is an image if it begins like one.
IMAGE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    | {".pbm", ".pnm"}
)
HEAD_BYTES = 64  # that `begins_like_an_image` looks at
# How files of these formats begin. Pillow takes every text that begins with 'BM' or 'P1' for an image.
_BEGINS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBPVP8[ LX]"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0|P[1-6f]\s(#|\s*\d+\s+\d+\s)",
    re.DOTALL,
)
_BEGINS_TIFF = re.compile(rb"II\*\0|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0")


def begins_like_an_image(head: bytes, suffix: str) -> bool:
    """Whether a file begins like one of `image_pixels.IMAGE_FORMATS`.

    Args:
        head: the first `HEAD_BYTES` of the file.
        suffix: the suffix of its name, with the dot. TIFF counts only without one: the raw files of cameras (.nef,
            .dng) and of microscopes are TIFF files that hold more than an image.
    """
    return bool(_BEGINS.match(head) or (suffix == "" and _BEGINS_TIFF.match(head)))
