"""The progress of a sweep in the terminal. It is read from the run folders, whichever process trains the runs."""

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


class Progress:
    """Shows the progress of a sweep on stderr while its block lasts.

    Each run that ends gets a line. In a terminal there is also a live line.

    Args:
        pending: the folders of the runs to train.
        total: the number of all runs of the sweep.
        finished: the folders of the runs that were finished before.
        enabled: whether to show the progress.
        primary: the metric that is shown of runs that are being trained.
    """

    def __init__(self, pending: Sequence[Path], total: int, finished: set[Path], enabled: bool, primary: str) -> None:
        self.primary = primary
        self.total = total
        self.pending = list(pending)
        self.results = [result for folder in finished if (result := _result(folder)) is not None]
        self.done_before = total - len(pending)
        self.enabled = enabled
        self.live = enabled and sys.stderr.isatty()
        self.stop = threading.Event()

    def __enter__(self) -> Progress:
        self.began = time.time()
        if self.enabled:
            self.thread = threading.Thread(target=self._poll, name="fitbench-progress", daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            self.stop.set()
            self.thread.join()

    def _poll(self) -> None:
        while not self.stop.wait(POLL_SECONDS):
            self._update()
        self._update()
        if self.live:
            _write("\r\x1b[K")

    def _update(self) -> None:
        for folder in list(self.pending):
            self._write_if_ended(folder)
        if self.live:
            _write(f"\r\x1b[K{self.line(_width())}")

    def _write_if_ended(self, folder: Path) -> None:
        """Write a line about a run, and count it, if it has ended since the sweep began."""
        path = next((folder / name for name in ("result.json", "error.txt") if (folder / name).exists()), None)
        try:
            if path is None or path.stat().st_mtime < self.began:
                return
        except FileNotFoundError:  # a new attempt has just removed error.txt
            return
        self.pending.remove(folder)
        result = _result(folder) if path.name == "result.json" else None
        if result is not None:
            self.results.append(result)
        done = f"{self.total - len(self.pending)}/{self.total}"
        figures = _metrics(result["metrics"], result["primary"]) if result else "failed"
        _write(f"{_erase(self.live)}[{done}] {folder.name}  {figures}\n")

    def write_line(self, text: str) -> None:
        """Write a line, even if the progress is not shown."""
        _write(f"{_erase(self.live)}{text}\n")

    def line(self, width: int) -> str:
        """Return the live line for a terminal of `width` columns.

        It gives the ended runs, the current epoch, the best metric and the remaining time, as far as they fit.
        """
        done = self.total - len(self.pending)
        parts = [f"{done}/{self.total} runs"]
        running = [folder for folder in self.pending if state_of(folder) is State.running]
        if running:
            history = read_history(running[0])
            position = f"epoch {history[-1]['epoch']} {_metrics(history[-1], self.primary)}" if history else "starting"
            name = f"{running[0].name}: " if width >= 120 else ""
            parts.append(f"{name}{position}" + (f" +{len(running) - 1}" if running[1:] else ""))
        best = _best(self.results)
        if best is not None:
            parts.append(f"best val {best:.4f}")
        ended = done - self.done_before
        if ended:
            parts.append(f"{duration((time.time() - self.began) / ended * len(self.pending))} left")
        while len(parts) > 1 and len("  ".join(parts)) >= width:
            del parts[1]
        return "  ".join(parts)[: width - 1]


def _result(folder: Path) -> dict[str, Any] | None:
    try:
        return read_result(folder)
    except FitbenchError:  # the sweep reports it; here the run does not count
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
    labels = ((join("test", primary), "test"), ("loss", "loss"), (join("val", primary), "val"))
    return "  ".join(f"{label} {values[key]:.4f}" for key, label in labels if values.get(key) is not None)


def _erase(live: bool) -> str:
    return "\r\x1b[K" if live else ""


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
