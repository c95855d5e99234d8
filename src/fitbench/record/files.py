"""Files that are whole or absent, and JSON objects that may be a stranger's.

A file is written beside its name, flushed to the disk and renamed, so that a name always holds a whole file. A process
that has lost its claim on a folder renames nothing in it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from fitbench.errors import FitbenchError

UNFINISHED = ".*.new.*"  # files that are being written, or that a killed process has left

_fences: dict[Path, Callable[[], None]] = {}


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that its name holds either the old content or all of the new one, even after a power cut.

    Bytes of a path that are not UTF-8, which Python has as single surrogates, are escaped as JSON and YAML do that.
    """
    with replacing(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file opened beside `path`, which takes its place when the block has ended without an error."""
    with beside(path) as new, new.open("wb") as file:
        yield file


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """The name of a file to write beside `path`, which takes its place when the block has ended without an error.

    Raises:
        Claimed: this process had a claim on the folder and has lost it. Nothing has taken the place of `path`.
    """
    new = path.with_name(f".{secrets.token_hex(4)}.new.{path.name}")  # pids are not unique on several machines
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        check_fence(path)
        new.replace(path)
    except BaseException as error:
        new.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):  # perhaps the process that took over has removed it
            check_fence(path)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def fenced(folder: Path, check: Callable[[], None]) -> Iterator[None]:
    """In this block, `check` is called before a file in or below the folder is written; it raises if it must not be."""
    key = folder.absolute()
    _fences[key] = check
    try:
        yield
    finally:
        del _fences[key]


def check_fence(path: Path) -> None:
    """Raise what the checks of the folders above a path raise if it must not be written any more."""
    for folder in path.absolute().parents:
        if folder in _fences:
            _fences[folder]()


def remove_unfinished(folder: Path) -> None:
    """Remove the files of a run folder that are not whole. A process that still writes one cannot rename it."""
    for path in [*folder.glob(UNFINISHED), *folder.glob(f"checkpoint/{UNFINISHED}")]:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder last through a power cut, where the file system can do that for a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # which network and FUSE file systems give
            raise
    finally:
        os.close(descriptor)


def read_object(path: str, named: str, schema: int | tuple[int, ...], advice: str = "") -> dict[str, Any]:
    """The JSON object of this schema, or of one of these, in a file that may be a stranger's.

    Args:
        path: the file.
        named: what messages call it.
        schema: the number that must stand under `schema`, or those that may.
        advice: what to do about a file that is no JSON.

    Raises:
        FileNotFoundError: there is no such file.
        FitbenchError: it cannot be read, is not JSON, or of another schema.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            content = json.loads(file.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FitbenchError(f"{named}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise FitbenchError(f"{named}: nested too deeply{advice}") from None
    except ValueError as error:
        raise FitbenchError(f"{named}: not JSON ({error}){advice}") from None
    schemas = schema if isinstance(schema, tuple) else (schema,)
    number = content.get("schema") if isinstance(content, dict) else type(content).__name__
    if type(number) is not int or number not in schemas:
        number = type(number).__name__ if isinstance(number, dict | list) else number
        readable = " and ".join(map(str, schemas))
        raise FitbenchError(f"{named}: schema {number!r:.80}; this fitbench reads schema {readable}")
    return content
