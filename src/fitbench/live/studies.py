"""How far studies are: how many of their runs and trials have ended, and how, and the time that is left."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from fitbench.analysis.progress import EPOCHS
from fitbench.live.run import Run
from fitbench.live.study_folder import StudyFolder, runs_of_a_trial
from fitbench.record.folder import State
from fitbench.record.remaining import epoch_seconds, seconds_left, shared_by

Summary = dict[str, Any]

ENDED = ("finished", "failed", "pruned")
COUNTED = (*ENDED, "interrupted", "running")


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
