"""Images, and labels, that lie in arrays: .npy, .npz and IDX files, memory-mapped where that is possible."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fitbench.data.files import CHUNK_BYTES, map_member, read_idx
from fitbench.data.image_files import displayed
from fitbench.errors import DataError, RequestError
from fitbench.inference.prepare import Prepare, prepared, prepared_all
from fitbench.text import clean

MAGIC = {b"\x93NUM": "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz"}  # what the files begin with
IDX_MAGIC = b"\0\0\x08"
_ERRORS = (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def kind(path: Path) -> str | None:
    """npy, npz or idx, as a file's content says; None where it is something else, or cannot be read.

    A zip counts as npz only where it is called so: with another name it is a damaged image.
    """
    try:
        head = _head(path)
    except (OSError, EOFError, zlib.error):
        return None
    if head[:3] == IDX_MAGIC:
        return "idx"
    found = MAGIC.get(head)
    return None if found == "npz" and path.suffix.lower() != ".npz" else found


def read_pixels(path: Path, wanted: str | None) -> tuple[np.ndarray, str]:
    """The images of an array file, [N, height, width, channels] of any number type; and which array of an .npz it is.

    Args:
        path: a file of which `kind` says that it is one.
        wanted: of an .npz, the array to take; else x_test, or the only one that can be images.

    Raises:
        DataError: the file is damaged, or its array holds no images; the message begins with its name.
        RequestError: it has no array of this name, or several that can be images.
    """
    name = clean(path)
    array, key = _read(path, lambda shapes: _image_key(shapes, wanted, name))
    where = f"{name}: {key}" if key else name
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
    return array, key


def read_labels(path: Path, images: str) -> np.ndarray:
    """The labels of an array file: numbers or texts, [N].

    Args:
        path: a file of which `kind` says that it is one.
        images: the array of an .npz that the images are from: those of x_test are y_test; else labels or y.

    Raises:
        DataError: the file is damaged, or its array holds no labels; the message begins with its name.
    """
    name = clean(path)
    keys = ([f"y{images[1:]}"] if images.startswith("x") else []) + ["labels", "y"]

    def choose(shapes: dict[str, tuple[int, ...]]) -> str:
        for key in keys:
            if key in shapes:
                return key
        raise DataError(f"{name}: has no {' or '.join(keys)}; found {clean(', '.join(shapes)) or 'nothing'}")

    array, key = _read(path, choose)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "uiU":
        where = f"{name}: {key}" if key else name
        raise DataError(
            f"{where}: an array {array.shape} of {array.dtype}; expected labels, whole numbers or texts [N]"
        )
    return array


def is_deep(array: np.ndarray) -> bool:
    """Whether the pixels are of 16 bits: unsigned, and of more than 255 somewhere."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return array.dtype == np.uint16 and any(
        array[start : start + step].max(initial=0) > 255 for start in range(0, len(array), step)
    )


def read_rows(
    rows: np.ndarray, deep: bool, shape: tuple[int, int, int], how: Prepare
) -> tuple[np.ndarray, dict[int, str]]:
    """Images of an array as a model takes them, uint8 [N, *shape], and what is wrong with which of them.

    Args:
        rows: [N, height, width, channels], numbers of any type from 0 to 255, or `deep` ones up to 65535.
        deep: whether they have 16 bits.
        shape: of the model's images.
        how: what is done to them.
    """
    pixels, errors = (((rows.astype(np.uint32) + 128) // 257).astype(np.uint8), {}) if deep else _bytes(rows)
    if pixels.shape[1:] == shape:
        return prepared_all(pixels, how), errors
    made = np.zeros((len(pixels), *shape), np.uint8)
    for i, image in enumerate(pixels):
        if i not in errors:
            made[i] = prepared(displayed(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)), shape, how)
    return made, errors


def _bytes(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """The rows as uint8; those with other values than whole numbers from 0 to 255 are 0, and said to be wrong."""
    if rows.dtype == np.uint8:
        return np.ascontiguousarray(rows), {}
    with np.errstate(invalid="ignore"):
        right = ((rows >= 0) & (rows <= 255) & (rows == np.rint(rows))).all(axis=(1, 2, 3))
    errors = {
        int(i): f"pixels of {rows[i].min():.4g} to {rows[i].max():.4g}; expected whole numbers from 0 to 255"
        for i in np.flatnonzero(~right)
    }
    return np.where(right[:, None, None, None], rows, 0).astype(np.uint8), errors


# -- files ------------------------------------------------------------------------------------------------------------


def _image_key(shapes: dict[str, tuple[int, ...]], wanted: str | None, name: str) -> str:
    """Which array of an .npz holds the images."""
    found = ", ".join(f"{clean(key)} {shape}" for key, shape in shapes.items()) or "nothing"
    if wanted is not None:
        if wanted not in shapes:
            raise RequestError(f"{name}: has no array {clean(wanted)}; found {found}")
        return wanted
    if "x_test" in shapes:
        return "x_test"
    images = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    if len(images) == 1:
        return images[0]
    if images:
        raise RequestError(f"{name}: several arrays can be the images, {found}; --array NAME says which")
    raise DataError(f"{name}: no array in it can be images; found {found}")


def _read(path: Path, choose: Callable[[dict[str, tuple[int, ...]]], str]) -> tuple[np.ndarray, str]:
    """The array of a file, and which one it is of an .npz; '' elsewhere."""
    name = clean(path)
    try:
        match kind(path):
            case "npy" if _is_gzipped(path):
                with gzip.open(path) as file:
                    return np.load(file, allow_pickle=False), ""
            case "npy":
                return np.load(path, mmap_mode="r", allow_pickle=False), ""
            case "npz":
                with np.load(path, allow_pickle=False) as archive, zipfile.ZipFile(path) as members:
                    key = choose({member: _shape(members, member) for member in archive.files})
                    mapped = map_member(path, members, f"{key}.npy")
                    return (archive[key] if mapped is None else mapped), key
            case _:
                return read_idx(path, _head(path)[3]), ""
    except _ERRORS as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise DataError(f"{name}: holds Python objects, which are never unpickled; save plain numbers") from error
        raise DataError(f"{name}: damaged, or no array file ({clean(error)})") from error


def _shape(members: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    """The shape of an array of an .npz, from its header."""
    with members.open(f"{member}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]


def _head(path: Path) -> bytes:
    """The first 4 bytes of a file, unpacked if it is gzipped."""
    if not _is_gzipped(path):
        with path.open("rb") as file:
            return file.read(4)
    with gzip.open(path) as file:
        return file.read(4)


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
