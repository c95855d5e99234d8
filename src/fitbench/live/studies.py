"""How far studies are: how many of their runs and trials have ended, and how, and the time that is left."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fitbench.analysis.progress import EPOCHS
from fitbench.analysis.search_record import FILE as SEARCH
from fitbench.analysis.search_record import (
    Record,
    objective_quantity,
    objective_text,
    parted,
    read_search,
    short_names,
)
from fitbench.analysis.series import axis_label
from fitbench.analysis.telling import text
from fitbench.errors import FitbenchError
from fitbench.live.budget import Budget
from fitbench.live.run import Run, Stat, stat
from fitbench.record.folder import State
from fitbench.record.remaining import epoch_seconds, seconds_left, shared_by
from fitbench.record.schemas import Sweep
from fitbench.record.sweeps import FILE as SWEEP
from fitbench.record.sweeps import read_sweep
from fitbench.text import counted, encodable, shortened

Summary = dict[str, Any]

LONGEST = 300  # characters of what is said of the best trial

ENDED = ("finished", "failed", "pruned")
COUNTED = (*ENDED, "interrupted", "running")


class StudyFolder:
    """What lies in a study's folder beside runs: search.json and sweep.json, read again when they have changed.

    Attributes:
        folder: of the study.
        search, sweep: what the files hold; None without them, or where they cannot be read.
        of_trials: the folders of the runs of all trials.
        best: what is said of the best trial of the search, see `best_text`.
        problem: why one cannot be read.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.search: Record | None = None
        self.sweep: Sweep | None = None
        self.of_trials: set[str] = set()
        self.best: str | None = None
        self.problem: str | None = None
        self._read: tuple[Stat, ...] = (None, None)
        self._budget = Budget()  # a search of 10,000 trials has a large record, which changes with each trial

    def look(self) -> bool:
        """Read the files if they have changed; gives whether they have."""
        found = stat(f"{self.folder}/{SEARCH}"), stat(f"{self.folder}/{SWEEP}")
        if found == self._read or not self._budget.is_ready:
            return False
        is_first = self._read == (None, None)
        self._read, self.problem, self.search, self.sweep = found, None, None, None
        try:
            with self._budget.spent():
                self.search, self.sweep = read_search(Path(self.folder)), read_sweep(Path(self.folder))
        except FitbenchError as error:
            self.problem = str(error)
        trials = self.search["trials"] if self.search is not None else ()
        self.of_trials = {folder for trial in trials for folder in self.runs_of(trial)}
        self.best = best_text(self.search) if self.search is not None else None
        if is_first:  # the schemas were built, which takes long once
            self._budget = Budget()
        return True

    @property
    def began(self) -> float:
        """When the newest sweep was launched, in seconds since 1970; 0 without one."""
        return self.sweep.began if self.sweep is not None else 0.0

    @property
    def searched(self) -> set[str]:
        """The keys that the search varies."""
        return {parted(name)[0].replace("/", ".") for name in (self.search or {"space": ()})["space"]}

    def runs_of(self, trial: Mapping[str, Any]) -> list[str]:
        """The folders of the runs of a trial."""
        return [f"{self.folder}{os.sep}{run_id}" for run_id in trial["run_ids"]]


@dataclass(frozen=True)
class Part:
    """What is counted together: the trials of a search, or runs.

    Attributes:
        states: how many there are in each state.
        waiting: how many have not begun.
        left: for each that runs, and for each that is going to begin when one of these has ended, the seconds that it
            takes still; None: unknown.
        shares: for each that runs, the part of it that is done, from 0 to 1.
    """

    states: Counter[str]
    waiting: int
    left: Sequence[float | None]
    shares: Sequence[float]

    def counts(self) -> Summary:
        """What /changes tells of it."""
        total = self.states.total() + self.waiting
        return {"total": total, **{state: self.states[state] for state in COUNTED}, "waiting": self.waiting}

    @property
    def is_done(self) -> bool:
        """Whether all has ended."""
        return not self.waiting and not self.states["running"] and not self.states["interrupted"]

    @property
    def seconds(self) -> float | None:
        """The seconds until all is done, if those that run go on; None if that is unknown, or nothing runs."""
        known = [each for each in self.left if each is not None]
        if not self.shares or len(known) < len(self.left):
            return None
        return round(shared_by(len(self.shares), sum(known), max(known)), 1)


def summary(name: str, runs: Sequence[Run], folders: Sequence[StudyFolder], begun: Collection[str]) -> Summary:
    """A study as /changes has it, see `changes`, without the revision of its report.

    Args:
        name: of the study.
        runs: all its runs.
        folders: those of the study. There are several where several outputs folders have a study of this name.
        begun: all run folders that exist, also those that cannot be read.
    """
    searches = [each for each in folders if each.search is not None]
    of_trials = {folder for each in searches for folder in each.of_trials}
    beside = _runs_part([run for run in runs if run.folder not in of_trials], folders, begun)
    of_search = _trials_part(searches, {run.folder: run for run in runs if run.folder in of_trials})
    parts = [of_search, beside] if searches else [beside]
    running = [part for part in parts if part.shares]
    seconds = [part.seconds for part in running]
    shares = parts[0].shares
    return {
        "name": name,
        "kind": "search" if searches else "runs",
        **parts[0].counts(),
        "beside": beside.counts() if searches and (beside.states or beside.waiting) else None,
        "runs": len(runs),
        "active": sum(run.is_running for run in runs),
        "reached": round(sum(shares) / len(shares), 3) if shares else 0.0,
        "done": all(part.is_done for part in parts),
        "left": None if None in seconds else max((each for each in seconds if each is not None), default=None),
        "best": searches[0].best if len(searches) == 1 else None,
        "newest": max((run.updated for run in runs), default=max((each.began for each in folders), default=0.0)),
    }


def _runs_part(runs: Sequence[Run], folders: Sequence[StudyFolder], begun: Collection[str]) -> Part:
    """Runs, and those of a sweep that have no folder yet."""
    of_sweep = {f"{each.folder}{os.sep}{run_id}" for each in folders if each.sweep for run_id in each.sweep.run_ids}
    waiting = len(of_sweep.difference(begun))
    again = sum(run.state is State.interrupted and run.folder in of_sweep for run in runs)
    typical = _run_seconds(runs)
    running = [run for run in runs if run.is_running]
    return Part(
        Counter(run.state.value for run in runs if run.state is not None),
        waiting,
        [*(_left_or(run, typical) for run in running), *[typical] * (waiting + again)],
        [_share(run) for run in running],
    )


def _trials_part(searches: Sequence[StudyFolder], runs: Mapping[str, Run]) -> Part:
    """The trials of searches, and those that they have not begun.

    Args:
        searches: the folders that have a search.
        runs: of the trials, by folder.
    """
    states: Counter[str] = Counter()
    waiting, left, shares = 0, [], []
    typical_run = _run_seconds([*runs.values()])
    for each in searches:
        search = each.search or {}
        trials, size = search["trials"], runs_of_a_trial(search)
        typical = _trial_seconds(trials) or (typical_run and size * typical_run)
        begun = []
        for trial in trials:
            own = [runs[folder] for folder in each.runs_of(trial) if folder in runs]
            begun.append(_state(trial, own))
            if begun[-1] == "running":
                missing = size - sum(not run.is_running and run.state is not State.interrupted for run in own)
                working = [run for run in own if run.is_running]
                lasting = [*(_left_or(run, typical_run) for run in working), *[typical_run] * (missing - len(working))]
                left.append(None if None in lasting else sum(filter(None, lasting)))
                shares.append((size - missing + sum(map(_share, working))) / size)
        states.update(begun)
        to_begin = max((search.get("total") or 0) - len(trials), 0)
        left += [typical] * (to_begin + begun.count("interrupted"))
        waiting += to_begin
    return Part(states, waiting, left, shares)


def _state(trial: Mapping[str, Any], runs: Sequence[Run]) -> str:
    """The state of a trial now: its record is older than its runs."""
    states = {run.state for run in runs}
    if trial["state"] in ENDED:
        return str(trial["state"])
    if State.running in states:
        return "running"
    return "interrupted" if State.interrupted in states else str(trial["state"])


def best_text(search: Record) -> str | None:
    """The best trial of a search, or how many are on its Pareto front; None if no trial has finished."""
    if not search["best"]:
        return None
    objectives = search["objectives"]
    if len(objectives) > 1:
        labels = " and ".join(axis_label(objective_quantity(each)) for each in objectives)
        return encodable(f"{counted(len(search['best']), 'trial')} on the Pareto front of {labels}")
    trial, size = search["trials"][search["best"][0]], runs_of_a_trial(search)
    value = f"{axis_label(objective_quantity(objectives[0]))} {objective_text(objectives[0], trial['values'][0])}"
    mean = f" (mean of {size} runs)" if size > 1 else ""
    names = short_names([*search["space"]])
    params = ", ".join(f"{names[key]} {_short(each)}" for key, each in trial["params"].items())
    return shortened(encodable(f"{value}{mean}, trial {trial['number']}: {params}"), LONGEST)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else text(value)


def runs_of_a_trial(search: Record) -> int:
    """How many runs each trial of a search has: one for each seed and fold."""
    return (search.get("seeds") or 1) * (search.get("folds") or 1)


def run_left(run: Run) -> float | None:
    """The seconds that a run needs still for its epochs, counted from its latest change; None if that is unknown."""
    return seconds_left(run.history.epochs, planned_epochs(run)) if run.is_running else None


def _left_or(run: Run, typical: float | None) -> float | None:
    left = run_left(run)
    return typical if left is None else left


def _share(run: Run) -> float:
    """The part of a run's epochs that have ended; 0 if it is not known how many it has."""
    reached = run.history.epochs[-1]["epoch"] if run.history.epochs else 0
    return min(reached / (planned_epochs(run) or math.inf), 1.0)


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
