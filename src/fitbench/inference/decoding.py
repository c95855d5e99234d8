"""Decodes untrusted images: only of known formats, and not larger than the memory allows.

Batches are decoded in threads, a few batches ahead of the one that the model computes. Pillow releases Python's lock
while it decodes, and TensorFlow while it computes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from fitbench.data.image_files import IMAGE_ERRORS, THREADS, opened, why_unreadable
from fitbench.data.image_pixels import displayed, fitted
from fitbench.errors import DataError
from fitbench.inference.prepare import Prepare, Shape, prepare_image, prepare_images
from fitbench.inference.sources import Batch
from fitbench.text import clean

MAX_PIXELS = 100_000_000  # an A3 page at 600 dots per inch has 70 million
BATCHES_AHEAD = 2  # batches that are decoded while the model computes
TASK_IMAGES = 32  # images that a thread decodes at a time

Decoded = tuple[np.ndarray, dict[int, str]]  # images, uint8 [N, height, width, channels]; error messages by position


def decoded(
    batches: Iterable[Batch],
    shape: Shape,
    choose_prepare: Callable[[np.ndarray | None], Prepare],
    max_value: float | None = None,
) -> Generator[tuple[Batch, np.ndarray, dict[int, str]], None, None]:
    """Yield each batch in order with its images, uint8 [N, *shape], and error messages by position.

    An image that cannot be read is black and has an error message. At most `BATCHES_AHEAD` batches are kept. Close the
    iterator to cancel the decoding.

    Args:
        batches: the batches.
        shape: [height, width, channels] of the model's images.
        choose_prepare: returns how to prepare the rows of an array, or image files for None.
        max_value: the value of white in image files; see `image_pixels.displayed`.
    """
    waiting: deque[tuple[Batch, Iterator[Decoded]]] = deque()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for batch in batches:
            prepare = choose_prepare(batch.pixels)
            task = partial(decode_images, shape=shape, prepare=prepare, max_value=max_value)
            content = batch.names if batch.pixels is None else batch.pixels
            pieces = [content[start : start + TASK_IMAGES] for start in range(0, len(content), TASK_IMAGES)]
            waiting.append((batch, pool.map(task, pieces)))
            if len(waiting) > BATCHES_AHEAD:
                yield _finish(*waiting.popleft())
        while waiting:
            yield _finish(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finish(batch: Batch, pieces: Iterable[Decoded]) -> tuple[Batch, np.ndarray, dict[int, str]]:
    images, errors = zip(*pieces, strict=True)
    starts = range(0, len(batch.names), TASK_IMAGES)
    texts = {start + i: text for start, piece in zip(starts, errors, strict=True) for i, text in piece.items()}
    return batch, np.concatenate(images), texts


def decode_images(
    content: Sequence[str] | np.ndarray, shape: Shape, prepare: Prepare, max_value: float | None = None
) -> Decoded:
    """Decode and prepare images for a model.

    Args:
        content: paths of image files, or images, uint8 [N, height, width, channels].
        shape: [height, width, channels] of the model's images.
        prepare: how to prepare the images.
        max_value: the value of white in image files; see `image_pixels.displayed`.

    Returns:
        The images, uint8 [N, *shape], and error messages by position. The image of an error is black.
    """
    if isinstance(content, np.ndarray) and content.shape[1:] == shape:
        return prepare_images(np.ascontiguousarray(content), prepare), {}
    images, errors = np.zeros((len(content), *shape), np.uint8), {}
    of_model_size = []  # these are prepared together, which is faster
    for i, item in enumerate(content):
        try:
            image = decode(item, "image" if isinstance(item, np.ndarray) else item, max_value=max_value)
            if image.size == (shape[1], shape[0]):
                images[i] = fitted(image, shape)
                of_model_size.append(i)
            else:
                images[i] = prepare_image(image, shape, prepare)
        except DataError as error:
            errors[i] = str(error).removeprefix(f"{clean(item)}: ")
        except MemoryError:
            errors[i] = "not enough memory to decode it"
    images[of_model_size] = prepare_images(images[of_model_size], prepare)
    return images, errors


def decode(
    source: str | Path | BinaryIO | np.ndarray,
    name: str,
    max_pixels: int = MAX_PIXELS,
    max_value: float | None = None,
) -> Image.Image:
    """Decode an image as a viewer displays it: see `image_pixels.displayed`.

    Args:
        source: the path of a file, an open file, or pixels, uint8 [height, width, channels].
        name: the name of the image in messages.
        max_pixels: the largest number of pixels of a file; see `image_files.opened`.
        max_value: the value of white in a file; see `image_pixels.displayed`.

    Raises:
        DataError: the file is not an image of a known format, or is damaged or too large; the message begins with the
            name.
    """
    if isinstance(source, np.ndarray):
        return displayed(Image.fromarray(source[..., 0] if source.shape[2] == 1 else source))
    try:
        with opened(source, max_pixels) as file:
            return displayed(file, max_value)
    except IMAGE_ERRORS as error:
        if isinstance(source, str | Path) and os.path.isdir(source):  # noqa: PTH112 - never raises
            raise DataError(f"{clean(name)}: a folder that cannot be listed") from error
        raise DataError(f"{clean(name)}: not a readable image ({clean(why_unreadable(error))})") from error
