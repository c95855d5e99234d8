"""The progress of a sweep in the terminal. It is read from the run folders, whichever process trains the runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.launch.display import Display
from fitbench.metrics import join
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result


class SweepProgress(Display):
    """Shows the runs of a sweep that end, and in a terminal the current epoch, the best value and the remaining time.

    Args:
        pending: the folders of the runs to train. Where they are of several studies, the lines have the whole paths,
            because runs of several studies may have the same name.
        total: the number of all runs of the sweep.
        finished: the folders of the runs that were finished before.
        visible: whether to show the progress.
        primary: the metric that is shown of runs that are being trained.
    """

    def __init__(self, pending: Sequence[Path], total: int, finished: set[Path], visible: bool, primary: str) -> None:
        super().__init__(visible)
        self.primary = primary
        self.total = total
        self.by_study: dict[Path, dict[str, Path]] = {}
        for folder in pending:
            self.by_study.setdefault(folder.parent, {})[folder.name] = folder
        self.several_studies = len(self.by_study) > 1
        self.results = [result for folder in finished if (result := _result(folder)) is not None]
        self.failed = 0

    @property
    def pending(self) -> int:
        """How many runs have not ended."""
        return sum(map(len, self.by_study.values()))

    def ended(self) -> list[str]:
        """Return a line for each run that has ended since the last call."""
        return [line for folder in self._begun() if (line := self._line_if_ended(folder)) is not None]

    def _begun(self) -> list[Path]:
        """Return the folders of runs that have begun. Listing the studies is faster than looking for each run."""
        begun = []
        for study, runs in self.by_study.items():
            names = set(os.listdir(study)) if study.exists() else set()  # noqa: PTH208 - paths of 10,000 runs are slow
            begun += [folder for name, folder in runs.items() if name in names]
        return begun

    def _line_if_ended(self, folder: Path) -> str | None:
        """Return a line about a run, and count it, if it has ended since the sweep began."""
        path = next((folder / name for name in ("result.json", "error.txt") if (folder / name).exists()), None)
        try:
            if path is None or path.stat().st_mtime < self.began:
                return None
        except FileNotFoundError:  # a new attempt has just removed error.txt
            return None
        del self.by_study[folder.parent][folder.name]
        result = _result(folder) if path.name == "result.json" else None
        if result is not None:
            self.results.append(result)
        self.failed += path.name == "error.txt"
        figures = _metrics(result["metrics"], result["primary"]) if result else "failed"
        return f"[{self._count()}] {self._name(folder)}  {figures}"

    def _name(self, folder: Path) -> str:
        return str(folder) if self.several_studies else folder.name

    def counts(self) -> tuple[int, int]:
        """Return how many runs have ended, and how many the sweep has."""
        return self.total - self.pending, self.total

    def _count(self) -> str:
        return "{}/{}".format(*self.counts())

    def parts(self, width: int) -> list[str]:
        """Return the number of ended runs, the remaining time, the best value, the number of failed runs, the epoch."""
        parts = [f"{self._count()} runs", self.time_left()]
        best = _best(self.results)
        if best is not None:
            parts.append(f"best val {best:.4f}")
        if self.failed:
            parts.append(f"{self.failed} failed")
        running = [folder for folder in self._begun() if state_of(folder) is State.running]
        if running:
            history = read_history(running[0])
            position = f"epoch {history[-1]['epoch']} {_metrics(history[-1], self.primary)}" if history else "starting"
            name = f"{self._name(running[0])}: " if width >= 120 else ""
            parts.append(f"{name}{position}" + (f", and {len(running) - 1} more at work" if running[1:] else ""))
        elif self.pending:
            parts.append("starting")
        return parts


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
