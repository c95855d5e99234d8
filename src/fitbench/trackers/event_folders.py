"""Folders of event files for several runs: each run has one of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fitbench.record.files import exists, write_whole
from fitbench.trackers.description import Description
from fitbench.trackers.event_files import Held, is_same
from fitbench.trackers.same_run import same_run
from fitbench.trackers.tracker import TrackerError

FOLDER_OF_RUN = "run_folder.txt"  # beside the event files: the run folder that they were made from
LONGEST_NAME = 200  # characters of a folder


@dataclass(frozen=True)
class _Events:
    """A folder of event files of a run."""

    place: Path

    @cached_property
    def held(self) -> Held:
        return Held.of(self.place)

    @property
    def folder(self) -> str | None:
        path = self.place / FOLDER_OF_RUN
        return path.read_text("utf-8") if path.exists() else None

    @property
    def host(self) -> None:
        return None

    @property
    def finished_at(self) -> str | None:
        return self.held.finished_at

    def losses(self) -> Mapping[int, float | None]:
        return self.held.losses


def folder_below(run: Description, folder: Path) -> Path:
    """The folder for the event files of a run, `<folder>/<study>/<run_id>`, which is made where there is none.

    It is `<run_id>-2` if the former has those of another run of that name.

    Raises:
        TrackerError: the folder cannot be read or written.
    """
    try:
        return _folder_below(run, folder)
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"{folder}: cannot be read or written ({getattr(error, 'strerror', error)})") from error


def _folder_below(run: Description, folder: Path) -> Path:
    held = []
    for place in _places(folder / _name(run.study) / _name(run.run_id)):
        if not exists(place):
            break
        held.append(_Events(place))
    found = same_run(run, held, is_same)
    chosen = found.place if found else place
    if found is None or not exists(found.folder or ""):
        chosen.mkdir(parents=True, exist_ok=True)
        write_whole(chosen / FOLDER_OF_RUN, run.folder)
    return chosen


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
