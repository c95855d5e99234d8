"""One run folder that is watched: its state, what its files say, and its epochs."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from fitbench.analysis.rows import Row, read_row
from fitbench.errors import FitbenchError
from fitbench.live.history import History
from fitbench.record.claims import watched
from fitbench.record.folder import State, state_of
from fitbench.record.newest import last_change
from fitbench.record.notes import FILE as NOTES

Stat = tuple[int, int, int] | None  # inode, size, and time of modification in nanoseconds; None without a file

UNFINISHED = ("config.yaml", "dataset.json")
READ = {  # what a row is read from, besides notes.json
    State.finished: ("result.json",),
    State.failed: (*UNFINISHED, "error.txt"),
    State.pruned: (*UNFINISHED, "pruned.json"),
    State.running: UNFINISHED,
    State.interrupted: UNFINISHED,
}
STATE_LAST = (State.finished, State.pruned)  # these state what their last epoch was


class Run:
    """A run, looked at again and again. What has ended costs two stats of files in each look.

    Attributes:
        folder: of the run.
        parent: the folder above it.
        row: what its files say, as `rows.read_row` gives it; None if they cannot be read, or have gone.
        state: of the run; None without a row.
        problem: why its files cannot be read.
        curve_problem: why its epochs cannot be read.
        history: its epochs; none of a run that had finished, or been pruned, before it was followed.
        updated: when the run changed last, in seconds since 1970.
        read_in: the revision in which `row` was read.
        label: what tells it from the others of its study, see `labels`.
        changed: the revision in which it, or its label, has changed last.
    """

    def __init__(self, folder: str, followed: bool) -> None:
        """Watch a folder. `followed`: whether the epochs of a run that has ended already are read, too."""
        self.folder = folder
        self.parent = str(Path(folder).parent)
        self.row: Row | None = None
        self.state: State | None = None
        self.problem: str | None = None
        self.curve_problem: str | None = None
        self.history = History(Path(folder))
        self.updated = 0.0
        self.read_in = 0
        self.label = ""
        self.changed = 0
        self._read: tuple[object, ...] = ()  # the state and the files that the row was read from
        self._glance: tuple[Stat, ...] | None = None
        self._is_settled = False
        self._is_followed = followed

    def look(self, revision: int) -> bool:
        """Look at the files; gives whether anything has changed. Damaged files are a `problem`."""
        glance = self._glanced()
        if glance is None or glance != self._glance:
            self._glance, self._is_settled = glance, False
        elif self._is_settled:
            return False
        else:  # the clock of the file system may have stood still between the last look and a change
            self._is_settled = True
        before = self.problem
        try:
            changed = self._read_files(revision)
        except FitbenchError as error:
            self.problem, self.row, self.state, self._read = str(error), None, None, ()
            return self.problem != before
        self.problem = None
        return changed or before is not None

    @property
    def is_running(self) -> bool:
        """Whether a process works on the run."""
        return self.state is State.running

    def _glanced(self) -> tuple[Stat, ...] | None:
        """What stays the same as long as nothing happens; None for a run that is being trained.

        Files appear in the folder, and vanish from it, with every change of the state. Of a run that has finished, only
        the notes of people change.
        """
        if self.is_running:
            return None
        result = stat(f"{self.folder}/result.json")
        is_finished = self.state is State.finished and result is not None
        return result, stat(f"{self.folder}/{NOTES}" if is_finished else self.folder)

    def _read_files(self, revision: int) -> bool:
        path = Path(self.folder)
        was_still = self.state is not None and not self.is_running
        state = state_of(path, watched)
        read = (state, *(stat(f"{self.folder}/{name}") for name in (*READ[state], NOTES)))
        changed = read != self._read
        if changed:
            self.row = read_row(self.folder, watched)
            self.state = None if self.row is None else State(self.row["state"])
            self._read, self.read_in = read, revision
        self._is_followed |= self.state is not None and self.state not in STATE_LAST
        if self._is_followed:
            changed = self._read_history(revision) or changed
        if changed and was_still and self.history.epochs:  # pages that were opened meanwhile do not have them
            self.history.send_again(revision)
        if changed:
            self.updated = self._updated()
        return changed

    def _read_history(self, revision: int) -> bool:
        """Read new epochs; gives whether they have changed. If that fails, the curve alone is left out."""
        before = self.curve_problem
        try:
            changed, self.curve_problem = self.history.read(revision), None
        except FitbenchError as error:
            changed, self.curve_problem = False, str(error)
        return changed or self.curve_problem != before

    def _updated(self) -> float:
        if self.row is None:
            return 0.0
        if self.state is State.finished:
            return float(self.row["finished_at"].replace(tzinfo=UTC).timestamp())
        if self.is_running:
            return self.history.modified or last_change(self.folder)
        return last_change(self.folder)


def stat(path: str) -> Stat:
    """What changes with a file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path costs more, and there may be 10,000 folders
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
