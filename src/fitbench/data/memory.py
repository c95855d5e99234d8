"""Images that may not fit into memory: going through rows, selecting and joining them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench.data.memory_limit import memory_limit

CHUNK_BYTES = 16 * 1024 * 1024  # read, decoded or hashed at a time


def chunks(array: np.ndarray) -> Iterator[slice]:
    """Yield slices that cover the rows of an array, each of about `CHUNK_BYTES`."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


@dataclass(frozen=True)
class Rows:
    """Some rows of images, which are read when they are indexed.

    Attributes:
        images: [N, height, width, channels], anything that an index array can index.
        rows: the selected row numbers, int [M].
    """

    images: Any
    rows: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        return self.images.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """[M, height, width, channels]."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.images[self.rows[index]])


def take(images: Any, rows: np.ndarray) -> Any:
    """Select rows of images: an array if the images fit into memory, otherwise `Rows`."""
    if isinstance(images, np.memmap) and images.nbytes < memory_limit():
        images = np.asarray(images)
    if type(images) is not np.ndarray:
        return Rows(images, rows)
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return images[rows[0] : rows[-1] + 1]  # a view
    return images[rows]


class Joined:
    """The rows of one set of images and then those of another, which are read when they are indexed.

    Each set is [N, height, width, channels], with the same [height, width, channels], and can be indexed with an index
    array.
    """

    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second, self.dtype = first, second, first.dtype
        self.shape = (len(first) + len(second), *first.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = np.arange(len(self))[index]
        if rows.ndim == 0:
            return self[rows[np.newaxis]][0]
        images = np.empty((len(rows), *self.shape[1:]), self.dtype)
        is_first = rows < len(self.first)
        images[is_first] = self.first[rows[is_first]]
        images[~is_first] = self.second[rows[~is_first] - len(self.first)]
        return images


def joined(first: Any, second: Any) -> Any:
    """Join two sets of images: a read-only array if another copy of them fits into memory, otherwise `Joined`."""
    images = Joined(first, second)
    is_in_memory = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    if not is_in_memory or math.prod(images.shape) >= memory_limit():
        return images
    array = np.concatenate([first, second])
    array.setflags(write=False)
    return array
