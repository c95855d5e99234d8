"""A search in the terminal while it goes on, read from its storage, whoever works on it."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Any

from fitbench.analysis.search_record import metric_text
from fitbench.record.history import read_history
from fitbench.search.record import write_record
from fitbench.search.settings import objectives
from fitbench.search.study import StorageLost, Study
from fitbench.search.summary import choices, outcome
from fitbench.text import duration

POLL_SECONDS = 0.5


class Progress:
    """Shows a search for as long as its block lasts: a line for each trial that ends, in a terminal a live one below.

    It also keeps search.json up to date.
    """

    def __init__(self, study: Study, shown: bool) -> None:
        self.study = study
        self.shown = shown
        self.live = shown and sys.stderr.isatty()
        self.stop = threading.Event()
        self.said: set[int] = set()

    def __enter__(self) -> Progress:
        self.began = time.time()
        self.record = write_record(self.study)
        self.before = {trial["number"] for trial in self.record["trials"] if trial["ended"]}
        self.said |= self.before
        self.thread = threading.Thread(target=self._watch, name="fitbench-search", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.stop.wait(POLL_SECONDS):
            self._look()
        self._look()
        if self.live:
            _write("\r\x1b[K")

    def _look(self) -> None:
        try:
            ended = {trial.number for trial in self.study.trials() if trial.state.is_finished()}
            if ended - self.said:
                self.record = write_record(self.study)
        except (StorageLost, OSError):  # whoever works on a trial says so
            return
        for number in sorted(ended - self.said):
            self.said.add(number)
            self._say(self.record["trials"][number])
        if self.live:
            _write(f"\r\x1b[K{self.line(shutil.get_terminal_size((80, 24)).columns)}")

    def _say(self, trial: dict[str, Any]) -> None:
        if self.shown:
            erase = "\r\x1b[K" if self.live else ""
            done = f"[{len(self.said)}/{self.study.wanted()}]"
            chosen = choices(trial, self.record["space"])
            _write(f"{erase}{done} trial {trial['number']}  {outcome(trial, self.record)}  {chosen}\n")

    def line(self, width: int) -> str:
        """Trials of total, the current epoch, the best so far, pruned and failed ones, the time left, as it fits."""
        trials = self.record["trials"]
        wanted = self.study.wanted()
        parts = [f"{len(self.said)}/{wanted} trials"]
        first = objectives(self.study.settings)[0]
        ended = [trial for trial in trials if trial["state"] == "finished"]
        if ended:
            best = first.best([trial["values"][0] for trial in ended])
            number = next(trial["number"] for trial in ended if trial["values"][0] == best)
            parts.append(f"best {first.name} {metric_text(first.name, best)} (trial {number})")
        for state in ("pruned", "failed"):
            if count := sum(trial["state"] == state for trial in trials):
                parts.append(f"{count} {state}")
        now = len(self.said) - len(self.before)
        if now:
            left = (time.time() - self.began) / now * max(wanted - len(self.said), 0)
            parts.append(f"{duration(left)} left")
        parts.append(self._at())
        while len(parts) > 1 and len("  ".join(filter(None, parts))) >= width:
            del parts[-1]
        return "  ".join(filter(None, parts))[: width - 1]

    def _at(self) -> str:
        """Where the first of the running trials is."""
        for trial in self.study.trials():
            names = trial.user_attrs.get("run_ids", [])
            if not trial.state.is_finished() and names:
                open_runs = [self.study.folder / name for name in names]
                folder = next((one for one in open_runs if not (one / "result.json").exists()), open_runs[-1])
                history = read_history(folder)
                return f"trial {trial.number}: " + (f"epoch {history[-1]['epoch']}" if history else "starting")
        return ""


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
