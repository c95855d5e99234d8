"""A sweep in the terminal, read from its run folders while it goes on, whoever works on them."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.metrics import join
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result
from fitbench.text import duration

POLL_SECONDS = 0.5


class Watch:
    """Shows a sweep for as long as its block lasts: a live line in a terminal, else a line for each run that ends.

    `left` are the folders of the runs that are to be trained, of `total`; `finished` those that are finished already.
    `primary` is the metric that is shown of runs that are being trained.
    """

    def __init__(self, left: Sequence[Path], total: int, finished: set[Path], shown: bool, primary: str) -> None:
        self.primary = primary
        self.total = total
        self.open = list(left)
        self.results = [result for folder in finished if (result := _result(folder)) is not None]
        self.done_before = total - len(left)
        self.shown = shown
        self.live = shown and sys.stderr.isatty()
        self.stop = threading.Event()

    def __enter__(self) -> Watch:
        self.began = time.time()
        if self.shown:
            self.thread = threading.Thread(target=self._watch, name="fitbench-watch", daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            self.stop.set()
            self.thread.join()

    def _watch(self) -> None:
        while not self.stop.wait(POLL_SECONDS):
            self._look()
        self._look()
        if self.live:
            _write("\r\x1b[K")

    def _look(self) -> None:
        for folder in list(self.open):
            self._count_if_ended(folder)
        if self.live:
            _write(f"\r\x1b[K{self.line(_width())}")

    def _count_if_ended(self, folder: Path) -> None:
        """Count and say a run that has ended since the sweep began."""
        path = next((folder / name for name in ("result.json", "error.txt") if (folder / name).exists()), None)
        try:
            if path is None or path.stat().st_mtime < self.began:
                return
        except FileNotFoundError:  # error.txt, by an attempt that has just begun
            return
        self.open.remove(folder)
        result = _result(folder) if path.name == "result.json" else None
        if result is not None:
            self.results.append(result)
        done = f"{self.total - len(self.open)}/{self.total}"
        figures = _metrics(result["metrics"], result["primary"]) if result else "failed"
        _write(f"{_erase(self.live)}[{done}] {folder.name}  {figures}\n")

    def say(self, text: str) -> None:
        """Write a line of its own, whether or not the sweep is shown."""
        _write(f"{_erase(self.live)}{text}\n")

    def line(self, width: int) -> str:
        """Done of total, the current run's epoch and metrics, the best so far, the time left, as far as it fits."""
        done = self.total - len(self.open)
        parts = [f"{done}/{self.total} runs"]
        running = [folder for folder in self.open if state_of(folder) is State.running]
        if running:
            history = read_history(running[0])
            at = f"epoch {history[-1]['epoch']} {_metrics(history[-1], self.primary)}" if history else "starting"
            name = f"{running[0].name}: " if width >= 120 else ""
            parts.append(f"{name}{at}" + (f" +{len(running) - 1}" if running[1:] else ""))
        best = _best(self.results)
        if best is not None:
            parts.append(f"best val {best:.4f}")
        ended = done - self.done_before
        if ended:
            parts.append(f"{duration((time.time() - self.began) / ended * len(self.open))} left")
        while len(parts) > 1 and len("  ".join(parts)) >= width:
            del parts[1]
        return "  ".join(parts)[: width - 1]


def _result(folder: Path) -> dict[str, Any] | None:
    try:
        return read_result(folder)
    except FitbenchError:  # it is said when the run is launched or shown; here it only does not count
        return None


def _best(results: Sequence[dict[str, Any]]) -> float | None:
    """The best validation value of the primary metric, where all results have the same."""
    if not results or len({result["primary"] for result in results}) > 1:
        return None
    primary = results[0]["primary"]
    values = [value for result in results if (value := result["metrics"].get(join("val", primary))) is not None]
    larger = results[0]["metric_info"].get(primary, {}).get("direction") == "max"
    return (max if larger else min)(values, default=None)


def _metrics(values: Mapping[str, Any], primary: str) -> str:
    named = ((join("test", primary), "test"), ("loss", "loss"), (join("val", primary), "val"))
    return "  ".join(f"{short} {values[key]:.4f}" for key, short in named if values.get(key) is not None)


def _erase(live: bool) -> str:
    return "\r\x1b[K" if live else ""


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
