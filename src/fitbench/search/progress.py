"""The progress of a search in the terminal, read from its storage, whichever process works on it."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Any

from fitbench.record.history import read_history
from fitbench.search.record import write_record
from fitbench.search.storage import StorageLost
from fitbench.search.study import Study
from fitbench.search.summary import choices, outcome
from fitbench.text import duration

POLL_SECONDS = 0.5


class Progress:
    """Prints a line for each trial that ends in its block, in a terminal also a live line below.

    It also keeps search.json up to date.
    """

    def __init__(self, study: Study, visible: bool) -> None:
        self.study = study
        self.visible = visible
        self.live = visible and sys.stderr.isatty()
        self.stop = threading.Event()
        self.printed: set[int] = set()

    def __enter__(self) -> Progress:
        self.began = time.time()
        self.record = write_record(self.study)
        self.before = {trial["number"] for trial in self.record["trials"] if trial["ended"]}
        self.printed |= self.before
        self.thread = threading.Thread(target=self._watch, name="fitbench-search", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.stop.wait(POLL_SECONDS):
            self._update()
        self._update()
        if self.live:
            _write("\r\x1b[K")

    def _update(self) -> None:
        try:
            ended = {trial.number for trial in self.study.trials() if trial.state.is_finished()}
            if ended - self.printed:
                self.record = write_record(self.study)
        except (StorageLost, OSError):  # the process that works on a trial prints it
            return
        for number in sorted(ended - self.printed):
            self.printed.add(number)
            self._print(self.record["trials"][number])
        if self.live:
            _write(f"\r\x1b[K{self.line(shutil.get_terminal_size((80, 24)).columns)}")

    def _print(self, trial: dict[str, Any]) -> None:
        if self.visible:
            erase = "\r\x1b[K" if self.live else ""
            count = f"[{len(self.printed)}/{self.study.wanted()}]"
            chosen = choices(trial, self.record["space"])
            _write(f"{erase}{count} trial {trial['number']}  {outcome(trial, self.record)}  {chosen}\n")

    def line(self, width: int) -> str:
        """Ended trials of all, the best, pruned and failed ones, the time left and the epoch, as far as they fit."""
        trials = self.record["trials"]
        wanted = self.study.wanted()
        parts = [f"{len(self.printed)}/{wanted} trials"]
        first = self.study.objectives[0]
        ended = [trial for trial in trials if trial["state"] == "finished"]
        if ended:
            best = first.best([trial["values"][0] for trial in ended])
            number = next(trial["number"] for trial in ended if trial["values"][0] == best)
            parts.append(f"best {first.name} {first.text(best)} (trial {number})")
        for state in ("pruned", "failed"):
            if count := sum(trial["state"] == state for trial in trials):
                parts.append(f"{count} {state}")
        ended_here = len(self.printed) - len(self.before)
        if ended_here:
            remaining = (time.time() - self.began) / ended_here * max(wanted - len(self.printed), 0)
            parts.append(f"{duration(remaining)} left")
        parts.append(self._epoch())
        while len(parts) > 1 and len("  ".join(filter(None, parts))) >= width:
            del parts[-1]
        return "  ".join(filter(None, parts))[: width - 1]

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


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
