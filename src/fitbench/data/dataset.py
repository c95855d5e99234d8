"""A data set as a run uses it, and what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fitbench.data.files import CHUNK_BYTES
from fitbench.data.image_files import ImageFiles

Images = np.ndarray | ImageFiles


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as a run uses it.

    Images are uint8 [N, height, width, channels], 0 to 255: an array, a read-only memmap, or `ImageFiles`, which
    decodes what it is indexed with. Labels are int32 [N], positions in `classes`. The examples are in the order of
    their source, perhaps sorted by class, but those of an image folder are shuffled. Every class in the test set is
    in the training set. `source` is the file or folder they were read from, `skipped` the unreadable files that were
    left out.
    """

    name: str
    x_train: Images = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: Images = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    sha256: str
    source: str
    skipped: tuple[str, ...] = ()


def sha256_of(x_train: Images, y_train: np.ndarray, x_test: Images, y_test: np.ndarray) -> str:
    """What identifies a data set: the SHA-256 (hex) of four lines, one for each array, in this order.

    A line is `<dtype> <shape> <SHA-256 of the bytes>`, for instance `uint8 60000x28x28x1 ba89...`, ended by a
    newline; the bytes are in C order, little-endian. It does not depend on the file format, and takes the
    memory of one chunk. For `ImageFiles` the inner SHA-256 is the one of the pass that has checked them.
    """
    whole = hashlib.sha256()
    for array in (x_train, y_train, x_test, y_test):
        line = f"{array.dtype.name} {'x'.join(map(str, array.shape))} {_content_sha256(array)}\n"
        whole.update(line.encode())
    return whole.hexdigest()


def _content_sha256(array: Images) -> str:
    if isinstance(array, ImageFiles):
        return array.sha256
    digest = hashlib.sha256()
    for rows in chunks(array):
        digest.update(np.ascontiguousarray(array[rows], array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def chunks(array: np.ndarray) -> Iterator[slice]:
    """The rows of an array in slices of about `CHUNK_BYTES`."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))
