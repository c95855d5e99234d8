"""Turns the arguments of a command into batches of images: files, folders, globs, lists on stdin and arrays.

There may be millions of images, so files are listed lazily and nothing is kept.
"""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import cast

import numpy as np

from fitbench.data.image_files import IMAGE_SUFFIXES
from fitbench.errors import RequestError
from fitbench.inference.arrays import ArrayFile, is_array_file, read_images
from fitbench.text import clean

STDIN = "-"


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that the model computes together.

    Attributes:
        names: the names of the images: paths of files, or `path[17]` for a row of an array.
        array: the array file of the images; None for image files.
        start: the first row of the array.
    """

    names: Sequence[str]
    array: ArrayFile | None = None
    start: int = 0

    @property
    def rows(self) -> np.ndarray:
        """The images of the batch, [N, height, width, channels], if they are from an array."""
        assert self.array is not None
        return self.array.pixels[self.start : self.start + len(self.names)]


def open_arrays(arguments: Iterable[str], array_name: str | None) -> dict[str, ArrayFile]:
    """Open the array files among the arguments, and check that the other arguments name images.

    Args:
        arguments: files, folders, globs, or `-` for paths on stdin.
        array_name: the array of an .npz that holds the images.

    Returns:
        The array files by argument.

    Raises:
        RequestError: a file does not exist, a folder has no image, a glob matches nothing, or an array is missing.
        DataError: an array file is damaged or does not hold images.
    """
    arrays = {}
    for argument in dict.fromkeys(arguments):
        if argument == STDIN:
            continue
        if os.path.isdir(argument):  # noqa: PTH112
            if next(_expand(argument), None) is None:
                suffixes = " ".join(sorted(IMAGE_SUFFIXES))
                raise RequestError(f"{clean(argument)}: no image in this folder; expected files with {suffixes}")
        elif _is_glob(argument):
            if next(_matches(argument), None) is None:
                raise RequestError(f"{clean(argument)}: no file matches")
        elif not os.path.lexists(argument):
            raise RequestError(f"{clean(argument)}: there is no such file or folder")
        elif is_array_file(Path(argument)):
            arrays[argument] = read_images(argument, array_name)
    return arrays


def batches(arguments: Iterable[str], arrays: Mapping[str, ArrayFile], size: int, null: bool) -> Iterator[Batch]:
    """Yield the images in the order of the arguments, `size` at a time.

    The last batch of an array, and of the files before an array, may be smaller.

    Args:
        arguments: as in `open_arrays`. Folders and globs are sorted.
        arrays: the result of `open_arrays`.
        size: the largest number of images in a batch.
        null: whether paths on stdin end with null characters instead of line ends.

    Raises:
        RequestError: there are no paths on stdin.
    """
    for is_array, group in groupby(arguments, arrays.__contains__):
        if is_array:
            for array in map(arrays.__getitem__, group):
                yield from _row_batches(array, size)
            continue
        paths = chain.from_iterable(_paths(argument, null) for argument in group)
        while names := list(islice(paths, size)):
            yield Batch(names)


def _row_batches(array: ArrayFile, size: int) -> Iterator[Batch]:
    for start in range(0, len(array.pixels), size):
        rows = range(start, min(start + size, len(array.pixels)))
        yield Batch([f"{array.name}[{row}]" for row in rows], array, start)


def _paths(argument: str, null: bool) -> Iterator[str]:
    """Yield the paths of the image files that an argument names."""
    if argument == STDIN:
        path = None
        for path in _read_stdin(null):
            yield from _expand(path)
        if path is None:
            raise RequestError("stdin has no paths of images")
    elif _is_glob(argument):
        yield from _matches(argument)
    else:
        yield from _expand(argument)


def _expand(path: str) -> Iterator[str]:
    """Yield the path of a file, or the image files below a folder: sorted, files before folders, hidden ones left out.

    Links are followed, each folder once. A folder that cannot be listed is yielded itself, so that decoding it fails.
    """
    if not os.path.isdir(path):  # noqa: PTH112
        yield path
        return
    visited, unlisted = {os.path.realpath(path)}, list[str]()
    for parent, folders, names in os.walk(
        path, followlinks=True, onerror=lambda error: unlisted.append(error.filename)
    ):
        for name in sorted(names):
            if name[0] != "." and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
                yield str(Path(parent, name))
        for name in sorted(folders):
            target = os.path.realpath(Path(parent, name))
            if name[0] == "." or target in visited:  # a link may point to a folder above itself
                folders.remove(name)
            visited.add(target)
        folders.sort()
    yield from unlisted


def _is_glob(argument: str) -> bool:
    return glob.has_magic(argument) and not os.path.lexists(argument)


def _matches(pattern: str) -> Iterator[str]:
    for path in sorted(glob.iglob(os.path.expanduser(pattern), recursive=True)):  # noqa: PTH111, PTH207
        if not os.path.isdir(path):  # noqa: PTH112
            yield path


def _read_stdin(null: bool) -> Iterator[str]:
    """Yield the paths on stdin, one per line, or one before each null character. Windows line ends are accepted."""
    end, rest = (b"\0" if null else b"\n"), b""
    stdin = cast(io.BufferedReader, sys.stdin.buffer)
    while chunk := stdin.read1(1 << 16):  # what has arrived, so that these images are classified at once
        *paths, rest = (rest + chunk).split(end)
        yield from _decoded(paths, null)
    yield from _decoded([rest], null)


def _decoded(paths: Iterable[bytes], null: bool) -> Iterator[str]:
    return (os.fsdecode(path) for path in (path if null else path.removesuffix(b"\r") for path in paths) if path)
