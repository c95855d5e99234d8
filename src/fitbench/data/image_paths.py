"""Finds the image files below a folder, and counts what it leaves out."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fitbench.data.image_formats import HEAD_BYTES, IMAGE_SUFFIXES, begins_like_an_image
from fitbench.text import clean
from fitbench.untrusted import Unreadable, open_file

# What programs leave beside images, besides hidden files: thumbnails, settings, resource forks, what was deleted.
LITTER = frozenset(
    {"@eadir", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "lost+found", "__pycache__"}
    | {"#recycle", "@recycle", "$recycle.bin", "system volume information", "#snapshot", "@tmp"}
)
VIRTUAL = ("/proc", "/sys")  # file systems of the kernel

Identity = tuple[int, int] | str  # of a folder: its device and inode


class Reason(Enum):
    """Why something is left out: of one, of several."""

    FORMAT = ("file of no known image format", "files of no known image format")
    LITTER = ("hidden or system entry", "hidden or system entries")
    SPECIAL = ("pipe or device", "pipes or devices")
    LINK = ("link to a folder above it or listed already", "links to folders above them or listed already")
    UNREADABLE = ("file that cannot be read", "files that cannot be read")
    OUTSIDE = ("image outside of the class folders", "images outside of the class folders")
    NO_PART = ("folder that is no part of the data set", "folders that are no part of the data set")


class LeftOut:
    """Counts of what was left out. As a string, it is one line with up to two names for each reason, or empty."""

    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self._names: defaultdict[Reason, list[str]] = defaultdict(list)

    def add(self, reason: Reason, name: str) -> None:
        """Count a file or folder."""
        self.counts[reason] += 1
        names = self._names[reason]
        if len(names) <= 2 and clean(name) not in names:
            names.append(clean(name))

    def __str__(self) -> str:
        texts = []
        for reason, count in self.counts.items():
            first, others = self._names[reason][:2], self._names[reason][2:]
            texts.append(f"{count:,} {reason.value[count > 1]} ({', '.join(first)}{', ..' if others else ''})")
        return ", ".join(texts)


@dataclass(frozen=True)
class Folder:
    """Names of the files and folders that are directly in a folder, sorted. `error` says why it cannot be listed."""

    path: str
    files: Sequence[str] = ()
    folders: Sequence[str] = ()
    error: OSError | None = None

    def path_of(self, name: str) -> str:
        """Return the path of a file or folder in it."""
        return name if self.path == "." else os.path.join(self.path, name)  # noqa: PTH118 - a Path takes longer


def nfc(name: str) -> str:
    """Return a name as it is compared: macOS writes 'Ä' as two characters, other systems as one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or no part of anybody's images."""
    return name.startswith(".") or name.lower() in LITTER


def image_paths(folder: str, left_out: LeftOut) -> Iterator[str]:
    """Yield the image files below a folder: sorted in each folder, files before folders.

    A file is an image if its suffix says so or, with another suffix, its first bytes. A link to nothing with such a
    suffix, and a folder that cannot be listed, are yielded too, so that reading them fails.
    """
    for place in walk(folder, left_out):
        if place.error:
            yield place.path
        yield from images_of(place, left_out)


def images_of(place: Folder, left_out: LeftOut) -> Iterator[str]:
    """Yield the image files that are directly in a folder. See `image_paths`."""
    for name in place.files:
        path, suffix = place.path_of(name), os.path.splitext(name)[1].lower()  # noqa: PTH122
        if suffix in IMAGE_SUFFIXES:
            yield path
            continue
        try:
            with open_file(path) as file:
                is_image = begins_like_an_image(file.read(HEAD_BYTES), suffix)
        except (Unreadable, OSError):
            left_out.add(Reason.UNREADABLE, name)
            continue
        if is_image:
            yield path
        else:
            left_out.add(Reason.FORMAT, name)


def walk(folder: str, left_out: LeftOut) -> Iterator[Folder]:
    """Yield a folder and those below it, each once, without litter and special files.

    Links are followed, unless they lead to a folder above `folder` or above themselves, or to files of the kernel: a
    link to / would have the whole disk listed.
    """
    folder = str(Path(folder))  # without a slash at the end
    visited = {_identity(folder)}
    pending = [(folder, _above(folder))]
    while pending:
        path, above = pending.pop()
        place = list_folder(path, left_out, above)
        yield place
        below = []
        for name in place.folders:
            inner = place.path_of(name)
            if (identity := _identity(inner)) in visited:
                left_out.add(Reason.LINK, name)
                continue
            visited.add(identity)
            below.append((inner, above | _above(inner) if os.path.islink(inner) else above))  # noqa: PTH114
        pending += reversed(below)


def list_folder(path: str, left_out: LeftOut, above: Set[Identity] | None = None) -> Folder:
    """List what is directly in a folder, without litter, special files, and links to it or to the folders `above`."""
    above = _above(path) if above is None else above
    try:
        with os.scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: (nfc(entry.name), entry.name))
    except OSError as error:
        return Folder(path, error=error)
    files, folders = [], []
    for entry in ordered:
        if is_litter(entry.name):
            left_out.add(Reason.LITTER, entry.name)
        elif _is(entry.is_dir):
            if entry.is_symlink() and (_identity(entry.path) in above or _is_virtual(entry.path)):
                left_out.add(Reason.LINK, entry.name)
            else:
                folders.append(entry.name)
        elif _is(entry.is_file) or (entry.is_symlink() and not os.path.exists(entry.path)):  # noqa: PTH110
            files.append(entry.name)
        else:
            left_out.add(Reason.SPECIAL, entry.name)
    return Folder(path, files, folders)


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a circle of links, or a folder that may not be searched
        return False


def _is_virtual(path: str) -> bool:
    real = os.path.realpath(path)
    return any(real == root or real.startswith(f"{root}/") for root in VIRTUAL)


def _identity(path: str) -> Identity:
    """Return what two paths of one folder have in common; the path if the folder is gone or may not be reached."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path takes longer
    except OSError:
        return path
    return status.st_dev, status.st_ino


def _above(path: str) -> frozenset[Identity]:
    """Return the identities of a folder, at the place where it really is, and of every folder above that place."""
    real = Path(os.path.realpath(path))
    return frozenset(map(_identity, map(str, (real, *real.parents))))
