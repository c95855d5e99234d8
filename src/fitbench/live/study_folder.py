"""What lies in a study's folder beside its runs: the search's record, and the sweeps that are at work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from fitbench.live.run import Stat, stat
from fitbench.record.processes import exists
from fitbench.record.schemas import Sweep
from fitbench.record.sweeps import FILE as SWEEP
from fitbench.record.sweeps import read_sweep
from fitbench.text import counted, encodable, shortened

LONGEST = 300  # characters of what is said of the best trial


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
        was_killed = self.sweep is not None and any(exists(launch) is False for launch in self.sweep.launches)
        if (found == self._read and not was_killed) or not self._budget.is_ready:
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
