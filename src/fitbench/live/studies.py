"""How far studies are: how many of their runs or trials have ended, and how, and the time that is left."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fitbench.analysis.progress import EPOCHS
from fitbench.analysis.search_record import FILE as SEARCH
from fitbench.analysis.search_record import Record, read_search
from fitbench.errors import FitbenchError
from fitbench.live.budget import Budget
from fitbench.live.run import Run, Stat, stat
from fitbench.record.folder import State
from fitbench.record.remaining import epoch_seconds, seconds_left, shared_by
from fitbench.record.schemas import Sweep
from fitbench.record.sweeps import FILE as SWEEP
from fitbench.record.sweeps import read_sweep

Summary = dict[str, Any]

COUNTED = ("finished", "failed", "pruned", "interrupted", "running")


class StudyFolder:
    """What lies in a study's folder beside runs: search.json and sweep.json, read again when they have changed.

    Attributes:
        folder: of the study.
        search, sweep: what the files hold; None without them, or where they cannot be read.
        problem: why one cannot be read.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.search: Record | None = None
        self.sweep: Sweep | None = None
        self.problem: str | None = None
        self._read: tuple[Stat, ...] = (None, None)
        self._budget = Budget()  # a search of 10,000 trials has a large record, which changes with each trial

    def look(self) -> bool:
        """Read the files if they have changed; gives whether they have."""
        found = stat(f"{self.folder}/{SEARCH}"), stat(f"{self.folder}/{SWEEP}")
        if found == self._read or not self._budget.is_ready:
            return False
        self._read, self.problem, self.search, self.sweep = found, None, None, None
        try:
            with self._budget.spent():
                self.search, self.sweep = read_search(Path(self.folder)), read_sweep(Path(self.folder))
        except FitbenchError as error:
            self.problem = str(error)
        return True


def summary(name: str, runs: Sequence[Run], folders: Iterable[StudyFolder]) -> Summary:
    """A study as /changes has it, see `changes`, without the revision of its report.

    Args:
        name: of the study.
        runs: all its runs.
        folders: those of the study. There are several where several outputs folders have a study of this name.
    """
    folders = list(folders)
    trials = [trial for each in folders if each.search is not None for trial in each.search["trials"]]
    totals: list[Any] = [each.search.get("total") for each in folders if each.search is not None]
    of_sweep = {f"{each.folder}{os.sep}{run_id}" for each in folders if each.sweep for run_id in each.sweep.run_ids}
    about: Summary = {"name": name, "kind": "runs", "total": None}
    counted: Sequence[Run] = runs
    if totals:
        about |= {"kind": "search", "total": None if None in totals else sum(totals)}
    elif of_sweep:
        about |= {"kind": "sweep", "total": len(of_sweep)}
        counted = [run for run in runs if run.folder in of_sweep]
    states = Counter(run.state.value for run in counted if run.state is not None)
    if totals:  # of a search, trials end, and runs are at work
        ended = Counter(trial["state"] for trial in trials)
        states = Counter(
            {state: (states if state in ("running", "interrupted") else ended)[state] for state in COUNTED}
        )
    about |= {state: states[state] for state in COUNTED}
    about["left"] = _left(about, counted, _trial_seconds(trials) if totals else _run_seconds(counted))
    about["newest"] = max((run.updated for run in runs), default=0.0)
    return about


def _left(about: Mapping[str, Any], runs: Sequence[Run], typical: float | None) -> float | None:
    """The seconds until a study is done, if those that work on it go on: counted from its latest change.

    Args:
        about: its summary.
        runs: that count.
        typical: seconds of one run or trial; None: unknown.
    """
    running = [run for run in runs if run.is_running]
    begun = [left if (left := run_left(run)) is not None else typical for run in running]
    ended = sum(about[state] for state in ("finished", "failed", "pruned"))
    waiting = max((about["total"] or 0) - ended - len(running), 0)
    seconds = [*begun, *[typical] * waiting]
    if not running or None in seconds:
        return None
    known = [each for each in seconds if each is not None]
    return round(shared_by(len(running), sum(known), max(known)), 1)


def run_left(run: Run) -> float | None:
    """The seconds that a run needs still for its epochs, counted from its latest change; None if that is unknown."""
    return seconds_left(run.history.epochs, planned_epochs(run)) if run.is_running else None


def planned_epochs(run: Run) -> int | None:
    """The epochs that a run has unless something ends it sooner; None: its configuration does not say."""
    epochs = run.row and run.row.get(EPOCHS)
    return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else None


def _run_seconds(runs: Sequence[Run]) -> float | None:
    """What a run took, the median of those that have finished; before one has, what those at work will take."""
    finished = [run.row["timing.seconds"] for run in runs if run.row is not None and run.state is State.finished]
    if not finished:
        planned = [(epoch_seconds(run.history.epochs), planned_epochs(run)) for run in runs if run.is_running]
        finished = [seconds * epochs for seconds, epochs in planned if seconds is not None and epochs is not None]
    return median(finished) if finished else None


def _trial_seconds(trials: Sequence[Mapping[str, Any]]) -> float | None:
    """What a trial took that has ended, the median."""
    times = [
        max(trial["ended"] - trial["began"], 0.0)
        for trial in trials
        if trial["ended"] is not None and trial["began"] is not None
    ]
    return median(times) if times else None
