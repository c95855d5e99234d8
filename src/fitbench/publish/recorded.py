"""What a tracker is told of a recorded run, from the files of its folder. The folder may be a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from fitbench.analysis.run_files import RunFiles, read_run
from fitbench.errors import FitbenchError
from fitbench.record.failure import error_line
from fitbench.record.folder import State
from fitbench.record.newest import last_change
from fitbench.record.notes import read_notes
from fitbench.record.result import moment
from fitbench.text import encodable
from fitbench.trackers.description import Description

MOST = 1_000  # parameters of a run
LONGEST = 250  # characters of a study or run_id


@dataclass(frozen=True)
class Recorded:
    """A run that is published.

    Attributes:
        run: its files.
        description: what a tracker is told of it.
        ended: when it ended, or was last written to, in seconds since 1970.
        error: the line that says why it failed.
    """

    run: RunFiles
    description: Description
    ended: float
    error: str | None = None

    @property
    def result(self) -> Mapping[str, Any] | None:
        """What result.json or pruned.json holds; None if there is neither."""
        return self.run.result or self.run.pruned


def read_recorded(folder: Path) -> Recorded:
    """The run in this folder.

    Raises:
        FitbenchError: a file cannot be read, or holds more than is published; the message names it.
    """
    run, noted = read_run(folder), read_notes(folder)
    ended = _ended(run)
    description = Description(
        study=encodable(str(run.result["study"] if run.result else run.config["study"])),
        run_id=encodable(run.name),
        config=run.config if run.result is None else run.config | _of_one_run(run.result),
        tags=noted.tags,
        note=noted.note,
        folder=encodable(str(folder.resolve())),
        began=_began(run, ended),
        losses={epoch["epoch"]: epoch.get("loss") for epoch in run.history},
        finished_at=encodable(run.result["finished_at"]) if run.result else None,
    )
    for text in (description.study, description.run_id):
        if len(text) > LONGEST:
            raise FitbenchError(f"{folder}: its study or run_id has {len(text):,} characters; expected up to {LONGEST}")
    if len(description.parameters) > MOST:
        raise FitbenchError(
            f"{folder}: its configuration has {len(description.parameters):,} values; expected up to {MOST:,}"
        )
    error = error_line(folder) if run.state is State.failed else None
    return Recorded(run, description, ended, None if error is None else encodable(error))


def _of_one_run(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"seed": result["seed"], "fold": result["fold"]}


def _ended(run: RunFiles) -> float:
    ended = run.result["finished_at"] if run.result else (run.pruned or {}).get("pruned_at")
    return moment(ended).replace(tzinfo=UTC).timestamp() if ended else last_change(run.folder)


def _began(run: RunFiles, ended: float) -> float:
    """When the run began: the seconds of a finished run, or of the epochs, before its end."""
    seconds = run.result["timing"]["seconds"] if run.result else sum(line.get("seconds") or 0 for line in run.history)
    return max(ended - seconds, 0.0)
