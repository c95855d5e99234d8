"""Readers of file formats: IDX, .npz and gzipped CSV.

Each reader returns the arrays of a file, memory-mapped where possible. The module `checks` decides whether they are a
data set.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy

from fitbench.data.memory import CHUNK_BYTES
from fitbench.data.memory_limit import memory_limit
from fitbench.data.parts import part_of
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
LARGE = 100_000_000  # bytes; less is unpacked whatever it was packed to
MOST_PACKED = 300  # times that images become smaller; zeros become 1,030 times smaller
# Reading a damaged or hostile .npy or .npz raises one of these.
ARRAY_ERRORS = (
    *(OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, MemoryError, RecursionError, RuntimeError),
    *(ValueError, TypeError, ArithmeticError, LookupError, SyntaxError, tokenize.TokenError),
)


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


def check_unpacked(packed: int, unpacked: int) -> None:
    """Refuse to unpack what takes more memory than there is, or stands for far more bytes than images would.

    Raises:
        Unreadable: with both sizes.
    """
    limit = memory_limit()
    if unpacked > limit:
        raise Unreadable(f"unpacks to {unpacked:,} bytes, and there is memory for {limit:,}; store it unpacked")
    if unpacked > max(LARGE, MOST_PACKED * packed):
        raise Unreadable(f"unpacks from {packed:,} to {unpacked:,} bytes, which images do not; store it unpacked")


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
        raise Unreadable(
            f"begins with the bytes {head[:4].hex(' ') or '(none)'}; expected {expected.hex(' ')}, "
            f"an IDX file of unsigned bytes with {dimensions} dimensions, gzipped or not. Download it again."
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


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays x_train, y_train, x_test, y_test of an .npz file, and what else it has of a data set.

    That is x_val and y_val, also spelt x_valid or x_validation, and `classes` or `class_names`, the names of its
    classes. An array that is stored uncompressed is memory-mapped after its checksum has been verified.

    Raises:
        DataError: the file is damaged, lacks an array, or needs pickle.
    """
    arrays = {}
    key = ""
    try:
        with open_file(path) as file:
            if not zipfile.is_zipfile(file):
                raise Unreadable("not an .npz file, or cut short. Expected a file that numpy.savez wrote.")
            with zipfile.ZipFile(file) as archive:
                for name, key in _wanted(path, array_names(archive)).items():
                    arrays[name] = read_member(archive, key)
    except Unreadable as error:
        raise DataError(f"{path}: its array '{key}' {error}" if key else f"{path}: {error}") from error
    except ARRAY_ERRORS as error:
        subject = f"its array '{key}'" if key else "it"
        raise DataError(
            f"{path}: {subject} cannot be read ({first_line(error)}). Save or download the file again."
        ) from error
    return arrays


def _wanted(path: Path, present: Sequence[str]) -> dict[str, str]:
    """Return the arrays of a data set that a file has: `ARRAYS`, x_val, y_val, classes, and their names in the file."""
    wanted = {}
    for key in present:
        if key == "classes" or (key == "class_names" and "classes" not in present):
            wanted["classes"] = key
        axis, _, part = key.partition("_")
        if axis in ("x", "y") and part_of(part):
            name = f"{axis}_{part_of(part)}"
            if name in wanted:
                raise DataError(f"{path}: has {wanted[name]} and {key}, which are the same part. Remove one of them.")
            wanted[name] = key
    needed = ARRAYS if {"x_val", "y_val"}.isdisjoint(wanted) else (*ARRAYS, "x_val", "y_val")
    missing = [name for name in needed if name not in wanted]
    if missing:
        raise DataError(
            f"{path}: has no {', '.join(missing)}; found {', '.join(present) or 'nothing'}. "
            f"Expected {', '.join(ARRAYS)}, and optionally x_val, y_val and classes."
        )
    return wanted


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the arrays of an .npz file."""
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read an array of an .npz file, of which the zip file was opened as a file object.

    An array that is stored uncompressed is mapped read-only after its checksum has been verified. Others are unpacked.

    Raises:
        Unreadable: it needs pickle, or `check_unpacked` refuses it.
        One of `ARRAY_ERRORS`: it is damaged.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Unreadable("is compressed in a way that NumPy does not write; save it again")
    with archive.open(member) as file:
        header = _read_header(file, member.file_size)
        if member.compress_type == zipfile.ZIP_DEFLATED:
            check_unpacked(member.compress_size, member.file_size)
            file.seek(0)
            return npy.read_array(file, allow_pickle=False)
        while file.read(CHUNK_BYTES):  # at the end, zipfile compares the checksum
            pass
    whole = archive.fp
    assert whole is not None
    whole.seek(member.header_offset + 26)  # the lengths of the name and of extra fields, which follow these 30 bytes
    name_length, extra_length = struct.unpack("<HH", whole.read(4))
    return _map(whole, member.header_offset + 30 + name_length + extra_length, header)


def read_npy(file: BinaryIO) -> np.ndarray:
    """Map the array of an open .npy file read-only.

    Raises:
        Unreadable: it needs pickle.
        One of `ARRAY_ERRORS`: it is damaged.
    """
    return _map(file, 0, _read_header(file, os.fstat(file.fileno()).st_size))


@dataclass(frozen=True)
class _Header:
    """The header of a .npy file, and its size in bytes."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype
    size: int


def _read_header(file: IO[bytes], size: int) -> _Header:
    """Read the header of a .npy file of `size` bytes, and refuse one that claims more or less than the file holds."""
    version = npy.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"version {version} of the .npy format, which arrays of numbers do not need")
    shape, is_fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise Unreadable("holds Python objects, which are never unpickled. Save plain numbers or strings.")
    held = size - file.tell()
    if held != math.prod(shape) * dtype.itemsize or min(shape, default=0) < 0 or dtype.itemsize == 0:
        raise ValueError(f"{held:,} bytes for an array of {_times(shape)} {dtype}")
    return _Header(shape, is_fortran, dtype, file.tell())


def _map(file: IO[bytes], start: int, header: _Header) -> np.ndarray:
    """Map the array of a .npy file that begins at the position `start` of a file, read-only."""
    order: Literal["F", "C"] = "F" if header.is_fortran else "C"
    if 0 in header.shape:  # an empty array cannot be mapped
        return np.empty(header.shape, header.dtype, order)
    return np.memmap(file, header.dtype, "r", start + header.size, header.shape, order)


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read pixels uint8 [N, pixels] and labels int32 [N] from a gzipped CSV without a header.

    The last column holds the labels.

    Raises:
        DataError: the file is cut short, damaged or not such a table.
    """
    with _reading(path, "expected a CSV of whole numbers 0..255. Install its package again."):
        table = np.loadtxt(path, np.uint8, delimiter=",", ndmin=2)
    return table[:, :-1], table[:, -1].astype(np.int32)
