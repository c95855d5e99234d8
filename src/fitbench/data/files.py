"""Readers of the formats of published data sets: IDX and gzipped CSV.

Each reader returns the arrays of a file, memory-mapped where possible. The module `checks` decides whether they are a
data set.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fitbench.data.memory import CHUNK_BYTES
from fitbench.data.memory_limit import check_unpacked
from fitbench.errors import DataError
from fitbench.text import first_line
from fitbench.untrusted import Unreadable, open_file

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IDX_STEMS = {
    "x_train": ("train-images", 3),
    "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3),
    "y_test": ("t10k-labels", 1),
}


@contextlib.contextmanager
def _reading(path: Path, advice: str) -> Iterator[None]:
    """Turn what reading a file raises into a `DataError` that names it; `advice` is what to do about a damaged one."""
    try:
        yield
    except Unreadable as error:
        raise DataError(f"{path}: {error}") from error
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        raise DataError(f"{path}: damaged or cut short ({first_line(error)}); {advice}") from error


def find_idx(folder: Path) -> dict[str, Path]:
    """Return the IDX files of a data set that `folder` holds, by `ARRAYS`. A missing file has no entry.

    The names are those of MNIST: `train-images-idx3-ubyte`, also with '.' before 'idx', gzipped or not. A
    plain file is preferred to a gzipped one because it can be memory-mapped.
    """
    files = {}
    for part, (stem, dimensions) in IDX_STEMS.items():
        names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
        paths = [folder / name for name in names if os.path.isfile(folder / name)]  # noqa: PTH113 - never raises
        if paths:
            files[part] = paths[0]
    return files


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read the uint8 array of an IDX file: memory-mapped, or unpacked if the file is gzipped.

    Args:
        path: the file.
        dimensions: the number of axes that the array must have.

    Raises:
        DataError: the file is cut short, damaged, not IDX, or its size does not match its header.
    """
    header_size = 4 + 4 * dimensions
    with _reading(path, "expected an IDX file, gzipped or not. Download it again."), open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        # The content decides, not the name: browsers and mirrors unpack .gz files without renaming them.
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not is_packed:
            shape = _idx_shape(file.read(header_size), dimensions)
            _check_count(shape, size - header_size)
            if 0 in shape:  # an empty array cannot be mapped
                return np.zeros(shape, np.uint8)
            return np.memmap(file, np.uint8, "r", header_size, shape)
        with gzip.GzipFile(fileobj=file) as content:
            shape = _idx_shape(content.read(header_size), dimensions)
            check_unpacked(size, math.prod(shape))
            array = np.empty(math.prod(shape), np.uint8)
            count = 0
            while count < len(array) and (more := content.readinto(array.data[count : count + CHUNK_BYTES])):
                count += more
            _check_count(shape, count, more=content.read(1) != b"")  # at the end, gzip compares the checksum
        return array.reshape(shape)


def _idx_shape(head: bytes, dimensions: int) -> tuple[int, ...]:
    expected = bytes([0, 0, 8, dimensions])
    if head[:4] != expected or len(head) < 4 + 4 * dimensions:
        is_other = head[:2] == b"\0\0" and len(head) == 4 + 4 * dimensions and head[2:4] != expected[2:4]
        advice = "Save it in this form." if is_other else "Download it again."  # numbers of another type or shape
        raise Unreadable(
            f"begins with the bytes {head[:4].hex(' ') or '(none)'}; expected {expected.hex(' ')}, "
            f"an IDX file of unsigned bytes with {dimensions} dimensions, gzipped or not. {advice}"
        )
    return struct.unpack(f">{dimensions}I", head[4:])


def _check_count(shape: Sequence[int], count: int, more: bool = False) -> None:
    """Refuse an IDX file that does not hold as many bytes of data as its header states. `more` than `count` may be."""
    if count != math.prod(shape) or more:
        raise Unreadable(
            f"its header states {_times(shape)} = {math.prod(shape):,} bytes of data, but it holds "
            f"{'more than ' if more else ''}{count:,}. Download it again."
        )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def read_idx_folder(folder: Path) -> dict[str, np.ndarray]:
    """Read a folder of four IDX files: images uint8 [N, height, width] and labels uint8 [N], by `ARRAYS`.

    Raises:
        DataError: one of the files is missing or damaged.
    """
    paths = find_idx(folder)
    missing = [f"{stem}-idx{n}-ubyte" for part, (stem, n) in IDX_STEMS.items() if part not in paths]
    if missing:
        raise DataError(
            f"{folder}: no {' and no '.join(missing)} (with or without .gz); "
            "expected four IDX files with the names of MNIST's."
        )
    return {part: read_idx(paths[part], IDX_STEMS[part][1]) for part in ARRAYS}


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read pixels uint8 [N, pixels] and labels int32 [N] from a gzipped CSV without a header.

    The last column holds the labels.

    Raises:
        DataError: the file is cut short, damaged or not such a table.
    """
    with _reading(path, "expected a CSV of whole numbers 0..255. Install its package again."):
        table = np.loadtxt(path, np.uint8, delimiter=",", ndmin=2)
    return table[:, :-1], table[:, -1].astype(np.int32)
