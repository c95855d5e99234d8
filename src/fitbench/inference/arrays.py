"""Reads images and labels from array files: .npy, .npz and IDX, memory-mapped where possible."""

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
from fitbench.inference.prepare import Prepare, prepare_image, prepare_images
from fitbench.text import clean

MAGIC = {b"\x93NUM": "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz"}  # the first bytes of the files
IDX_MAGIC = b"\0\0\x08"
_ERRORS = (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def kind(path: Path) -> str | None:
    """Return npy, npz or idx according to the content of a file; None for another file or one that cannot be read.

    A zip file is an npz only if its name ends in .npz. With another name it counts as a damaged image.
    """
    try:
        head = _head(path)
    except (OSError, EOFError, zlib.error):
        return None
    if head[:3] == IDX_MAGIC:
        return "idx"
    name = MAGIC.get(head)
    return None if name == "npz" and path.suffix.lower() != ".npz" else name


def read_pixels(path: Path, array_name: str | None) -> tuple[np.ndarray, str]:
    """Read the images of an array file.

    Args:
        path: a file whose `kind` is not None.
        array_name: the array of an .npz. By default x_test, or the only array that can hold images.

    Returns:
        The images, [N, height, width, channels] of any number type, and the name of the array in an .npz, or ''.

    Raises:
        DataError: the file is damaged, or its array does not hold images; the message begins with the file's name.
        RequestError: there is no array of this name, or several arrays can hold images.
    """
    name = clean(path)
    array, key = _read(path, lambda shapes: _choose_images(shapes, array_name, name))
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
    """Read the labels of an array file: whole numbers or strings, [N].

    Args:
        path: a file whose `kind` is not None.
        images: the array of an .npz that holds the images. The labels of x_test are y_test. Otherwise the labels are
            the array labels or y.

    Raises:
        DataError: the file is damaged, or its array does not hold labels; the message begins with the file's name.
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
            f"{where}: an array {array.shape} of {array.dtype}; expected labels, whole numbers or strings [N]"
        )
    return array


def is_deep(array: np.ndarray) -> bool:
    """Whether the pixels have 16 bits: uint16, with a value above 255."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return array.dtype == np.uint16 and any(
        array[start : start + step].max(initial=0) > 255 for start in range(0, len(array), step)
    )


def read_rows(
    rows: np.ndarray, deep: bool, shape: tuple[int, int, int], prepare: Prepare
) -> tuple[np.ndarray, dict[int, str]]:
    """Prepare images of an array for a model.

    Args:
        rows: [N, height, width, channels], whole numbers of any type from 0 to 255, or to 65535 if `deep`.
        deep: whether the pixels have 16 bits.
        shape: [height, width, channels] of the model.
        prepare: how to prepare the images.

    Returns:
        The images, uint8 [N, *shape], and error messages by row. The image of a wrong row is black.
    """
    pixels, errors = (((rows.astype(np.uint32) + 128) // 257).astype(np.uint8), {}) if deep else _bytes(rows)
    if pixels.shape[1:] == shape:
        return prepare_images(pixels, prepare), errors
    images = np.zeros((len(pixels), *shape), np.uint8)
    for i, values in enumerate(pixels):
        if i not in errors:
            image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
            images[i] = prepare_image(displayed(image), shape, prepare)
    return images, errors


def _bytes(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Return rows as uint8, and error messages by row. Rows with values that are not pixels become 0."""
    if rows.dtype == np.uint8:
        return np.ascontiguousarray(rows), {}
    with np.errstate(invalid="ignore"):
        valid = ((rows >= 0) & (rows <= 255) & (rows == np.rint(rows))).all(axis=(1, 2, 3))
    errors = {
        int(i): f"pixels from {rows[i].min():.4g} to {rows[i].max():.4g}; expected whole numbers from 0 to 255"
        for i in np.flatnonzero(~valid)
    }
    return np.where(valid[:, None, None, None], rows, 0).astype(np.uint8), errors


# -- files ------------------------------------------------------------------------------------------------------------


def _choose_images(shapes: dict[str, tuple[int, ...]], array_name: str | None, name: str) -> str:
    """Return the name of the array of an .npz that holds the images."""
    contents = ", ".join(f"{clean(key)} {shape}" for key, shape in shapes.items()) or "nothing"
    if array_name is not None:
        if array_name not in shapes:
            raise RequestError(f"{name}: has no array {clean(array_name)}; found {contents}")
        return array_name
    if "x_test" in shapes:
        return "x_test"
    images = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    if len(images) == 1:
        return images[0]
    if images:
        raise RequestError(f"{name}: several arrays can hold the images, {contents}; choose one with --array NAME")
    raise DataError(f"{name}: no array in it can hold images; found {contents}")


def _read(path: Path, choose: Callable[[dict[str, tuple[int, ...]]], str]) -> tuple[np.ndarray, str]:
    """Read the array of a file. Also return its name in an .npz, or ''."""
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
        raise DataError(f"{name}: damaged, or not an array file ({clean(error)})") from error


def _shape(members: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    """Read the shape of an array of an .npz from its header."""
    with members.open(f"{member}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]


def _head(path: Path) -> bytes:
    """Read the first 4 bytes of a file, unpacked if it is gzipped."""
    if not _is_gzipped(path):
        with path.open("rb") as file:
            return file.read(4)
    with gzip.open(path) as file:
        return file.read(4)


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
