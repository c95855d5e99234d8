"""Folders of event files for several runs: each run has one of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.record.files import exists, write_whole
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Description, same_run

FOLDER_OF_RUN = "run_folder.txt"  # beside the event files: the run folder that they were made from
LONGEST_NAME = 200  # characters of a folder


@dataclass(frozen=True)
class _Events:
    """A folder of event files of a run."""

    tracker: TensorBoardTracker

    @property
    def folder(self) -> str | None:
        path = self.tracker.folder / FOLDER_OF_RUN
        return path.read_text("utf-8") if path.exists() else None

    @property
    def finished_at(self) -> str | None:
        return self.tracker.finished_at()

    def losses(self) -> Mapping[int, float | None]:
        return self.tracker.losses()


def opened_below(run: Description, folder: Path) -> TensorBoardTracker:
    """The event files of a run in `<folder>/<study>/<run_id>`, or `<run_id>-2` if they are of another run of that name.

    Raises:
        RequestError: tensorboard is not installed.
        FitbenchError: the folder cannot be read or written.
    """
    held = []
    for place in _places(folder / _name(run.study) / _name(run.run_id)):
        if not exists(place):
            break
        held.append(_Events(TensorBoardTracker(run, place)))
    found = same_run(run, held, TensorBoardTracker.is_same)
    tracker = found.tracker if found else TensorBoardTracker(run, place)
    if found is None or not exists(found.folder or ""):
        try:
            tracker.folder.mkdir(parents=True, exist_ok=True)
            write_whole(tracker.folder / FOLDER_OF_RUN, run.folder)
        except OSError as error:
            raise FitbenchError(f"{tracker.folder}: cannot be written ({error.strerror})") from error
    return tracker


def _places(first: Path) -> Iterator[Path]:
    yield first
    number = 2
    while True:
        yield first.with_name(f"{first.name}-{number}")
        number += 1


def _name(text: str) -> str:
    """A name as that of a folder. It may be a stranger's."""
    name = "".join(c if c.isalnum() or c in "-_.+= " else "_" for c in text)[:LONGEST_NAME]
    return f"_{name[1:]}" if name[:1] in ("", ".") else name
