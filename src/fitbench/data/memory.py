"""Examples that may not fit into memory: going through rows, selecting, joining and converting them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.data.memory_limit import memory_limit

CHUNK_BYTES = 16 * 1024 * 1024  # read, decoded or hashed at a time


def chunks(array: np.ndarray) -> Iterator[slice]:
    """Yield slices that cover the rows of an array, each of about `CHUNK_BYTES`."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def file_behind(array: Any) -> Path | None:
    """The file that an array, or the array that it is a view of, is mapped from; None if it lies in memory."""
    while array is not None:
        if isinstance(array, np.memmap) and array.filename is not None:
            return Path(array.filename)
        array = getattr(array, "base", None)
    return None


@dataclass(frozen=True)
class Rows:
    """Some rows of examples, which are read when they are indexed.

    Attributes:
        examples: [N, ...], anything that an index array can index.
        rows: the selected row numbers, int [M].
    """

    examples: Any
    rows: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        return self.examples.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """[M, ...]."""
        return (len(self.rows), *self.examples.shape[1:])

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.examples[self.rows[index]])


def take(examples: Any, rows: np.ndarray) -> Any:
    """Select rows of examples: an array if the examples fit into memory, otherwise `Rows`."""
    if isinstance(examples, np.memmap) and examples.nbytes < memory_limit():
        examples = np.asarray(examples)
    if type(examples) is not np.ndarray:
        return Rows(examples, rows)
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return examples[rows[0] : rows[-1] + 1]  # a view
    return examples[rows]


class Converted:
    """An array as another type, [N, ...], whose rows are converted when they are indexed.

    `convert` takes an array of any rows to one of the same shape and of the type `dtype`.
    """

    def __init__(self, array: np.ndarray, dtype: np.dtype, convert: Callable[[np.ndarray], np.ndarray]) -> None:
        self.array, self.dtype, self.convert = array, np.dtype(dtype), convert
        self.shape, self.ndim = array.shape, array.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.convert(np.asarray(self.array[index]))


def converted(array: np.ndarray, dtype: np.dtype, convert: Callable[[np.ndarray], np.ndarray]) -> Any:
    """An array as another type: an array if it fits into memory beside the given one, otherwise `Converted`."""
    if math.prod(array.shape) * dtype.itemsize >= memory_limit():
        return Converted(array, dtype, convert)
    whole = np.empty(array.shape, dtype)
    for rows in chunks(array):
        whole[rows] = convert(array[rows])
    return whole


class Joined:
    """The rows of one set of examples and then those of another, which are read when they are indexed.

    Each set is [N, ...], with examples of the same shape and type, and can be indexed with an index array.
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
        examples = np.empty((len(rows), *self.shape[1:]), self.dtype)
        is_first = rows < len(self.first)
        examples[is_first] = self.first[rows[is_first]]
        examples[~is_first] = self.second[rows[~is_first] - len(self.first)]
        return examples


def joined(first: Any, second: Any) -> Any:
    """Join two sets of examples: a read-only array if another copy of them fits into memory, otherwise `Joined`."""
    examples = Joined(first, second)
    is_in_memory = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    if not is_in_memory or math.prod(examples.shape) * examples.dtype.itemsize >= memory_limit():
        return examples
    array = np.concatenate([first, second])
    array.setflags(write=False)
    return array
