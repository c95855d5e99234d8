"""Decodes batches of images in threads, a few batches ahead of the one that the model computes.

Pillow releases Python's lock while it decodes, and TensorFlow while it computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from PIL import Image

from fitbench.data.image_files import THREADS, displayed, fitted
from fitbench.errors import DataError
from fitbench.inference.arrays import ArrayFile
from fitbench.inference.images import decode
from fitbench.inference.prepare import Prepare, prepare_image, prepare_images
from fitbench.inference.sources import Batch
from fitbench.text import clean

BATCHES_AHEAD = 2  # batches that are decoded while the model computes
TASK_IMAGES = 32  # images that a thread decodes at a time

Shape = tuple[int, int, int]
Decoded = tuple[np.ndarray, dict[int, str]]  # images, uint8 [N, height, width, channels]; error messages by position


def decoded(
    batches: Iterable[Batch], shape: Shape, choose_prepare: Callable[[ArrayFile | None], Prepare]
) -> Generator[tuple[Batch, np.ndarray, dict[int, str]], None, None]:
    """Yield each batch in order with its images, uint8 [N, *shape], and error messages by position.

    An image that cannot be read is black and has an error message. At most `BATCHES_AHEAD` batches are kept. Close the
    iterator to cancel the decoding.

    Args:
        batches: the batches.
        shape: [height, width, channels] of the model's images.
        choose_prepare: returns how to prepare the images of an array file, or image files for None.
    """
    waiting: deque[tuple[Batch, list[Future[Decoded]]]] = deque()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for batch in batches:
            prepare = choose_prepare(batch.array)
            content = batch.names if batch.array is None else batch.rows
            pieces = [content[start : start + TASK_IMAGES] for start in range(0, len(content), TASK_IMAGES)]
            waiting.append((batch, [pool.submit(decode_images, piece, shape, prepare) for piece in pieces]))
            if len(waiting) > BATCHES_AHEAD:
                yield _finish(*waiting.popleft())
        while waiting:
            yield _finish(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finish(batch: Batch, tasks: Sequence[Future[Decoded]]) -> tuple[Batch, np.ndarray, dict[int, str]]:
    results = [task.result() for task in tasks]
    errors = {
        number * TASK_IMAGES + i: text for number, (_, messages) in enumerate(results) for i, text in messages.items()
    }
    return batch, np.concatenate([images for images, _ in results]), errors


def decode_images(content: Sequence[str] | np.ndarray, shape: Shape, prepare: Prepare) -> Decoded:
    """Decode and prepare images for a model.

    Args:
        content: paths of image files, or images, uint8 [N, height, width, channels].
        shape: [height, width, channels] of the model's images.
        prepare: how to prepare the images.

    Returns:
        The images, uint8 [N, *shape], and error messages by position. The image of an error is black.
    """
    if isinstance(content, np.ndarray) and content.shape[1:] == shape:
        return prepare_images(np.ascontiguousarray(content), prepare), {}
    images, errors = np.zeros((len(content), *shape), np.uint8), {}
    of_model_size = []  # these are prepared together, which is faster
    for i, item in enumerate(content):
        try:
            image = decode(item, item) if isinstance(item, str) else _to_image(item)
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


def _to_image(pixels: np.ndarray) -> Image.Image:
    return displayed(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
