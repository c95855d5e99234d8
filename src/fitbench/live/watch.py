"""The runs below some paths: which there are, and which of them have changed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fitbench.analysis.filters import select
from fitbench.analysis.frame import frame_of, without_folder
from fitbench.analysis.studies import Which
from fitbench.errors import RequestError
from fitbench.live.run import Run
from fitbench.record.folder import LeftOut, run_folders

Stat = tuple[int, int] | None  # inode, and time of modification in nanoseconds; None without a folder


class Watch:
    """Looks at all run folders with few system calls, and reads what has changed.

    Folders are listed again when one of those above the runs has changed.

    Attributes:
        runs: the runs of the request that can be read, by folder.
        gone: the revision in which a run was gone, or had become none of the request, by folder.
        every: all runs by folder, also those of other studies, and damaged ones.
        left_out: what cannot be read, and why.
        folders: the folders that are no runs: outputs folders and studies.
    """

    def __init__(self, which: Which) -> None:
        self.which = which
        self.paths = [os.fspath(path) for path in which.paths or ("outputs",)]
        self.runs: dict[str, Run] = {}
        self.gone: dict[str, int] = {}
        self.left_out: LeftOut = []
        self.folders: list[str] = []
        self.every: dict[str, Run] = {}
        self._unlisted: LeftOut = []
        self._glance: dict[str, Stat] = {}
        self._is_settled = False
        self._has_looked = False

    def scan(self, revision: int) -> bool:
        """Look at everything once, as this revision; gives whether runs have changed, come or gone."""
        removed = self._list_again() if self._may_have_moved() else []
        changed = [*removed, *(run for run in self.every.values() if run.look(revision))]
        self._has_looked = True
        if not changed:
            return False
        problems = [
            (run.folder, without_folder(problem, run.folder))
            for run in self.every.values()
            if (problem := run.problem or run.curve_problem)
        ]
        self.left_out = sorted([*self._unlisted, *problems])
        wanted = self._chosen(changed)
        for run in changed:
            run.changed = revision
            if run.folder in wanted:
                self.runs[run.folder] = run
                self.gone.pop(run.folder, None)
            elif self.runs.pop(run.folder, None) is not None:
                self.gone[run.folder] = revision
        return True

    def _may_have_moved(self) -> bool:
        """Whether run folders may have come or gone since they were listed."""
        glance = {folder: _stat(folder) for folder in (*self.paths, *self.folders)}
        if glance != self._glance:
            self._glance, self._is_settled = glance, False
        elif self._is_settled:
            return False
        else:  # as in `Run.look`
            self._is_settled = True
        return True

    def _list_again(self) -> list[Run]:
        """List all run folders; gives the runs that have gone."""
        self._unlisted, self.folders = [], []
        found = set(run_folders(self.paths, self._unlisted, self.folders))
        removed = [self.every.pop(folder) for folder in [*self.every] if folder not in found]
        for run in removed:
            run.row = run.state = None
        for folder in sorted(found - self.every.keys()):
            self.every[folder] = Run(folder, followed=self._has_looked)
        return removed

    def _chosen(self, changed: Sequence[Run]) -> set[str]:
        """The folders of those runs that are of the request."""
        rows = [run.row for run in changed if run.row is not None and self.is_of_study(run.row["study"])]
        if self.which.where is None or not rows:
            return {row["folder"] for row in rows}
        try:
            return set(select(frame_of(rows, []), self.which.where)["folder"].tolist())
        except RequestError:  # no run has the column yet
            return set()

    def is_of_study(self, study: str) -> bool:
        """Whether runs of this study are of the request, as far as --study says."""
        named = self.which.study
        return named is None or study in (named, *map(str.strip, named.split(",")))


def _stat(folder: str) -> Stat:
    try:
        found = os.stat(folder)  # noqa: PTH116 - a Path costs more, and there may be many folders
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
