"""The progress of a search in the terminal, read from its storage, whichever process works on it."""

from __future__ import annotations

from typing import Self

from fitbench.analysis.search_record import objective_text
from fitbench.launch.display import Display
from fitbench.record.history import read_history
from fitbench.tuning.record import write_record
from fitbench.tuning.storage import StorageLost
from fitbench.tuning.study import Study
from fitbench.tuning.summary import choices, outcome


class SearchProgress(Display):
    """Shows trials that end, and in a terminal the best one and the remaining time. Keeps search.json up to date."""

    def __init__(self, study: Study, visible: bool) -> None:
        super().__init__(visible)
        self.study = study
        self.printed: set[int] = set()
        self.begun: set[int] = set()  # trials whose runs search.json names

    def __enter__(self) -> Self:
        self.record = write_record(self.study)
        self.begun = {trial["number"] for trial in self.record["trials"] if trial["run_ids"]}
        self.printed |= {trial["number"] for trial in self.record["trials"] if trial["ended"]}
        return super().__enter__()

    def ended(self) -> list[str]:
        """Return a line for each trial that has ended since the last call."""
        try:
            trials = self.study.trials()
            ended = {trial.number for trial in trials if trial.state.is_finished()}
            begun = {trial.number for trial in trials if trial.user_attrs.get("run_ids")}
            if ended - self.printed or begun - self.begun:
                self.begun = begun
                self.record = write_record(self.study)
        except (StorageLost, OSError):  # the process that works on a trial reports it
            return []
        return [self._line(number) for number in sorted(ended - self.printed)]

    def _line(self, number: int) -> str:
        self.printed.add(number)
        trial = self.record["trials"][number]
        chosen = choices(trial, self.record["space"])
        return f"[{self._count()}] trial {number}  {outcome(trial, self.record)}  {chosen}"

    def counts(self) -> tuple[int, int]:
        """Return how many trials have ended, and how many the search has in the end."""
        return len(self.printed), self.study.wanted()

    def _count(self) -> str:
        return "{}/{}".format(*self.counts())

    def parts(self, width: int) -> list[str]:
        """Return the number of ended trials, the best, the numbers of pruned and failed ones, the time, the epoch."""
        trials = self.record["trials"]
        parts = [f"{self._count()} trials"]
        if self.record["best"]:
            best, first = trials[self.record["best"][0]], self.record["objectives"][0]
            value = objective_text(first, best["values"][0])
            parts.append(f"best {first['name']} {value} (trial {best['number']})")
        for state in ("pruned", "failed"):
            if count := sum(trial["state"] == state for trial in trials):
                parts.append(f"{count} {state}")
        return [*parts, self.time_left(), self._epoch()]

    def _epoch(self) -> str:
        """The epoch of the first running trial."""
        for trial in self.study.trials():
            names = trial.user_attrs.get("run_ids", [])
            if not trial.state.is_finished() and names:
                open_runs = [self.study.folder / name for name in names]
                folder = next((run for run in open_runs if not (run / "result.json").exists()), open_runs[-1])
                history = read_history(folder)
                return f"trial {trial.number}: " + (f"epoch {history[-1]['epoch']}" if history else "starting")
        return ""
