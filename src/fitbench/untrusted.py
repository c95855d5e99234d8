"""Files that may be a stranger's: only regular files are opened, and they are read and parsed within limits.

A name in a stranger's folder may be a FIFO that nobody writes to, a link to /dev/zero, or a small file that stands for
more than memory holds. `Unreadable` says what is wrong with one file, so that the caller can go on with the others.
"""

from __future__ import annotations

import contextlib
import errno
import json
import lzma
import math
import os
import re
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fitbench.errors import FitbenchError
from fitbench.text import first_line

if TYPE_CHECKING:
    import numpy as np

LARGEST_BYTES = 64 * 2**20  # of a file that is read whole
MOST_EXPANSION, EXPANDED_BYTES = 100, 16 * 2**20  # of a file in an archive that has more bytes than the second
PART = 4096  # bytes that are read beyond the size of a file
MOST_VALUES = 200_000  # in a JSON text
MOST_VALUES_OF_YAML = 50_000  # keys, values, lists and sections
DEEPEST = 64  # lists and sections inside of each other in JSON and YAML
LONGEST_NUMBER = 1000  # characters of a number in YAML
LONGEST_TEXT = 10_000  # characters of a text or key; whatever a table or page shows has no more

# What parsers raise of damaged content, and what readers of .npz and .npy files raise besides.
CONTENT_ERRORS = (ValueError, TypeError, LookupError, AttributeError, EOFError, ArithmeticError, RuntimeError)
ARRAY_FILE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(tokenize.TokenError, SyntaxError),  # of NumPy's headers, which are Python's literals
)

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


Within = Path | Callable[[], Path] | None  # a folder that links must not leave; a function is asked for links alone


class Unreadable(FitbenchError):
    """A file cannot be read, or must not be; the message says why and does not name the file."""


@contextlib.contextmanager
def naming(name: object, advice: str = "") -> Iterator[None]:
    """In this block an `Unreadable` becomes an error whose message begins with a name and ends with advice.

    Raises:
        FitbenchError: instead of `Unreadable`.
    """
    try:
        yield
    except Unreadable as error:
        raise FitbenchError(f"{name}: {error}{advice}") from error


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
    except CONTENT_ERRORS as error:
        raise Unreadable(f"cannot be read ({first_line(error)})") from error
    except ARRAY_FILE_ERRORS as error:
        raise Unreadable(f"damaged ({first_line(error)})") from error


# -- opening ----------------------------------------------------------------------------------------------------------


def open_file(path: str | Path, within: Within = None) -> BufferedReader:
    """A regular file, open for reading. Nothing else is opened, so the call never blocks.

    Args:
        path: the file, or a link to one.
        within: the folder that a link must not leave; None: a link may lead anywhere.

    Raises:
        FileNotFoundError: there is no such file, or the link leads to none.
        Unreadable: it is no regular file, a link that leaves `within`, or the system refuses to open it.
    """
    return os.fdopen(_descriptor(path, within), "rb")


def read_file(path: str | Path, within: Within = None, largest: int = LARGEST_BYTES) -> bytes:
    """What a regular file holds, of `largest` bytes at most; the arguments and errors are those of `open_file`.

    Raises:
        Unreadable: also if the file is larger.
    """
    descriptor = _descriptor(path, within)
    try:
        size = os.fstat(descriptor).st_size
        if size > largest:
            raise Unreadable(f"has {size:,} bytes; fitbench reads files of up to {largest:,} bytes here")
        parts, length = [], 0
        with guarded():  # the system may read in parts, and the file may grow
            while part := os.read(descriptor, min(max(size - length, 0) + PART, largest + 1 - length)):
                parts.append(part)
                length += len(part)
    finally:
        os.close(descriptor)
    if length > largest:
        raise Unreadable(f"has more than {largest:,} bytes, which fitbench reads here at most")
    return b"".join(parts)


def append_only(path: str, flags: int) -> int:
    """An `opener` for `open`: a regular file to append to, or a new one. Nothing else is opened, and no link followed.

    Raises:
        Unreadable: it is no regular file.
        OSError: the system refuses to open it.
    """
    try:
        return _regular(os.open(path, flags | _NO_LINK | getattr(os, "O_NONBLOCK", 0), 0o666))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            _check_regular(os.lstat(path).st_mode)
        raise


def _descriptor(path: str | Path, within: Within) -> int:
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
        return _regular(descriptor)


def _regular(descriptor: int) -> int:
    """The descriptor, which is closed if it is not that of a regular file."""
    try:
        _check_regular(os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_link(path: Path, within: Within) -> None:
    """Refuse a link before it is opened: opening a device can have an effect."""
    _check_regular(path.stat().st_mode)
    if within is not None:
        check_within(path, [within() if callable(within) else within])


def check_within(link: Path, folders: Sequence[Path]) -> None:
    """Refuse a link that leads out of all these folders; the message names the first.

    Raises:
        Unreadable: it does.
    """
    target, *allowed = (Path(os.path.realpath(path)) for path in (link, *folders))  # resolve() raises for a loop
    if not any(map(target.is_relative_to, allowed)):
        raise Unreadable(f"a link to {target}, which is outside of {folders[0]}")


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Unreadable(f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a regular file")


# -- parsing ----------------------------------------------------------------------------------------------------------


def parse_json(content: bytes | str, most: int = MOST_VALUES) -> Any:
    """The value of a JSON text.

    Raises:
        Unreadable: it is not JSON, holds more than `most` values, or is nested more than `DEEPEST` levels deep.
    """
    try:
        text = content if isinstance(content, str) else content.decode(json.detect_encoding(content), "surrogatepass")
        if _holds_more(text, most):
            raise Unreadable(f"holds more than {most:,} values")
        value = json.loads(text)
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unreadable(f"not JSON ({first_line(error)})") from error
    if text.count("[") + text.count("{") > DEEPEST:
        check_depth(value)
    return value


def _holds_more(text: str, most: int) -> bool:
    """Whether a JSON text holds more than `most` values, without parsing it. Commas inside of texts do not count."""
    if sum(map(text.count, "[{,")) <= most:
        return False
    text = text.replace(r"\\", "").replace(r"\"", "")
    if text.count('"') > 4 * most:  # a value and its key have four
        return True
    outside = "".join(text.split('"')[::2])
    return sum(map(outside.count, "[{,")) > most


def parse_yaml(content: bytes | str, loader: Any = None, largest: int = 0) -> Any:
    """The value of a YAML text; nothing in it is instantiated.

    Args:
        content: the text.
        loader: a safe loader of PyYAML; None: the fastest one.
        largest: how many keys and values the text may stand for with its aliases; 0: `MOST_VALUES_OF_YAML` without any
            alias (a few of them can stand for more than any memory holds).

    Raises:
        Unreadable: it is not YAML, has an alias where none is allowed, stands for too many values, has a number of more
            than `LONGEST_NUMBER` characters, or is nested more than `DEEPEST` levels deep. The message names the line.
    """
    import yaml

    parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    most = largest or MOST_VALUES_OF_YAML
    if _HALF.search(content if isinstance(content, str) else content.decode("latin-1")):
        parser, most = yaml.SafeLoader, most // 10  # which is ten times as slow
    try:
        with guarded():
            _check_events(content, parser, most, aliases=largest > 0)
            return yaml.load(content, loader or parser)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Unreadable(f"not YAML ({line}{error.problem or error.context})") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"not YAML ({' '.join(str(error).split())})") from error


_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character, as in paths that are not UTF-8; libyaml refuses it


@dataclass
class _Extent:
    """What a part of a YAML text stands for with its aliases: how many values, and how many levels of them."""

    anchor: str | None = None
    size: int = 1
    height: int = 0

    def add(self, part: _Extent) -> None:
        self.size += part.size
        self.height = max(self.height, part.height + 1)


def _check_events(content: bytes | str, parser: Any, most: int, aliases: bool) -> None:
    """Refuse what a YAML parser reads, and whose value would take too much time or memory."""
    import yaml

    anchors: dict[str, _Extent] = {}
    opened = [_Extent()]
    values = 0
    for event in yaml.parse(content, parser):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Extent(event.anchor))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent):
            part = opened.pop() if isinstance(event, yaml.CollectionEndEvent) else _Extent(event.anchor)
            if part.anchor:
                anchors[part.anchor] = part
            opened[-1].add(part)
            values += isinstance(event, yaml.ScalarEvent)
        elif isinstance(event, yaml.AliasEvent):
            if not aliases or any(part.anchor == event.anchor for part in opened):
                why = "an alias of what it stands in" if aliases else "an alias"
                raise Unreadable(f"line {line} holds {why} (*{event.anchor}), which is not read here")
            part = anchors.get(event.anchor or "") or _Extent()
            opened[-1].add(part)
            values += part.size
        if len(opened) + opened[-1].height - 1 > DEEPEST:
            raise Unreadable(f"line {line}: nested more than {DEEPEST} levels deep")
        if values > most:
            raise Unreadable(f"holds too many values: more than {most:,} up to line {line}")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_NUMBER and _is_number(event, parser("")):
            raise Unreadable(f"line {line} holds a number of {len(event.value):,} characters")


def _is_number(scalar: Any, loader: Any) -> bool:
    """Whether a scalar event of YAML is a number, by its tag or by its text."""
    import yaml

    by_text = scalar.tag in (None, "!")
    tag = loader.resolve(yaml.ScalarNode, scalar.value, scalar.implicit) if by_text else scalar.tag
    return tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def check_texts(value: Any) -> None:
    """Refuse a value of lists and dictionaries with texts or keys of more than `LONGEST_TEXT` characters.

    Raises:
        Unreadable: it has one.
    """
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending += each.keys()
            pending += each.values()
        elif isinstance(each, list):
            pending += each
        elif isinstance(each, str) and len(each) > LONGEST_TEXT:
            raise Unreadable(f"holds a text of {len(each):,} characters; fitbench reads up to {LONGEST_TEXT:,} here")


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


# -- archives ---------------------------------------------------------------------------------------------------------


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A file in an archive, open for reading, if it does not unpack to many times its size, as a zip bomb does.

    Raises:
        Unreadable: it does.
        KeyError: there is no such file in the archive.
    """
    member = archive.getinfo(name)
    if member.file_size > max(EXPANDED_BYTES, MOST_EXPANSION * member.compress_size):
        raise Unreadable(f"would expand from {member.compress_size:,} to {member.file_size:,} bytes")
    return archive.open(member)


# -- arrays -----------------------------------------------------------------------------------------------------------


def read_arrays(
    path: str | Path,
    names: Collection[str],
    within: Within = None,
    largest: int | None = None,
    optional: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by their names, without pickle; of the `optional` names those that it has.

    They have `largest` bytes at most when unpacked; None: no more than the file, or than `LARGEST_BYTES`.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no regular file, damaged, lacks an array, or its arrays are larger.
    """
    with guarded(), open_file(path, within) as file:
        if largest is None:
            largest = max(LARGEST_BYTES, os.fstat(file.fileno()).st_size)
        return arrays_of(file, largest, names, optional)


def arrays_of(
    file: IO[bytes], largest: int, names: Collection[str] | None = None, optional: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The arrays of an open .npz file, as `read_arrays` gives them; without names all of them.

    Raises:
        Unreadable: it is damaged, lacks an array, or its arrays have more than `largest` bytes.
    """
    with guarded():
        if not zipfile.is_zipfile(file):
            raise Unreadable("not an .npz file, or cut short")
        with zipfile.ZipFile(file) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            if absent := [name for name in names or () if name not in members]:
                raise Unreadable(f"has no array {absent[0]}")
            wanted = members if names is None else [*names, *(name for name in optional if name in members)]
            chosen = {name: members[name] for name in wanted}
            size = sum(member.file_size for member in chosen.values())
            if size > largest:
                raise Unreadable(f"its arrays have {size:,} bytes; fitbench reads up to {largest:,} bytes here")
            return {name: _array(archive, member) for name, member in chosen.items()}


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
