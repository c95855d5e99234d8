"""Reads array files, .npy and .npz, memory-mapped where possible."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fitbench.data.npz import ARRAY_ERRORS, array_names, read_member, read_npy
from fitbench.data.scale import as_bytes
from fitbench.errors import DataError, RequestError
from fitbench.text import clean
from fitbench.untrusted import Unreadable, open_file

SUFFIXES = (".npy", ".npz")
MOST_CHANNELS = 4  # of an image


def read_images(
    path: Path, array_name: str | None, max_value: float | None = None, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """Read the images of an array file: uint8 [N, height, width, channels].

    Args:
        path: a file whose suffix is one of `SUFFIXES`.
        array_name: as in `read_array`.
        max_value: the value of white, to which the pixels are scaled from any dtype. None: they must be uint8.
        shape: [height, width, channels] of the model's images, if they are known. An array of this shape is one image.

    Raises:
        DataError: the file is damaged, or its array does not hold images; the message names the file.
        RequestError: there is no array of this name, or there are several arrays.
    """
    array = read_array(path, array_name, "images")
    if array.ndim == 2 or array.shape == shape:
        array = array[np.newaxis]
    elif array.ndim == 3 and shape:
        _check_grey(path, array, shape)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if max_value is not None:
        array = as_bytes(array, max_value, clean(path))
    if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape[1:] or array.shape[3] > MOST_CHANNELS:
        raise DataError(
            f"{clean(path)}: an array of {array.dtype} {array.shape}; expected images of uint8, [N, height, width] or "
            "[N, height, width, channels]"
        )
    return array


def _check_grey(path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array of three axes that can be one image in colour as well as grey images.

    Raises:
        DataError: the message says how both are written.
    """
    if array.shape[2] <= MOST_CHANNELS and array.shape[1:] != shape[:2]:
        sides = "x".join(map(str, shape))
        raise DataError(
            f"{clean(path)}: an array {array.shape}, which can be one image in colour or several grey images, and the "
            f"model takes images of {sides}; expected [N, height, width, channels]: write image[None] for one image, "
            "images[..., None] for grey images"
        )


def read_array(path: Path, array_name: str | None, nouns: str) -> np.ndarray:
    """Read the array of an array file.

    Args:
        path: a file whose suffix is one of `SUFFIXES`.
        array_name: the array of an .npz. By default x_test, or the only array.
        nouns: what messages call the examples.

    Raises:
        DataError: the file is damaged, or holds no plain numbers; the message names the file.
        RequestError: there is no array of this name, or there are several arrays.
    """
    try:
        with open_file(path) as file:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    return read_member(archive, _choose(path, array_names(archive), array_name, nouns))
            file.seek(0)
            return read_npy(file)
    except Unreadable as error:
        raise DataError(f"{clean(path)}: {error}") from error
    except ARRAY_ERRORS as error:
        raise DataError(f"{clean(path)}: damaged, or not an array of plain numbers ({clean(error)})") from error


def _choose(path: Path, names: Sequence[str], array_name: str | None, nouns: str) -> str:
    """Return the name of the array of an .npz file that holds the examples."""
    found = f"found {clean(', '.join(names)) or 'nothing'}"
    if array_name is not None and array_name not in names:
        raise RequestError(f"{clean(path)}: has no array {clean(array_name)}; {found}")
    name = array_name or ("x_test" if "x_test" in names else None) or (names[0] if len(names) == 1 else None)
    if name is None:
        raise RequestError(f"{clean(path)}: {found}; choose the array of the {nouns} with --array NAME")
    return name
