"""The fingerprint of a data set's files, which shows without reading them whether they have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from fitbench.errors import DataError


def fingerprint(path: Path) -> str | None:
    """Return the SHA-256 (hex) of what the file system says about a file, or about every file below a folder.

    It covers the name below the folder, the size in bytes, and the times at which the content and the file's entry were
    changed (nanoseconds). The second time also shows a file that was replaced by one of the same size and age. Hidden
    files and folders do not count, because no data set is read from them. Links are followed, and each folder is
    visited once.

    Returns:
        None if there is no such file or folder.

    Raises:
        DataError: a folder cannot be read.
    """
    try:
        status = path.stat()
        files = sorted(_files_below(str(path))) if path.is_dir() else [("", status)]
    except OSError as error:
        if not path.exists():
            return None
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); it is a part of the data set") from error
    lines = [f"{name}\0{of.st_size} {of.st_mtime_ns} {of.st_ctime_ns}\n" for name, of in files]
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


def _files_below(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the name of each file, relative to the folder, and what the file system says about it."""
    visited = set()
    pending = [("", folder)]
    while pending:
        prefix, path = pending.pop()
        status = os.stat(path)  # noqa: PTH116 - a Path takes longer than the call
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                    continue
                try:
                    yield prefix + entry.name, entry.stat()
                except FileNotFoundError:  # a link to nothing
                    yield prefix + entry.name, entry.stat(follow_symlinks=False)
