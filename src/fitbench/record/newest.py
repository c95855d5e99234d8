"""When runs changed last. What people add to a run folder later, such as pictures and notes, does not count."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.record.reading import read_result
from fitbench.record.result import moment
from fitbench.stderr import write_note
from fitbench.text import clean

# What an attempt writes before the run has finished.
ATTEMPT = ("claim.json", "history.jsonl", "train.log", "error.txt", "pruned.json", "config.yaml")
SECOND = 1.0  # the resolution of `finished_at`
HOUR = 3600.0  # more than clocks of two machines differ by


def last_change(folder: str | Path) -> float:
    """When a run that is not finished was last written to, as seconds since 1970; 0 if the folder has gone."""
    return max(0.0, *(_written(f"{folder}/{name}") for name in ATTEMPT))


def changed(folder: str | Path) -> float:
    """When a run changed last, as seconds since 1970: when it finished, or was last written to.

    Raises:
        FitbenchError: result.json is damaged; the message names it.
    """
    if _written(f"{folder}/result.json") < 0:
        return last_change(folder)
    return moment(read_result(Path(folder))["finished_at"]).replace(tzinfo=UTC).timestamp()


def newest_first(folders: Iterable[str]) -> list[str]:
    """Run folders by the times of their files, which a copy of a folder may have changed; no file is read."""
    return sorted(folders, key=lambda folder: (_latest(folder), folder), reverse=True)


def newest(folders: Iterable[str]) -> str | None:
    """The run that changed last; None without one. A run that cannot be read is named on stderr and does not count.

    A result.json is written when the run has finished, or later if it is a copy. So those that were written before the
    newest run that was found need not be read: one or two of 10,000 are. All are read if one was written before its run
    has finished, as in an archive whose files have one time.
    """
    found: tuple[float, float, str] | None = None
    is_archive = False
    for folder in newest_first(folders):
        latest = _latest(folder)
        if found is not None and not is_archive and latest + SECOND < found[0]:
            break
        try:
            candidate = (changed(folder), latest, folder)
        except FitbenchError as error:
            write_note(f"left out {clean(error)}")
            continue
        is_archive |= candidate[0] > latest + HOUR
        found = candidate if found is None else max(found, candidate)
    return found and found[2]


def _latest(folder: str) -> float:
    """A time at which a run has not changed later."""
    written = _written(f"{folder}/result.json")
    return last_change(folder) if written < 0 else written


def _written(path: str) -> float:
    """When a file was written, as seconds since 1970, which is 0 in some archives; -1 if there is none."""
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - a Path costs more, and there may be 10,000 folders
    except OSError:
        return -1.0
