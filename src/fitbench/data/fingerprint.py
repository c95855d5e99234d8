"""The fingerprint of a data set's files, which shows without reading them whether they have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from fitbench.data.image_paths import LeftOut, walk
from fitbench.errors import DataError


def fingerprint(*paths: Path) -> str | None:
    """Return the SHA-256 (hex) of what the file system says about files, or about every file below folders.

    It covers the name below the folder, the size in bytes, and the times at which the content and the file's entry were
    changed (nanoseconds). The second time also shows a file that was replaced by one of the same size and age. What
    `image_paths.walk` leaves out does not count, because no data set is read from it.

    Returns:
        None if one of the paths is no file or folder.

    Raises:
        DataError: a folder cannot be read.
    """
    lines = []
    for path in paths:
        try:
            status = path.stat()
            files = sorted(_files_below(path)) if path.is_dir() else [("", status)]
        except OSError as error:
            if not path.exists():
                return None
            raise DataError(
                f"{error.filename}: cannot be read ({error.strerror}); it is a part of the data set"
            ) from error
        lines += [f"{name}\0{of.st_size} {of.st_mtime_ns} {of.st_ctime_ns}\n" for name, of in files]
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


def _files_below(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the name of each file, relative to the folder, and what the file system says about it."""
    start = os.path.join(folder, "")  # noqa: PTH118
    for place in walk(str(folder), LeftOut()):
        if place.error:
            raise place.error
        for path in map(place.path_of, place.files):
            try:
                status = os.stat(path)  # noqa: PTH116 - a Path takes longer than the call
            except OSError:  # a link to nothing
                status = os.lstat(path)
            yield path.removeprefix(start), status
