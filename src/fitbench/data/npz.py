"""Reads arrays from NumPy's files, .npz and .npy, memory-mapped where possible.

A header is compared with the size of its file before memory is taken for what it claims. Nothing is unpickled.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy

from fitbench.data.dataset import PARTS
from fitbench.data.files import ARRAYS
from fitbench.data.memory import CHUNK_BYTES
from fitbench.data.memory_limit import check_unpacked
from fitbench.data.parts import part_of
from fitbench.errors import DataError
from fitbench.text import first_line, first_of
from fitbench.untrusted import ARRAY_FILE_ERRORS, CONTENT_ERRORS, Unreadable, open_file

# Reading a damaged or hostile .npy or .npz raises one of these.
ARRAY_ERRORS = (OSError, MemoryError, *CONTENT_ERRORS, *ARRAY_FILE_ERRORS)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays x_train, y_train, x_test, y_test of an .npz file or of the .npy files in a folder.

    A data set may also have x_val and y_val, also spelt x_valid or x_validation; the weights w_train, w_val, w_test of
    the examples; and `classes` or `class_names`, the names of its classes or labels. The arrays of the test part may be
    absent. A .npy file is memory-mapped, and so is an array that an .npz file stores uncompressed, after its checksum
    has been verified.

    Raises:
        DataError: a file is damaged, or needs pickle, or an array is missing.
    """
    return _read_folder(path) if path.is_dir() else _read_archive(path)


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    key = ""
    try:
        with open_file(path) as file:
            if not zipfile.is_zipfile(file):
                raise Unreadable("not an .npz file, or cut short. Expected a file that numpy.savez wrote.")
            with zipfile.ZipFile(file) as archive:
                for name, key in names_of_parts(str(path), array_names(archive)).items():
                    arrays[name] = read_member(archive, key)
    except Unreadable as error:
        raise DataError(f"{path}: its array '{key}' {error}" if key else f"{path}: {error}") from error
    except ARRAY_ERRORS as error:
        subject = f"its array '{key}'" if key else "it"
        raise DataError(
            f"{path}: {subject} cannot be read ({first_line(error)}). Save or download the file again."
        ) from error
    return arrays


def _read_folder(folder: Path) -> dict[str, np.ndarray]:
    try:
        present = sorted(file.stem for file in folder.iterdir() if file.suffix == ".npy")
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    arrays = {}
    for name, key in names_of_parts(str(folder), present).items():
        file = folder / f"{key}.npy"
        try:
            with open_file(file) as opened:
                arrays[name] = read_npy(opened)
        except Unreadable as error:
            raise DataError(f"{file}: {error}") from error
        except ARRAY_ERRORS as error:
            raise DataError(f"{file}: cannot be read ({first_line(error)}). Save the file again.") from error
    return arrays


def names_of_parts(source: str, present: Sequence[str]) -> dict[str, str]:
    """Return the arrays of a data set that are present, as in `read_npz`, and the names that they have there.

    Args:
        source: what holds the arrays, for messages.
        present: the names of its arrays.

    Raises:
        DataError: an array is missing, or two are the same part.
    """
    wanted = {}
    for key in present:
        if key == "classes" or (key == "class_names" and "classes" not in present):
            wanted["classes"] = key
        axis, _, part = key.partition("_")
        if axis in ("x", "y", "w") and part_of(part):
            name = f"{axis}_{part_of(part)}"
            if name in wanted:
                raise DataError(f"{source}: has {wanted[name]} and {key}, which are the same part. Remove one of them.")
            wanted[name] = key
    parts = {"train", *(name.partition("_")[2] for name in wanted)}
    needed = [f"{axis}_{part}" for part in PARTS if part in parts for axis in "xy"]
    missing = [name for name in needed if name not in wanted]
    if missing:
        raise DataError(
            f"{source}: has no {', '.join(missing)}; found {first_of(present) or 'nothing'}. "
            f"Expected {', '.join(ARRAYS)}, and optionally x_val, y_val, w_train and classes."
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
        raise ValueError(f"{held:,} bytes for an array of {shape} {dtype}")
    return _Header(shape, is_fortran, dtype, file.tell())


def _map(file: IO[bytes], start: int, header: _Header) -> np.ndarray:
    """Map the array of a .npy file that begins at the position `start` of a file, read-only."""
    order: Literal["F", "C"] = "F" if header.is_fortran else "C"
    if 0 in header.shape:  # an empty array cannot be mapped
        return np.empty(header.shape, header.dtype, order)
    return np.memmap(file, header.dtype, "r", start + header.size, header.shape, order)
