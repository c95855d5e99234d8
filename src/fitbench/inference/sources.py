"""Turns the arguments of a command into batches of images: files, folders, globs, lists on stdin and arrays.

There may be millions of images, so files are listed lazily and nothing is kept.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitbench.data.image_files import IMAGE_SUFFIXES
from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.text import clean

STDIN = "-"


@dataclass(frozen=True, eq=False)
class Rows:
    """The images of an array file.

    Attributes:
        name: the path of the file.
        pixels: [N, height, width, channels], of any number type.
        key: the name of the array in an .npz, or ''.
        deep: whether the pixels have 16 bits.
    """

    name: str
    pixels: np.ndarray
    key: str
    deep: bool


@dataclass(frozen=True)
class Broken:
    """An array file or a folder that cannot be read, with an error message."""

    name: str
    error: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that the model computes together.

    Attributes:
        names: the names of the images: paths of files, or `path[17]` for a row of an array.
        source: the array of the images, or None for files. A `Broken` source has one name.
        start: the first row of the array.
    """

    names: list[str]
    source: Rows | Broken | None = None
    start: int = 0

    @property
    def rows(self) -> np.ndarray:
        """The images of the batch, [N, height, width, channels], if they are from an array."""
        assert isinstance(self.source, Rows)
        return self.source.pixels[self.start : self.start + len(self.names)]


Source = str | Rows | Broken  # the path of an image file, or an array


class Sources:
    """The images of a command's arguments, in the order of the arguments. Folders and globs are sorted.

    Iterating yields the path of each image file, or an array. Stdin can be read only once. If it is empty, iterating
    raises RequestError.
    """

    def __init__(self, arguments: Sequence[str], array: str | None = None, null: bool = False) -> None:
        """Check that each argument has images.

        Args:
            arguments: paths of files and folders, globs, or `-` for paths on stdin.
            array: the array of an .npz file. By default there must be only one candidate.
            null: paths on stdin end with null characters instead of line ends.

        Raises:
            RequestError: a file does not exist, a folder has no image, a glob matches nothing, or an array is missing.
        """
        self.arguments = arguments
        self.array = array
        self.null = null
        self.arrays: dict[str, Rows | Broken] = {}  # by argument
        for argument in arguments:
            if argument != STDIN:
                self._check(argument)

    def __iter__(self) -> Iterator[Source]:
        for argument in self.arguments:
            if argument == STDIN:
                path: str | None = None
                for path in _read_stdin(self.null):
                    yield from self._expand(path)
                if path is None:
                    raise RequestError("stdin has no paths of images")
            elif argument in self.arrays:
                yield self.arrays[argument]
            elif _is_glob(argument):
                for path in _matches(argument):
                    yield self._open(path)
            else:
                yield from self._expand(argument)

    def count(self) -> int | None:
        """Return the number of images; None if paths are on stdin."""
        if STDIN in self.arguments:
            return None
        return sum(len(source.pixels) if isinstance(source, Rows) else 1 for source in self)

    def _check(self, argument: str) -> None:
        if os.path.isdir(argument):  # noqa: PTH112
            first = next(_images_in(argument), None)
            if first is None:
                suffixes = " ".join(sorted(IMAGE_SUFFIXES))
                raise RequestError(f"{clean(argument)}: no image in this folder; expected files with {suffixes}")
            if isinstance(first, Broken) and first.name == str(Path(argument)):
                raise RequestError(f"{clean(argument)}: cannot be read ({first.error})")
        elif _is_glob(argument):
            if next(_matches(argument), None) is None:
                raise RequestError(f"{clean(argument)}: no file matches")
        elif not os.path.lexists(argument):
            raise RequestError(f"{clean(argument)}: there is no such file or folder")
        elif not isinstance(source := self._open(argument), str):
            self.arrays[argument] = source

    def _expand(self, path: str) -> Iterator[Source]:
        if os.path.isdir(path):  # noqa: PTH112
            yield from _images_in(path)
        else:
            yield self._open(path)

    def _open(self, path: str) -> Source:
        """Return the path of an image file, or the array of an array file."""
        if _suffix(path) in IMAGE_SUFFIXES or arrays.kind(Path(path)) is None:
            return path
        try:
            pixels, key = arrays.read_pixels(Path(path), self.array)
            return Rows(path, pixels, key, arrays.is_deep(pixels))
        except DataError as error:
            return Broken(path, str(error).removeprefix(f"{clean(path)}: "))


def batches(sources: Iterable[Source], size: int) -> Iterator[Batch]:
    """Yield batches of `size` images. The last batch before an array, and of an array, may be smaller."""
    names: list[str] = []
    for source in sources:
        if isinstance(source, str):
            names.append(source)
            if len(names) == size:
                yield Batch(names)
                names = []
            continue
        if names:
            yield Batch(names)
            names = []
        if isinstance(source, Broken):
            yield Batch([source.name], source)
            continue
        for start in range(0, len(source.pixels), size):
            stop = min(start + size, len(source.pixels))
            yield Batch([f"{source.name}[{row}]" for row in range(start, stop)], source, start)
    if names:
        yield Batch(names)


def _images_in(folder: str) -> Iterator[str | Broken]:
    """Yield the image files below a folder, sorted, without hidden ones. Links are followed, each folder once."""
    yield from _walk(str(Path(folder)), {os.path.realpath(folder)})


def _walk(folder: str, visited: set[str]) -> Iterator[str | Broken]:
    folders, names = set(), []  # strings instead of Paths, because a folder may have a million files
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                if entry.is_dir():
                    folders.add(entry.name)
                elif _suffix(entry.name) not in IMAGE_SUFFIXES:
                    continue
                names.append(entry.name)
    except OSError as error:
        yield Broken(folder, (error.strerror or str(error)).lower())
        return
    for name in sorted(names):
        path = name if folder == "." else os.path.join(folder, name)  # noqa: PTH118
        if name not in folders:
            yield path
        elif (target := os.path.realpath(path)) not in visited:  # a link may point to a folder above itself
            visited.add(target)
            yield from _walk(path, visited)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def _is_glob(argument: str) -> bool:
    return glob.has_magic(argument) and not os.path.lexists(argument)


def _matches(pattern: str) -> Iterator[str]:
    for path in sorted(glob.iglob(os.path.expanduser(pattern), recursive=True)):  # noqa: PTH111, PTH207
        if not os.path.isdir(path):  # noqa: PTH112
            yield path


def _read_stdin(null: bool) -> Iterator[str]:
    """Yield the paths on stdin, one per line, or one before each null character. Windows line ends are accepted."""
    if not null:
        for line in sys.stdin.buffer:
            path = line.removesuffix(b"\n")
            if path.endswith(b"\r") and not os.path.lexists(path):
                path = path[:-1]
            if path:
                yield os.fsdecode(path)
        return
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):
        *paths, rest = (rest + chunk).split(b"\0")
        yield from (os.fsdecode(path) for path in paths if path)
    if rest:
        yield os.fsdecode(rest)
