"""Readers of file formats: IDX, .npz and gzipped CSV.

Each reader returns the arrays of a file, memory-mapped where possible. The module `checks` decides whether they are a
data set.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fitbench.data.parts import part_of
from fitbench.errors import DataError

CHUNK_BYTES = 16 * 1024 * 1024  # read, decoded or hashed at a time
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IDX_STEMS = {
    "x_train": ("train-images", 3),
    "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3),
    "y_test": ("t10k-labels", 1),
}
_UNZIP_ERRORS = (OSError, EOFError, zlib.error)


def find_idx(folder: Path) -> dict[str, Path]:
    """Return the IDX files of a data set that `folder` holds, by `ARRAYS`. A missing file has no entry.

    The names are those of MNIST: `train-images-idx3-ubyte`, also with '.' before 'idx', gzipped or not. A
    plain file is preferred to a gzipped one because it can be memory-mapped.
    """
    files = {}
    for part, (stem, dimensions) in IDX_STEMS.items():
        names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
        paths = [folder / name for name in names if (folder / name).is_file()]
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
    expected = bytes([0, 0, 8, dimensions])
    header_size = 4 + 4 * dimensions
    try:
        with path.open("rb") as file:
            head = file.read(header_size)
        # The content decides, not the name: browsers and mirrors unpack .gz files without renaming them.
        content = gzip.decompress(path.read_bytes()) if head[:2] == b"\x1f\x8b" else None
        size = path.stat().st_size if content is None else len(content)
    except _UNZIP_ERRORS as error:
        raise DataError(
            f"{path}: damaged or cut short ({error}); expected a gzipped IDX file. Remove it and download it again."
        ) from error
    if content is not None:
        head = content[:header_size]
    if head[:4] != expected or len(head) < header_size:
        raise DataError(
            f"{path}: begins with the bytes {head[:4].hex(' ') or '(none)'}; expected {expected.hex(' ')}, "
            f"an IDX file of unsigned bytes with {dimensions} dimensions, gzipped or not. Download it again."
        )
    shape = struct.unpack(f">{dimensions}I", head[4:])
    count = int(np.prod(shape, dtype=object))
    if size - header_size != count:
        raise DataError(
            f"{path}: its header states {_times(shape)} = {count:,} bytes of data, but it holds "
            f"{size - header_size:,}. Download it again."
        )
    if content is not None:
        return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)
    if count == 0:  # an empty array cannot be mapped
        return np.zeros(shape, np.uint8)
    return np.memmap(path, np.uint8, "r", offset=header_size, shape=shape)


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
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an .npz file, or cut short. Expected a file that numpy.savez wrote.")
    arrays = {}
    key = ""
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name, key in _wanted(path, archive.files).items():
                mapped = map_member(path, archive.zip, f"{key}.npy")
                arrays[name] = archive[key] if mapped is None else mapped
    except (*_UNZIP_ERRORS, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        subject = f"its array '{key}'" if key else "it"
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: {subject} holds Python objects, which are never unpickled. "
                "Save plain numbers (for class names: strings)."
            ) from error
        raise DataError(f"{path}: {subject} cannot be read ({error}). Save or download the file again.") from error
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


def map_member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray | None:
    """Map an uncompressed .npy member of a zip file read-only, after its checksum has been verified.

    Returns None if the member is missing, compressed, empty, or holds Python objects.

    Raises:
        ValueError, zipfile.BadZipFile: the member is damaged.
    """
    if name not in archive.namelist() or archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        return None
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        if version not in {(1, 0), (2, 0)}:
            return None
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(member)
        header_size = member.tell()
        if dtype.hasobject or 0 in shape or shape == ():
            return None
        while member.read(CHUNK_BYTES):  # zipfile compares the checksum at the end
            pass
        length = member.tell() - header_size
    if length != int(np.prod(shape, dtype=object)) * dtype.itemsize:
        raise ValueError(f"{length:,} bytes for an array of {_times(shape)} {dtype}")
    start = archive.getinfo(name).header_offset
    with path.open("rb") as file:
        file.seek(start + 26)  # lengths of the name and extra fields, which follow the local header of 30 bytes
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    offset = start + 30 + name_length + extra_length + header_size
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read pixels uint8 [N, pixels] and labels int32 [N] from a gzipped CSV without a header.

    The last column holds the labels.

    Raises:
        DataError: the file is cut short, damaged or not such a table.
    """
    try:
        table = np.loadtxt(path, np.uint8, delimiter=",", ndmin=2)
    except (*_UNZIP_ERRORS, ValueError) as error:
        raise DataError(
            f"{path}: not a readable CSV of whole numbers 0..255 ({error}). Install its package again."
        ) from error
    return table[:, :-1], table[:, -1].astype(np.int32)
