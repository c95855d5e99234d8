"""The epochs of a run, read from history.jsonl as it grows."""

from __future__ import annotations

import bisect
import os
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import outputs_of
from fitbench.record.history import FILE, MOST_VALUES, parse_epoch
from fitbench.record.reading import check_names, numbers_of
from fitbench.untrusted import LARGEST_BYTES, Unreadable, guarded, naming, open_file


class History:
    """The epochs of a run in order. Each has the revision in which it was read, so that a page gets those it lacks.

    Lines are read once. The file is read from its beginning again if it was replaced, or if what was read of it last
    does not stand there any more.

    Attributes:
        epochs: as `reading.read_history` gives them.
        names: of the values in them, in the order in which they were met.
        rewritten: the revision in which epochs were last changed or lost that a page may have.
        modified: when the file was written, in seconds since 1970; None without a file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epochs: list[dict[str, Any]] = []
        self.names: dict[str, None] = {}
        self.rewritten = 0
        self.modified: float | None = None
        self._revisions: list[int] = []  # of the epochs, ascending
        self._stat: tuple[int, int, int] | None = None  # inode, size, and time of modification in nanoseconds
        self._problem: FitbenchError | None = None
        self._last = b""  # the last whole line that was read
        self._offset = 0  # behind it
        self._values = 0

    def read(self, revision: int) -> bool:
        """Read what is new; gives whether the epochs have changed.

        Raises:
            FitbenchError: history.jsonl cannot be read, or has too many values; the message names it.
        """
        try:
            with naming(self.folder / FILE), guarded():
                found = os.stat(self.folder / FILE)  # noqa: PTH116 - many runs are looked at
                before, self._stat = self._stat, (found.st_ino, found.st_size, found.st_mtime_ns)
                if self._stat == before:
                    if self._problem is not None:
                        raise self._problem
                    return False
                self.modified, self._problem = found.st_mtime, None
                return self._read_new(revision, replaced=before is None or before[0] != found.st_ino)
        except FileNotFoundError:
            changed = bool(self.epochs)
            self._forget()
            self.rewritten = revision if changed else self.rewritten
            self._stat = self.modified = self._problem = None
            return changed
        except FitbenchError as error:
            self._problem = error
            self.rewritten = revision if self.epochs else self.rewritten
            self._forget()
            raise

    def missing(self, since: int | None) -> int:
        """The position of the first epoch that a page lacks which knows all up to a revision; None: it knows none."""
        return 0 if since is None else bisect.bisect_right(self._revisions, since)

    def send_again(self, revision: int) -> None:
        """Count all epochs as read in this revision."""
        self.rewritten = revision
        self._revisions = [revision] * len(self.epochs)

    def _forget(self) -> None:
        self.epochs, self._revisions, self.names = [], [], {}
        self._last, self._offset, self._values = b"", 0, 0

    def _read_new(self, revision: int, replaced: bool) -> bool:
        with open_file(self.folder / FILE, outputs_of(self.folder)) as file:
            end = file.seek(0, os.SEEK_END)
            if end > LARGEST_BYTES:
                raise Unreadable(f"has {end:,} bytes; fitbench reads files of up to {LARGEST_BYTES:,} bytes here")
            file.seek(self._offset - len(self._last))
            before = 0 if replaced or end < self._offset or file.read(len(self._last)) != self._last else self._offset
            file.seek(before)
            new = file.read(LARGEST_BYTES)
        changed = again = bool(self.epochs) and not before
        if not before:
            self._forget()
        for line in new[: new.rfind(b"\n") + 1].splitlines(keepends=True):  # the rest is being written
            if (epoch := self._taken(line)) is not None:
                again |= self._put(epoch, revision)
                changed = True
        if again:
            self.send_again(revision)
        check_names(self.names, self.folder)
        return changed

    def _taken(self, line: bytes) -> dict[str, Any] | None:
        """Take a whole line; gives the epoch that it stands for."""
        self._last, self._offset = line, self._offset + len(line)
        self._values += sum(map(line.count, (b"\n", b"{", b"[", b",")))
        if self._values > MOST_VALUES:
            raise FitbenchError(f"{self.folder}/{FILE}: has more than {MOST_VALUES:,} values")
        epoch = parse_epoch(line)
        return None if epoch is None else numbers_of(epoch)

    def _put(self, epoch: dict[str, Any], revision: int) -> bool:
        """Put an epoch in its place; gives whether others stand behind it, or it takes the place of one."""
        self.names |= dict.fromkeys(epoch)
        place = bisect.bisect_left(self.epochs, epoch["epoch"], key=lambda each: each["epoch"])
        if place == len(self.epochs):
            self.epochs.append(epoch)
            self._revisions.append(revision)
            return False
        same = self.epochs[place]["epoch"] == epoch["epoch"]
        self.epochs[place : place + same] = [epoch]
        return True
