"""Reads images from array files, .npy and .npz, memory-mapped where possible."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from fitbench.data.files import map_member
from fitbench.data.scale import as_bytes
from fitbench.errors import DataError, RequestError
from fitbench.text import clean
from fitbench.untrusted import Unreadable, guarded, open_file

SUFFIXES = (".npy", ".npz")
# A zip file of images shrinks them to a hundredth at most, if they are large. A zip bomb expands a thousandfold.
MAX_EXPANSION, EXPANDED_BYTES = 100, 64 * 2**20


def read_images(path: Path, array_name: str | None, max_value: float | None = None) -> np.ndarray:
    """Read the images of an array file: uint8 [N, height, width, channels].

    Args:
        path: a file whose suffix is one of `SUFFIXES`.
        array_name: the array of an .npz. By default x_test, or the only array.
        max_value: the value of white, to which the pixels are scaled from any dtype. None: they must be uint8.

    Raises:
        DataError: the file is damaged, or its array does not hold images; the message names the file.
        RequestError: there is no array of this name, or there are several arrays.
    """
    try:
        with guarded():
            open_file(path).close()  # it is a regular file
            loaded = np.load(path, mmap_mode="r", allow_pickle=False)
            array = loaded if isinstance(loaded, np.ndarray) else _read_member(path, loaded, array_name)
    except (Unreadable, FileNotFoundError) as error:
        raise DataError(f"{clean(path)}: damaged, or not an array of plain numbers ({clean(error)})") from error
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if max_value is not None:
        array = as_bytes(array, max_value, clean(path))
    if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape[1:] or array.shape[3] > 4:
        raise DataError(
            f"{clean(path)}: an array of {array.dtype} {array.shape}; expected images of uint8, [N, height, width] or "
            "[N, height, width, channels]"
        )
    return array


def _read_member(path: Path, archive: np.lib.npyio.NpzFile, array_name: str | None) -> np.ndarray:
    with archive, zipfile.ZipFile(path) as members:
        keys, found = archive.files, f"found {clean(', '.join(archive.files)) or 'nothing'}"
        if array_name is not None and array_name not in keys:
            raise RequestError(f"{clean(path)}: has no array {clean(array_name)}; {found}")
        key = array_name or ("x_test" if "x_test" in keys else None) or (keys[0] if len(keys) == 1 else None)
        if key is None:
            raise RequestError(f"{clean(path)}: {found}; choose the array of the images with --array NAME")
        mapped = map_member(path, members, f"{key}.npy")
        if mapped is not None:
            return mapped
        member = members.getinfo(f"{key}.npy")
        if member.file_size > max(EXPANDED_BYTES, MAX_EXPANSION * member.compress_size):
            raise Unreadable(f"{key} would expand from {member.compress_size:,} to {member.file_size:,} bytes")
        return archive[key]
