"""For how long a file's heartbeat, which is its time of modification, has been silent.

The clocks of two machines are never compared. A look tells the age of a heartbeat by the clock of the file system. A
watch tells it by the clock of the process that watches.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.record.files import outputs_of
from fitbench.untrusted import Unreadable, open_file

LARGEST_BYTES = 65_536  # that are read of a file
LONGEST_GAP_SECONDS = 5.0  # that counts between two looks of a watch


@dataclass(frozen=True)
class Beat:
    """What a file holds, and when it was modified, in nanoseconds by the clock of its file system."""

    content: str
    modified: int


def read(path: Path) -> Beat | None:
    """The file's heartbeat, None if there is no file. An open file has no attributes from a network client's cache.

    Raises:
        FitbenchError: it is no regular file, or a link out of the outputs folder; the message names it.
        OSError: the system cannot read it, perhaps only now.
    """
    try:
        with open_file(path, outputs_of(path.parent)) as file:
            return Beat(file.read(LARGEST_BYTES).decode(errors="replace"), os.fstat(file.fileno()).st_mtime_ns)
    except FileNotFoundError:
        if path.is_symlink():  # it would be taken for a claim that has just been released, again and again
            raise FitbenchError(f"{path}: a link to a file that does not exist") from None
        return None
    except Unreadable as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise FitbenchError(f"{path}: {error}") from error


def age(path: Path, beat: Beat) -> float | None:
    """Seconds since the heartbeat by the clock of the file system; None if nothing can be written there.

    A file that is made now has the time now. The age says little where the heartbeat was written on a file system that
    takes times from its clients, and after the file server or the other process stood still.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent, prefix=".clock.new.") as file:
            return (os.fstat(file.fileno()).st_mtime_ns - beat.modified) / 1e9
    except OSError:
        return None


@dataclass
class _Watch:
    beat: Beat
    silent: float
    looked: float


_watches: dict[Path, _Watch] = {}


def watch(path: Path, beat: Beat) -> float:
    """Look once more; gives the seconds for which this process has seen no change of the heartbeat.

    A gap between two looks counts for `LONGEST_GAP_SECONDS` at most: this process may have been stopped in it, and so
    may the file server.
    """
    now = time.monotonic()
    watched = _watches.get(path)
    if watched is None or watched.beat != beat:
        watched = _watches[path] = _Watch(beat, 0.0, now)
    watched.silent += min(now - watched.looked, LONGEST_GAP_SECONDS)
    watched.looked = now
    return watched.silent


def forget(path: Path) -> None:
    """End the watch of a file."""
    _watches.pop(path, None)
