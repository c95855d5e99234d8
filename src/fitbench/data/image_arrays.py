"""Reads many image files as one array, in memory or as images that are decoded when they are needed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.data.image_files import THREADS, Decoded, ScaleError, decode, read_image
from fitbench.data.memory import CHUNK_BYTES
from fitbench.data.scale import check_scale
from fitbench.errors import DataError

ADVICE = "Repair or remove it, or leave it out with data.skip_bad=true."


class ImageFiles:
    """Image files as a read-only array, uint8 [N, height, width, channels], that decodes an image when it is indexed.

    `images[i]` is one image. A slice, an index array or a boolean mask gives an array of images. Decoded images are
    not kept, so index a batch at a time. `sha256` is the checksum of all decoded bytes, in order.

    Raises:
        DataError: while indexing, a file has become unreadable; the message names it.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self, paths: Sequence[Path], shape: tuple[int, int, int], sha256: str, max_value: float | None = None
    ) -> None:
        self.paths = tuple(paths)
        self.shape = (len(self.paths), *shape)
        self.sha256 = sha256
        self.max_value = max_value

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = np.arange(len(self))[index]
        height, width, channels = self.shape[1:]
        if rows.ndim == 0:
            return read_image(self.paths[int(rows)], (height, width, channels), self.max_value)
        images = np.empty((len(rows), height, width, channels), np.uint8)
        paths = [self.paths[row] for row in rows]
        for i, image in enumerate(_decode_all(paths, (height, width, channels), self.max_value)):
            if isinstance(image, DataError):
                raise image
            images[i] = image.pixels
        return images


def read_images(
    paths: Sequence[Path],
    shape: tuple[int, int, int],
    *,
    skip_bad: bool,
    in_memory: bool,
    max_value: float | None = None,
    where: str = "the images",
) -> tuple[np.ndarray | ImageFiles, dict[int, DataError]]:
    """Decode every file once, and return the images, uint8 [N, *shape], and the errors of bad files by position.

    Args:
        paths: the image files.
        shape: [height, width, channels] of every image.
        skip_bad: leave unreadable files out instead of raising an error.
        in_memory: return an array; otherwise return `ImageFiles`, which decode again when they are indexed.
        max_value: the value of white; see `image_files.displayed`.
        where: what messages call the images.

    Raises:
        DataError: a file cannot be decoded, and `skip_bad` is false; or `check_scale` refuses the images.
    """
    pixels = np.empty((len(paths) if in_memory else 0, *shape), np.uint8)
    digest = hashlib.sha256()
    good: list[Path] = []
    bad: dict[int, DataError] = {}
    largest: dict[float, float] = {}  # by the value of white, which depends on the format of a file
    for position, image in enumerate(_decode_all(paths, shape, max_value)):
        if isinstance(image, DataError):
            if not skip_bad:
                raise image if isinstance(image.__cause__, ScaleError) else DataError(f"{image} {ADVICE}") from image
            bad[position] = image
            continue
        if in_memory:
            pixels[len(good)] = image.pixels
        else:
            digest.update(image.pixels.data)
        good.append(paths[position])
        largest[image.white] = max(largest.get(image.white, 0), image.largest)
    for white, value in largest.items():
        check_scale(0, value, white, max_value, where)
    return (pixels[: len(good)] if in_memory else ImageFiles(good, shape, digest.hexdigest(), max_value)), bad


def _decode_all(
    paths: Sequence[Path], shape: tuple[int, int, int], max_value: float | None
) -> Iterator[Decoded | DataError]:
    """Yield what `decode` returns or raises for every path, in order; about `CHUNK_BYTES` are ahead of the caller."""

    def attempt(path: Path) -> Decoded | DataError:
        try:
            return decode(path, shape, max_value)
        except DataError as error:
            return error

    at_a_time = max(THREADS, CHUNK_BYTES // math.prod(shape))
    # Threads are given groups of paths: for a small image, handing one over takes longer than decoding.
    step = min(32, -(-len(paths) // THREADS)) or 1
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(paths), at_a_time):
            chunk = paths[first : first + at_a_time]
            groups = [chunk[start : start + step] for start in range(0, len(chunk), step)]
            for images in pool.map(lambda group: [attempt(path) for path in group], groups):
                yield from images
