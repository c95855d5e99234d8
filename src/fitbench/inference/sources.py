"""From what stands on the command line to batches of images: files, folders, globs, lists and arrays, as they come.

Nothing is read before it is its turn, and nothing is kept: there may be millions of images.
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
    """The images of an array file: [N, height, width, channels], of `deep` ones 16 bits a pixel.

    `key` is which array of an .npz it is.
    """

    name: str
    pixels: np.ndarray
    key: str
    deep: bool


@dataclass(frozen=True)
class Broken:
    """An array file or a folder that cannot be read, and why."""

    name: str
    error: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that go through the model together.

    Attributes:
        names: what their rows are called: the path of a file, or `path[17]` of an array.
        source: the array whose rows they are; of a broken one there is one name. None where they are files.
        start: the first of the rows.
    """

    names: list[str]
    source: Rows | Broken | None = None
    start: int = 0

    @property
    def rows(self) -> np.ndarray:
        """The images of an array, [N, height, width, channels]."""
        assert isinstance(self.source, Rows)
        return self.source.pixels[self.start : self.start + len(self.names)]


Found = str | Rows | Broken  # the path of an image file, or an array


class Sources:
    """What the arguments of a command stand for, in their order; folders and globs sorted.

    Iterated, gives the path of each image file as a text, or an array. What is on stdin is read only once; a
    RequestError if that is nothing.
    """

    def __init__(self, arguments: Sequence[str], array: str | None = None, null: bool = False) -> None:
        """Look whether there is something to read for each argument.

        Args:
            arguments: paths of files and folders, globs, or `-` for paths on stdin.
            array: which array of an .npz file; else it must be clear.
            null: what is on stdin ends with null characters and not with line ends.

        Raises:
            RequestError: there is no such file, no image in a folder, nothing that fits a glob, or no such array.
        """
        self.arguments = arguments
        self.array = array
        self.null = null
        self.arrays: dict[str, Rows | Broken] = {}  # those among the arguments, opened
        for argument in arguments:
            if argument != STDIN:
                self._check(argument)

    def __iter__(self) -> Iterator[Found]:
        for argument in self.arguments:
            if argument == STDIN:
                path: str | None = None
                for path in _listed(self.null):
                    yield from self._at(path)
                if path is None:
                    raise RequestError("no images were named on stdin")
            elif argument in self.arrays:
                yield self.arrays[argument]
            elif _is_glob(argument):
                for path in _matches(argument):
                    yield self._in_file(path)
            else:
                yield from self._at(argument)

    def count(self) -> int | None:
        """How many images there are; None where they are on stdin."""
        if STDIN in self.arguments:
            return None
        return sum(len(one.pixels) if isinstance(one, Rows) else 1 for one in self)

    def _check(self, argument: str) -> None:
        if os.path.isdir(argument):  # noqa: PTH112
            first = next(_images_in(argument), None)
            if first is None:
                known = " ".join(sorted(IMAGE_SUFFIXES))
                raise RequestError(f"{clean(argument)}: no image in this folder; looked for {known}")
            if isinstance(first, Broken) and first.name == str(Path(argument)):
                raise RequestError(f"{clean(argument)}: cannot be read ({first.error})")
        elif _is_glob(argument):
            if next(_matches(argument), None) is None:
                raise RequestError(f"{clean(argument)}: no file fits")
        elif not os.path.lexists(argument):
            raise RequestError(f"{clean(argument)}: there is no such file or folder")
        elif not isinstance(one := self._in_file(argument), str):
            self.arrays[argument] = one

    def _at(self, path: str) -> Iterator[Found]:
        if os.path.isdir(path):  # noqa: PTH112
            yield from _images_in(path)
        else:
            yield self._in_file(path)

    def _in_file(self, path: str) -> Found:
        """The file's path if it is to be an image; else the array that it holds."""
        if _suffix(path) in IMAGE_SUFFIXES or arrays.kind(Path(path)) is None:
            return path
        try:
            pixels, key = arrays.read_pixels(Path(path), self.array)
            return Rows(path, pixels, key, arrays.is_deep(pixels))
        except DataError as error:
            return Broken(path, str(error).removeprefix(f"{clean(path)}: "))


def batches(found: Iterable[Found], size: int) -> Iterator[Batch]:
    """The images in batches of `size`, fewer where files end and arrays begin."""
    names: list[str] = []
    for one in found:
        if isinstance(one, str):
            names.append(one)
            if len(names) == size:
                yield Batch(names)
                names = []
            continue
        if names:
            yield Batch(names)
            names = []
        if isinstance(one, Broken):
            yield Batch([one.name], one)
            continue
        for start in range(0, len(one.pixels), size):
            stop = min(start + size, len(one.pixels))
            yield Batch([f"{one.name}[{row}]" for row in range(start, stop)], one, start)
    if names:
        yield Batch(names)


def _images_in(folder: str) -> Iterator[str | Broken]:
    """The image files in a folder and those in it, sorted; hidden ones are left out. Links are followed, each once."""
    yield from _walk(str(Path(folder)), {os.path.realpath(folder)})


def _walk(folder: str, seen: set[str]) -> Iterator[str | Broken]:
    inside, names = set(), []  # texts, and no Paths: of a folder with a million files all are held, to be sorted
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                if entry.is_dir():
                    inside.add(entry.name)
                elif _suffix(entry.name) not in IMAGE_SUFFIXES:
                    continue
                names.append(entry.name)
    except OSError as error:
        yield Broken(folder, (error.strerror or str(error)).lower())
        return
    for name in sorted(names):
        path = name if folder == "." else os.path.join(folder, name)  # noqa: PTH118
        if name not in inside:
            yield path
        elif (target := os.path.realpath(path)) not in seen:  # a link may lead back to where it lies
            seen.add(target)
            yield from _walk(path, seen)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def _is_glob(argument: str) -> bool:
    return glob.has_magic(argument) and not os.path.lexists(argument)


def _matches(pattern: str) -> Iterator[str]:
    for path in sorted(glob.iglob(os.path.expanduser(pattern), recursive=True)):  # noqa: PTH111, PTH207
        if not os.path.isdir(path):  # noqa: PTH112
            yield path


def _listed(null: bool) -> Iterator[str]:
    """The paths on stdin, one a line, or one before each null character. Lines may end as Windows ends them."""
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
