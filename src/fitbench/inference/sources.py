"""Turns the arguments of a command into batches of images: files, folders, lists on stdin and arrays.

There may be millions of images, so files are listed lazily and nothing is kept.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import cast

import numpy as np

from fitbench.data.image_formats import IMAGE_SUFFIXES
from fitbench.data.image_paths import LeftOut, image_paths
from fitbench.errors import RequestError
from fitbench.inference.arrays import SUFFIXES, read_images
from fitbench.text import clean

STDIN = "-"
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that the model computes together.

    Attributes:
        names: the names of the images: paths of files, or `path[17]` for a row of an array.
        pixels: rows of an array file, uint8 [N, height, width, channels]; None for image files.
    """

    names: Sequence[str]
    pixels: np.ndarray | None = None


def open_arrays(
    arguments: Iterable[str],
    array_name: str | None,
    max_value: float | None = None,
    shape: tuple[int, ...] | None = None,
) -> dict[str, np.ndarray]:
    """Open the array files among the arguments, and check that the other arguments name images.

    Args:
        arguments: files, folders, or `-` for paths on stdin.
        array_name: the array of an .npz that holds the images.
        max_value, shape: the value of white, and of the model's images; see `arrays.read_images`.

    Returns:
        The images by argument, uint8 [N, height, width, channels].

    Raises:
        RequestError: a file does not exist, a folder has no image, or an array is missing.
        DataError: an array file is damaged or does not hold images.
    """
    arrays = {}
    for argument in dict.fromkeys(arguments):
        if argument == STDIN:
            continue
        if os.path.isdir(argument):  # noqa: PTH112
            left_out = LeftOut()
            if next(image_paths(argument, left_out), None) is None:
                suffixes = " ".join(sorted(IMAGE_SUFFIXES))
                text = f"{clean(argument)}: no image in this folder; expected files with {suffixes}"
                raise RequestError(f"{text}; left out: {left_out}" if str(left_out) else text)
        elif not os.path.lexists(argument):
            raise RequestError(f"{clean(argument)}: there is no such file or folder")
        elif Path(argument).suffix.lower() in TABLE_SUFFIXES:
            raise RequestError(f"{clean(argument)}: a table; the run takes images")
        elif Path(argument).suffix.lower() in SUFFIXES:
            arrays[argument] = read_images(Path(argument), array_name, max_value, shape)
    return arrays


def batches(
    arguments: Iterable[str], arrays: Mapping[str, np.ndarray], size: int, null: bool, left_out: LeftOut
) -> Iterator[Batch]:
    """Yield the images in the order of the arguments, `size` at a time.

    The last batch of an array, and of the files before an array, may be smaller.

    Args:
        arguments: as in `open_arrays`. Folders are sorted.
        arrays: the result of `open_arrays`.
        size: the largest number of images in a batch.
        null: whether paths on stdin end with null characters instead of line ends.
        left_out: counts what is left out of folders.

    Raises:
        RequestError: there are no paths on stdin.
    """
    for is_array, group in groupby(arguments, arrays.__contains__):
        if is_array:
            yield from chain.from_iterable(_row_batches(name, arrays[name], size) for name in group)
            continue
        named = chain.from_iterable(_read_stdin(null) if argument == STDIN else [argument] for argument in group)
        paths = chain.from_iterable(_expand(path, left_out) for path in named)
        while names := list(islice(paths, size)):
            yield Batch(names)


def _row_batches(name: str, pixels: np.ndarray, size: int) -> Iterator[Batch]:
    for start in range(0, len(pixels), size):
        rows = pixels[start : start + size]
        yield Batch([f"{name}[{start + i}]" for i in range(len(rows))], rows)


def _expand(path: str, left_out: LeftOut) -> Iterator[str]:
    """Yield the path of a file, or those of the image files below a folder."""
    is_folder = os.path.isdir(path)  # noqa: PTH112
    return image_paths(path, left_out) if is_folder else iter([path])


def _read_stdin(null: bool) -> Iterator[str]:
    """Yield the paths on stdin, without empty ones. Windows line ends are accepted.

    Raises:
        RequestError: there are none.
    """
    stdin, end, rest, chunk = cast(io.BufferedReader, sys.stdin.buffer), b"\0" if null else b"\n", b"", b"-"
    is_empty = True
    while chunk:
        chunk = stdin.read1(1 << 16)  # what has arrived, so that these images are classified at once
        *paths, rest = (rest + (chunk or end)).split(end)
        for path in paths:
            if name := path if null else path.removesuffix(b"\r"):
                is_empty = False
                yield os.fsdecode(name)
    if is_empty:
        raise RequestError("stdin has no paths of images")
