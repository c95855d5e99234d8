"""The summary of a sweep: how many of its runs have finished, failed, or are still to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.record.failure import error_line
from fitbench.record.folder import State, state_of
from fitbench.text import first_of

NAMED = 3  # studies of a sweep


@dataclass(frozen=True)
class SweepSummary:
    """The states of a sweep's runs when the sweep ends. As a string, it is the text that `fitbench train -m` prints.

    Attributes:
        counts: the number of runs in each state.
        failures: the error of each failed run, by its folder.
        total: the number of runs.
        studies: the folders of the runs' folders, in a text: a few, and how many more there are.
    """

    counts: dict[str, int]
    failures: dict[Path, str]
    total: int
    studies: str

    @property
    def unfinished(self) -> int:
        """The number of runs that have neither finished nor failed."""
        return self.total - sum(self.counts[state] for state in ("finished", "skipped, finished before", "failed"))

    def __str__(self) -> str:
        lines = [f"{count:6,} {state}" for state, count in self.counts.items() if count or state == "finished"]
        lines += [f"failed: {folder}: {error}" for folder, error in self.failures.items()]
        return "\n".join([*lines, f"{self.total:6,} in all; results in {self.studies}"])


def studies_of(folders: Iterable[Path]) -> str:
    """The studies that these run folders are in, in a text: the first ones, and how many more there are."""
    return first_of(dict.fromkeys(folder.parent for folder in folders), NAMED)


def summarize(folders: Sequence[Path], skipped: set[Path], errors: Mapping[Path, str]) -> SweepSummary:
    """Read the states of the runs from their folders.

    Args:
        folders: the run folders of the sweep.
        skipped: those that were finished before the sweep began. They may have been moved or trained again since.
        errors: errors that the sweep has seen. For other failed runs, the error is read from the folder.
    """
    states, failures = {}, dict(errors)
    for folder in folders:
        try:
            states[folder] = state_of(folder)
        except FitbenchError as error:
            failures.setdefault(folder, str(error))
        else:
            if states[folder] is State.failed and folder not in failures:
                failures[folder] = error_line(folder) or "error.txt has gone"
    others = [folder for folder in folders if folder not in failures]
    counts = {
        "finished": sum(states[folder] is State.finished and folder not in skipped for folder in others),
        "skipped, finished before": sum(states[folder] is State.finished and folder in skipped for folder in others),
        "failed": len(failures),
        "running elsewhere": sum(states[folder] is State.running for folder in others),
        "pruned by a search": sum(states[folder] is State.pruned for folder in others),
        "interrupted": sum(states[folder] is State.interrupted and folder.exists() for folder in others),
        "not begun": sum(not folder.exists() for folder in others),
    }
    return SweepSummary(counts, failures, len(folders), studies_of(folders))
