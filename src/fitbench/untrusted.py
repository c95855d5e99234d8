"""Files that may be a stranger's: only regular files are opened, and they are read and parsed within limits.

A name in a stranger's folder may be a FIFO that nobody writes to, a link to /dev/zero, or a small file that stands for
more than memory holds. `Unreadable` says what is wrong with one file, so that the caller can go on with the others.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fitbench.errors import FitbenchError
from fitbench.text import first_line

if TYPE_CHECKING:
    import numpy as np

LARGEST_BYTES = 64 * 2**20  # of a file that is read whole
DEEPEST = 64  # lists and sections inside of each other in JSON and YAML
LONGEST_NUMBER = 1000  # characters of a number in YAML

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unreadable(FitbenchError):
    """A file cannot be read, or must not be; the message says why and does not name the file."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """In this block, whatever damaged content raises is `Unreadable`.

    Raises:
        Unreadable: something in the block has failed as readers of files fail.
        FileNotFoundError: there is no such file.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or first_line(error)})") from error
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except MemoryError as error:
        raise Unreadable("needs more memory than there is") from error
    except (ValueError, TypeError, KeyError, AttributeError, EOFError, ArithmeticError, RuntimeError) as error:
        raise Unreadable(f"cannot be read ({first_line(error)})") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise Unreadable(f"damaged ({first_line(error)})") from error


# -- opening ----------------------------------------------------------------------------------------------------------


def open_file(path: str | Path, within: Path | None = None) -> BinaryIO:
    """A regular file, open for reading. Nothing else is opened, so the call never blocks.

    Args:
        path: the file, or a link to one.
        within: the folder that a link must not leave; None: a link may lead anywhere.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no regular file, a link that leaves `within`, or the system refuses to open it.
    """
    return os.fdopen(_descriptor(path, within), "rb")


def read_file(path: str | Path, within: Path | None = None, largest: int = LARGEST_BYTES) -> bytes:
    """What a regular file holds, of `largest` bytes at most; the arguments and errors are those of `open_file`.

    Raises:
        Unreadable: also if the file is larger.
    """
    descriptor = _descriptor(path, within)
    try:
        size = os.fstat(descriptor).st_size
        if size > largest:
            raise Unreadable(f"has {size:,} bytes; fitbench reads files of up to {largest:,} bytes here")
        with guarded():
            content = os.read(descriptor, size + 1)
            while more := os.read(descriptor, largest + 1 - len(content)):  # it grows, or the system reads in parts
                content += more
    finally:
        os.close(descriptor)
    if len(content) > largest:
        raise Unreadable(f"has more than {largest:,} bytes, which fitbench reads here at most")
    return content


def _descriptor(path: str | Path, within: Path | None) -> int:
    with guarded():
        try:
            descriptor = os.open(path, _FLAGS | _NO_LINK)
        except OSError as error:
            if error.errno != errno.ELOOP:
                if error.errno == errno.ENXIO:  # a socket
                    _check_regular(os.stat(path).st_mode)  # noqa: PTH116
                raise
            _check_link(Path(path), within)
            descriptor = os.open(path, _FLAGS)
        try:
            _check_regular(os.fstat(descriptor).st_mode)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _check_link(path: Path, within: Path | None) -> None:
    """Refuse a link before it is opened: opening a device can have an effect."""
    _check_regular(path.stat().st_mode)
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise Unreadable(f"a link to {path.resolve()}, which is outside of {within}")


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Unreadable(f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a regular file")


# -- parsing ----------------------------------------------------------------------------------------------------------


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        Unreadable: it is not JSON, or nested more than `DEEPEST` levels deep.
    """
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unreadable(f"not JSON ({first_line(error)})") from error
    brackets = (b"[", b"{") if isinstance(content, bytes) else ("[", "{")
    if sum(map(content.count, brackets)) > DEEPEST:  # type: ignore[arg-type]
        check_depth(value)
    return value


def parse_yaml(content: bytes | str, loader: Any = None, largest: int = 0) -> Any:
    """The value of a YAML text; nothing in it is instantiated.

    Args:
        content: the text.
        loader: a safe loader of PyYAML; None: the fastest one.
        largest: how many values the text may stand for with its aliases; 0: an alias is refused.

    Raises:
        Unreadable: it is not YAML, has an alias where none is allowed (a few of them can stand for more than any memory
            holds), stands for too many values, has a number of more than `LONGEST_NUMBER` characters, or is nested more
            than `DEEPEST` levels deep. The message names the line.
    """
    import yaml

    try:
        with guarded():
            _check_events(content, largest)
            return yaml.load(content, loader or _fast_loader())
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Unreadable(f"{line}not YAML ({error.problem or error.context})") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"not YAML ({' '.join(str(error).split())})") from error


def _fast_loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Extent:
    """What a part of a YAML text stands for with its aliases: how many values, and how many levels of them."""

    anchor: str | None = None
    size: int = 1
    height: int = 0

    def add(self, part: _Extent) -> None:
        self.size += part.size
        self.height = max(self.height, part.height + 1)


def _check_events(content: bytes | str, largest: int) -> None:
    """Refuse what a YAML parser reads, and whose value would take too much time or memory."""
    import yaml

    loader = _fast_loader()
    anchors: dict[str, _Extent] = {}
    opened = [_Extent()]
    for event in yaml.parse(content, loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Extent(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent):
            part = opened.pop() if isinstance(event, yaml.CollectionEndEvent) else _Extent(event.anchor)
            if part.anchor:
                anchors[part.anchor] = part
            opened[-1].add(part)
        elif isinstance(event, yaml.AliasEvent):
            if not largest or any(part.anchor == event.anchor for part in opened):
                why = "an alias of what it stands in" if largest else "an alias"
                raise Unreadable(f"line {line} holds {why} (*{event.anchor}), which is not read here")
            opened[-1].add(anchors.get(event.anchor or "") or _Extent())
        if len(opened) + opened[-1].height - 1 > DEEPEST:
            raise Unreadable(f"line {line}: nested more than {DEEPEST} levels deep")
        if opened[-1].size > largest > 0:
            raise Unreadable(f"line {line}: with what stands before it, more than {largest:,} values")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_NUMBER and _is_number(event, loader("")):
            raise Unreadable(f"line {line} holds a number of {len(event.value):,} characters")


def _is_number(scalar: Any, loader: Any) -> bool:
    """Whether a scalar event of YAML is a number, by its tag or by its text."""
    import yaml

    by_text = scalar.tag in (None, "!")
    tag = loader.resolve(yaml.ScalarNode, scalar.value, scalar.implicit) if by_text else scalar.tag
    return tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def check_depth(value: Any) -> None:
    """Refuse a value of lists and dictionaries that are nested more than `DEEPEST` levels deep.

    Raises:
        Unreadable: they are.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            item
            for each in level
            if isinstance(each, list | dict)
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, list | dict)
        ]
        if not level:
            return
    raise Unreadable(f"nested more than {DEEPEST} levels deep")


# -- arrays -----------------------------------------------------------------------------------------------------------


def read_arrays(
    path: str | Path, names: Collection[str], within: Path | None = None, largest: int = LARGEST_BYTES
) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by their names, without pickle, of `largest` bytes at most when unpacked.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no regular file, damaged, lacks an array, or its arrays are larger.
    """
    import numpy as np

    with guarded(), open_file(path, within) as file:
        if not zipfile.is_zipfile(file):
            raise Unreadable("not an .npz file, or cut short")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            for name in names:
                if name not in archive.files:
                    raise Unreadable(f"has no array {name}")
            members = {member.filename.removesuffix(".npy"): member for member in archive.zip.infolist()}
            size = sum(members[name].file_size for name in names)
            if size > largest:
                raise Unreadable(f"its arrays have {size:,} bytes; fitbench reads up to {largest:,} bytes here")
            return {name: _array(archive.zip, members[name]) for name in names}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of an archive. Its header is compared with its size before memory is taken for it."""
    from numpy.lib import format as npy

    with archive.open(member) as file:
        first = npy.read_magic(file) == (1, 0)
        shape, _, dtype = (npy.read_array_header_1_0 if first else npy.read_array_header_2_0)(file)
    claimed = dtype.itemsize * math.prod(shape)
    if claimed > member.file_size:
        raise Unreadable(f"{member.filename} claims {claimed:,} bytes and has {member.file_size:,}")
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)
