"""What is in the trash of an outputs folder: `.trash/<time>/<study>/<run_id>` are the runs put away at that time.

The files of a search, and sweep.json, are put away with the last run of their study, as
`.trash/<time>/<study>/search.json`. Nothing else is of the trash: what has another form, or is reached through a link,
is neither listed nor deleted. Commands look into no folder whose name begins with a dot.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fitbench.errors import RequestError
from fitbench.record.folder import is_run
from fitbench.text import clean

TRASH = ".trash"
SEARCH = "search.json"  # the record of a search, which names its runs
DELETED = ".deleted"  # in the trash: what is being deleted, or what a killed process has left of that
TIME = "%Y%m%dT%H%M%SZ"
TIME_FOLDER = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
BESIDE_RUNS = (
    SEARCH,
    "sweep.json",
    "search.journal*",
    "search_*.png",
    ".search",
    ".*.new.search*",
)  # files and folders of a study, which searches and sweeps write


@dataclass(frozen=True)
class Trashed:
    """A run in the trash, or the files of a search whose runs are not there.

    Attributes:
        trash: the folder `.trash`.
        time: the folder in it: when the run was put away, in UTC.
        place: of the run in the outputs folder: <study>/<run_id>; of the files of a search: <study>.
    """

    trash: Path
    time: str
    place: Path

    @property
    def is_search(self) -> bool:
        """Whether these are files of a search."""
        return len(self.place.parts) == 1

    @property
    def folder(self) -> Path:
        """Where the run is now."""
        return self.trash / self.time / self.place

    @property
    def home(self) -> Path:
        """Where the run was, and is again when it is restored."""
        return self.trash.parent / self.place

    @property
    def study(self) -> str:
        """The study of the run."""
        return self.place.parts[0]

    @property
    def study_folder(self) -> Path:
        """The folder of the study in the trash."""
        return self.trash / self.time / self.study

    @property
    def study_home(self) -> Path:
        """Where the study was."""
        return self.trash.parent / self.study

    @property
    def bytes(self) -> int:
        """The bytes that the run takes on the disk."""
        return sum(map(size, study_files(self.folder) if self.is_search else [self.folder]))

    @property
    def name(self) -> str:
        """What names this run alone: <time>/<study>/<run_id>."""
        return f"{self.time}/{self.place}"

    @property
    def when(self) -> datetime:
        """When it was put away."""
        return datetime.strptime(self.time[:16], TIME).replace(tzinfo=UTC)


def trashed(outputs: Path) -> list[Trashed]:
    """The runs in the trash of an outputs folder, the last ones first. Links are not followed."""
    trash = outputs / TRASH
    found = []
    for time in folders(trash):
        for study in folders(time) if _is_time(time.name) else []:
            runs = [run for run in folders(study) if is_run(run)]
            found += runs or ([study] if study_files(study) else [])
    items = [
        Trashed(trash, path.parts[0], Path(*path.parts[1:])) for path in (each.relative_to(trash) for each in found)
    ]
    return sorted(items, key=lambda run: (run.time, run.place), reverse=True)


def _is_time(name: str) -> bool:
    """Whether a folder in the trash has the name of a time."""
    if not TIME_FOLDER.fullmatch(name):
        return False
    try:
        datetime.strptime(name[:16], TIME)
    except ValueError:  # such as a month 99
        return False
    return True


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, without links to folders; none if it is a link, or absent."""
    if folder.is_symlink():
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def study_files(study: Path) -> list[Path]:
    """The files and folders of searches and sweeps beside the runs of a study."""
    return sorted(path for pattern in BESIDE_RUNS for path in study.glob(pattern))


def check_trash(outputs: Path) -> None:
    """Refuse a trash that is elsewhere.

    Raises:
        RequestError: it is a link, or the folder in it of what is being deleted is one.
    """
    for path in (outputs / TRASH, outputs / TRASH / DELETED):
        if path.is_symlink():
            raise RequestError(
                f"{path} is a link to {path.readlink()}; nothing is moved or deleted through a link. Remove the link"
            )


def size(path: Path) -> int:
    """The bytes that a file or a folder takes on the disk, without what links lead to; 0 if it is absent."""
    total = 0
    below = (f"{parent}/{name}" for parent, folders, files in os.walk(path) for name in (*folders, *files))
    for each in (str(path), *below):
        try:
            total += os.lstat(each).st_blocks * 512
        except FileNotFoundError:  # it is being deleted
            continue
    return total


# -- what launches say ------------------------------------------------------------------------------------------------


def restore_command(run: Trashed, name: str) -> str:
    """The command that puts back a run, or with `run.time` all runs of this time."""
    outputs = run.trash.parent
    option = "" if outputs == Path("outputs") else f" --outputs {shlex.quote(clean(outputs))}"
    return f"fitbench trash --restore {shlex.quote(clean(name))}{option}"


def _found(outputs: Path) -> list[Trashed]:
    """As `trashed`; nothing of a trash that cannot be read, which is no reason not to train."""
    try:
        return trashed(outputs)
    except OSError:
        return []


def trained_anew(folders: Iterable[Path]) -> str | None:
    """A line about runs that are to be trained and are in the trash; None if none of them is.

    Args:
        folders: where the runs are to be recorded: <outputs>/<study>/<run_id>.
    """
    of_outputs: dict[Path, dict[Path, Trashed]] = {}
    found: list[Trashed] = []
    for folder in folders:
        outputs = folder.parent.parent
        if outputs not in of_outputs:
            of_outputs[outputs] = {run.home: run for run in reversed(_found(outputs))}  # the last one counts
        run = of_outputs[outputs].get(folder)
        if run is not None and not is_run(folder):
            found.append(run)
    if len(found) > 1:
        return f"{len(found)} of these runs are in the trash; they are trained again; fitbench trash --list shows them"
    if not found:
        return None
    [run] = found
    command = restore_command(run, run.name)
    return f"{run.home.name} is in the trash and is trained again; to keep the old run, first give: {command}"


def in_trash_of(study: Path) -> str | None:
    """A line about the runs of a study that are in the trash, for a search, which does not know its runs before."""
    count = sum(run.study_home == study and not run.is_search and not is_run(run.home) for run in _found(study.parent))
    if not count:
        return None
    return f"runs of this study that are in the trash: {count}; a trial of such a configuration is trained again"
