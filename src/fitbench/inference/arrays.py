"""Reads images and labels from array files: .npy, .npz and IDX, memory-mapped where possible."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitbench.data.files import map_member, read_idx
from fitbench.errors import DataError, RequestError
from fitbench.text import clean

NUMPY_SUFFIXES = (".npy", ".npz")
GZIP_MAGIC, IDX_MAGIC = b"\x1f\x8b", b"\0\0\x08"  # the first bytes of the files
_ERRORS = (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """The images of an array file.

    Attributes:
        name: the path of the file.
        pixels: [N, height, width, channels], of any number type.
        key: the name of the array in an .npz, or ''.
    """

    name: str
    pixels: np.ndarray
    key: str


def is_array_file(path: Path) -> bool:
    """Whether a file is an array file: by its suffix .npy or .npz, or by the first bytes of IDX, also gzipped."""
    if path.suffix.lower() in NUMPY_SUFFIXES:
        return True
    try:
        return path.is_file() and _head(path)[:3] == IDX_MAGIC
    except (OSError, EOFError, zlib.error):
        return False


def read_images(name: str, array_name: str | None) -> ArrayFile:
    """Read the images of an array file.

    Args:
        name: the path of an array file.
        array_name: the array of an .npz. By default x_test, or the only array.

    Raises:
        DataError: the file is damaged, or its array does not hold images; the message names the file.
        RequestError: there is no array of this name, or there are several arrays.
    """

    def choose(keys: Sequence[str]) -> str:
        found = f"found {clean(', '.join(keys)) or 'nothing'}"
        if array_name is not None and array_name not in keys:
            raise RequestError(f"{clean(name)}: has no array {clean(array_name)}; {found}")
        key = array_name or ("x_test" if "x_test" in keys else None) or (keys[0] if len(keys) == 1 else None)
        if key is None:
            raise RequestError(f"{clean(name)}: {found}; choose the array of the images with --array NAME")
        return key

    array, key = _read(Path(name), choose)
    where = f"{clean(name)}: {clean(key)}" if key else clean(name)
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4 or 0 in array.shape[1:] or array.shape[3] > 4:
        raise DataError(
            f"{where}: an array {array.shape}; expected images, [N, height, width] or [N, height, width, channels]"
        )
    if array.dtype.kind not in "uif":
        raise DataError(f"{where}: an array of {array.dtype}; expected numbers from 0 to 255")
    return ArrayFile(name, array, key)


def read_labels(path: Path, images: str) -> np.ndarray:
    """Read the labels of an array file: whole numbers or strings, [N].

    Args:
        path: an array file.
        images: the array of an .npz that holds the images. The labels of x_test are y_test. Otherwise the labels are
            the array labels or y.

    Raises:
        DataError: the file is damaged, or its array does not hold labels; the message names the file.
    """
    candidates = ([f"y{images[1:]}"] if images.startswith("x") else []) + ["labels", "y"]

    def choose(keys: Sequence[str]) -> str:
        for key in candidates:
            if key in keys:
                return key
        found = clean(", ".join(keys)) or "nothing"
        raise DataError(f"{clean(path)}: has no {' or '.join(map(clean, candidates))}; found {found}")

    array, _ = _read(path, choose)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "uiU":
        raise DataError(
            f"{clean(path)}: an array {array.shape} of {array.dtype}; expected labels, whole numbers or strings [N]"
        )
    return array


def _read(path: Path, choose: Callable[[Sequence[str]], str]) -> tuple[np.ndarray, str]:
    """Read the array of a file. Also return its name in an .npz, or ''. `choose` gets the names and returns one."""
    try:
        if path.suffix.lower() not in NUMPY_SUFFIXES:
            return read_idx(path, _head(path)[3]), ""
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, ""
        with loaded:
            key = choose(loaded.files)
            mapped = map_member(path, loaded.zip, f"{key}.npy")
            return (loaded[key] if mapped is None else mapped), key
    except _ERRORS as error:
        raise DataError(f"{clean(path)}: damaged, or not an array of plain numbers ({clean(error)})") from error


def _head(path: Path) -> bytes:
    """Read the first 4 bytes of a file, unpacked if it is gzipped."""
    with path.open("rb") as file:
        head = file.read(4)
        if head[:2] != GZIP_MAGIC:
            return head
        file.seek(0)
        with gzip.open(file) as unpacked:
            return unpacked.read(4)
