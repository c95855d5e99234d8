"""Files of run folders: written whole or not at all, and read as what may be a stranger's.

A file is written beside its name, flushed to the disk and renamed, so that a name always holds a whole file. A process
that has lost its claim on a folder renames nothing in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.text import clean
from fitbench.untrusted import (
    LARGEST_BYTES,
    LONGEST_TEXT,
    MOST_VALUES,
    check_texts,
    check_within,
    naming,
    parse_json,
    read_file,
)

UNFINISHED = ".*.new.*"  # files that are being written, or that a killed process has left

_fences: dict[Path, Callable[[], None]] = {}


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that its name holds either the old content or all of the new one, even after a power cut.

    Bytes of a path that are not UTF-8, which Python has as single surrogates, are escaped as JSON and YAML do that.
    """
    with replacing(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


def check_output(option: str, path: Path) -> None:
    """Refuse the name of an output, which is given with this option, unless it is that of a file or of nothing yet.

    Raises:
        RequestError: its folder does not exist, or it is a folder, a link or a device, whose place a file would take.
    """
    if not path.parent.is_dir():
        raise RequestError(f"{option} {clean(path)}: there is no folder {clean(path.parent)}; make it first")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "no regular file"
        raise RequestError(f"{option} {clean(path)} is {kind}; give the name of a file")


def check_suffix(option: str, path: Path, suffixes: Sequence[str]) -> None:
    """Refuse the name of an output, which is given with this option, unless it ends in one of these suffixes.

    Args:
        option: for the message.
        path: the name.
        suffixes: in small letters, with the dot; '' is that of a name without a suffix, which the message leaves out.

    Raises:
        RequestError: it has another suffix: the file would not be what its name says.
    """
    if path.suffix.lower() not in suffixes:
        expected = [suffix for suffix in suffixes if suffix]
        one_of = "one of " if len(expected) > 1 else ""
        raise RequestError(f"{option} {clean(path)}: the name must end in {one_of}{', '.join(expected)}")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes a file, or files into a folder. The message about one that cannot be written has this path.

    Raises:
        FitbenchError: the operating system refuses something.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FitbenchError(f"{clean(path)}: cannot be written ({reason})") from error


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
    """Remove the files of a run folder that are not whole. A process that still writes one cannot rename it.

    Raises:
        FitbenchError: a folder has the name of such a file.
    """
    for path in [*folder.glob(UNFINISHED), *folder.glob(f"checkpoint/{UNFINISHED}")]:
        if path.is_dir() and not path.is_symlink():
            raise FitbenchError(
                f"{path}: is a folder; fitbench gives such names to unfinished files alone; move it away"
            )
        path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove what has this name, if anything does: a folder with what is in it; of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
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


# -- reading ----------------------------------------------------------------------------------------------------------


def outputs_of(folder: str | Path, depth: int = 2) -> Callable[[], Path]:
    """Where links in a run folder may lead: into the outputs folder, which is two above it, and one above a study."""

    def outputs() -> Path:
        path = Path(folder).resolve()
        return [path, *path.parents][: depth + 1][-1]

    return outputs


def make_folder(folder: Path) -> None:
    """Create a folder unless it exists. `mkdir(exist_ok=True)` fails if another process removes it at this moment."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()


def exists(path: str | Path) -> bool:
    """Whether there is something of this name, and a link leads to something; False where that cannot be found out."""
    return os.path.exists(path)  # noqa: PTH110 - a Path costs more than the call, and raises


def read_bytes(folder: str | Path, name: str, largest: int = LARGEST_BYTES, advice: str = "", depth: int = 2) -> bytes:
    """What a file of a run folder, or of a study, holds.

    Args:
        folder: the run folder or study.
        name: of the file, which may be in a folder of the run folder.
        largest: bytes that are read at most.
        advice: what to do about a file that cannot be read, as in '; evaluate it again'.
        depth: how deep the folder is in the outputs: 2 for a run folder, 1 for a study.

    Raises:
        FileNotFoundError: there is no such file.
        FitbenchError: it cannot be read; the message names it.
    """
    path = f"{folder}/{name}"  # a Path takes as long as reading it does, and many runs are compared
    with naming(path, advice):
        return read_file(path, outputs_of(folder, depth), largest)


def read_object(
    folder: str | Path,
    name: str,
    schema: int | tuple[int, ...],
    advice: str = "",
    most: int = MOST_VALUES,
    depth: int = 2,
) -> dict[str, Any]:
    """The JSON object of this schema, or of one of these, of `most` values, in a file as `read_bytes` reads it.

    Raises:
        FileNotFoundError: there is no such file.
        FitbenchError: it cannot be read, is not JSON, or of another schema; the message names it.
    """
    with naming(f"{folder}/{name}", advice):
        text = read_bytes(folder, name, advice=advice, depth=depth)
        content = parse_json(text, most)
        if len(text) > LONGEST_TEXT:
            check_texts(content)
    schemas = schema if isinstance(schema, tuple) else (schema,)
    number = content.get("schema") if isinstance(content, dict) else type(content).__name__
    if type(number) is not int or number not in schemas:
        number = type(number).__name__ if isinstance(number, dict | list) else number
        readable = " and ".join(map(str, schemas))
        raise FitbenchError(f"{folder}/{name}: schema {number!r:.80}; this fitbench reads schema {readable}")
    return content


def listed(folder: Path, name: str, pattern: str) -> list[Path]:
    """The files of a folder of a run folder that fit a pattern, by name; none if there is no such folder.

    Raises:
        FitbenchError: the folder is a link that leaves the outputs folder.
    """
    path = folder / name
    if path.is_symlink():
        with naming(path):
            check_within(path, [outputs_of(folder)()])
    return sorted(path.glob(pattern))
