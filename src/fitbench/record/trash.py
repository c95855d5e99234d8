"""The trash of an outputs folder: `.trash/<time>/<study>/<run_id>` holds the runs that were put away at that time.

Every move is one rename, so a run is always whole, here or there. Commands look into no folder whose name begins with
a dot. What is beside the runs of a study, as search.json, moves together with its last run.
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.claims import claimed
from fitbench.record.files import sync_folder
from fitbench.record.folder import LeftOut, is_run, run_folders
from fitbench.text import clean

TRASH = ".trash"
DELETED = ".deleted"  # in the trash: what is being deleted, or what a killed process has left of that
TIME = "%Y%m%dT%H%M%SZ"
CLAIMS = ".search/*"  # in a study: the claims of a search


@dataclass(frozen=True)
class Trashed:
    """A run in the trash.

    Attributes:
        trash: the folder `.trash`.
        time: the folder in it: when the run was put away, in UTC.
        place: of the run in the outputs folder: <study>/<run_id>.
    """

    trash: Path
    time: str
    place: Path

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
        """The study of the run; '' if the run was in no folder of a study."""
        return self.place.parent.name

    @property
    def name(self) -> str:
        """What names this run alone: <time>/<study>/<run_id>."""
        return f"{self.time}/{self.place}"

    @property
    def when(self) -> datetime | None:
        """When it was put away; None if the folder has another name."""
        try:
            return datetime.strptime(self.time[:16], TIME).replace(tzinfo=UTC)
        except ValueError:
            return None


def trashed(outputs: Path) -> list[Trashed]:
    """The runs in the trash of an outputs folder, the last ones first."""
    trash = outputs / TRASH
    if not trash.is_dir():
        return []
    left_out: LeftOut = []
    found = [Path(folder).relative_to(trash) for folder in run_folders([str(trash)], left_out)]
    runs = [Trashed(trash, path.parts[0], Path(*path.parts[1:])) for path in found if len(path.parts) > 1]
    return sorted(runs, key=lambda run: (run.time, run.place), reverse=True)


def size(folder: Path) -> int:
    """The bytes that a folder takes on the disk, without what links lead to."""
    total = 0
    for parent, _, names in os.walk(folder):
        for path in [parent, *(f"{parent}/{name}" for name in names)]:
            try:
                total += os.lstat(path).st_blocks * 512
            except FileNotFoundError:  # it is being deleted
                continue
    return total


# -- putting away -----------------------------------------------------------------------------------------------------


def outputs_of_run(folder: Path, outputs: Path) -> Path:
    """The outputs folder of a run: `outputs` if the run is below it, else the folder of its study's folder."""
    return outputs if _place(folder, outputs).parts[0] != os.pardir else folder.absolute().parent.parent


def _place(folder: Path, outputs: Path) -> Path:
    return Path(os.path.relpath(folder, outputs))


def put_away(outputs: Path, folders: Sequence[Path]) -> list[Trashed]:
    """Move runs of an outputs folder to its trash.

    Raises:
        RequestError: a run is being trained, is in the trash, or is a link. Nothing has been moved.
        FitbenchError: a run cannot be moved; the message says how many were.
    """
    for folder in folders:
        if TRASH in _place(folder, outputs).parts:
            raise RequestError(f"{folder} is in the trash; fitbench trash --empty deletes it for good")
        if folder.is_symlink():
            raise RequestError(f"{folder} is a link to {folder.resolve()}; name that run, or remove the link")
    if running := [folder for folder in folders if claimed(folder)]:
        more = f" and {len(running) - 1:,} more are" if len(running) > 1 else " is"
        raise RequestError(f"{running[0]}{more} being trained; stop that first. Nothing was put in the trash")
    trash = outputs / TRASH
    time = _new_time(trash)
    moved: list[Trashed] = []
    for folder in folders:
        run = Trashed(trash, time, _place(folder, outputs))
        _move(folder, run.folder, len(moved))
        moved.append(run)
    for home, folder in {run.home.parent: run.folder.parent for run in moved if run.study}.items():
        if not _has_runs(home) and not any(map(claimed, home.glob(CLAIMS))):
            _move_rest(home, folder)
    return moved


def _new_time(trash: Path) -> str:
    """The name of a new folder in the trash, made for this process alone."""
    trash.mkdir(exist_ok=True)
    time = name = datetime.now(UTC).strftime(TIME)
    number = 1
    while True:
        try:
            (trash / name).mkdir()
        except FileExistsError:
            number += 1
            name = f"{time}-{number}"
        else:
            return name


def _move(source: Path, target: Path, moved: int) -> None:
    """Rename a folder into another parent.

    Raises:
        FitbenchError: it cannot be renamed.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno == errno.EXDEV:
            why = "it is on another file system than the outputs folder; move it by hand"
        before = f"; {moved:,} were moved before" if moved else ""
        raise FitbenchError(f"{source}: cannot be moved to {target}: {why}{before}") from error


def _has_runs(folder: Path) -> bool:
    return next(iter(run_folders([str(folder)], [])), None) is not None


def _move_rest(source: Path, target: Path) -> list[str]:
    """Move what is in a folder into another, and remove the folder; gives the names that are in both, which stay."""
    stay = []
    for path in sorted(source.iterdir()) if source.is_dir() else []:
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
        elif os.path.lexists(target / path.name):
            stay.append(path.name)
        else:
            _move(path, target / path.name, 0)
    if source.is_dir() and not source.is_symlink() and not stay:
        source.rmdir()
    return stay


# -- restoring and deleting -------------------------------------------------------------------------------------------


def restore(runs: Sequence[Trashed]) -> list[Path]:
    """Move runs back to where they were, with what was beside them; gives files of studies that stay in the trash.

    Raises:
        RequestError: a run is there again, or two runs were at one place. Nothing has been moved.
        FitbenchError: a run cannot be moved; the message says how many were.
    """
    homes: dict[Path, Trashed] = {}
    for run in runs:
        if other := homes.get(run.home):
            raise RequestError(f"{run.place} is in the trash several times; name one: {run.name} or {other.name}")
        homes[run.home] = run
        if os.path.lexists(run.home):
            what = "there is a run again" if is_run(run.home) else "there is such a folder again"
            raise RequestError(f"{run.home}: {what}; put it in the trash or move it first. Nothing was restored")
    for moved, run in enumerate(runs):
        _move(run.folder, run.home, moved)
    stay = []
    for source, target in {run.folder.parent: run.home.parent for run in runs if run.study}.items():
        if not _has_runs(source):
            stay += [source / name for name in _move_rest(source, target)]
    _remove_empty(runs)
    return stay


def delete(outputs: Path, runs: Sequence[Trashed] | None) -> None:
    """Delete these runs from the trash for good; None: everything that is in it.

    A run leaves the trash by one rename before its files are removed.

    Raises:
        FitbenchError: a run cannot be deleted.
    """
    trash = outputs / TRASH
    deleted = trash / DELETED
    everything = [path for path in trash.iterdir() if path != deleted]
    folders = everything if runs is None else [run.folder for run in runs]
    for moved, folder in enumerate(folders):
        _move(folder, deleted / secrets.token_hex(8), moved)
    for study in {run.folder.parent for run in runs or () if run.study}:
        if not _has_runs(study):
            _move(study, deleted / secrets.token_hex(8), 0)
    try:
        if deleted.exists():
            shutil.rmtree(deleted)
        _remove_empty(runs or ())
        if not any(trash.iterdir()):
            trash.rmdir()
    except OSError as error:
        raise FitbenchError(f"{error.filename or deleted}: cannot be deleted ({error.strerror})") from error


def _remove_empty(runs: Iterable[Trashed]) -> None:
    """Remove the folders of times in which nothing is left, and those of their studies."""
    for run in runs:
        for folder in run.folder.parents:
            if folder == run.trash or (folder.exists() and any(folder.iterdir())):
                break
            if folder.exists():
                folder.rmdir()


# -- what launches say ------------------------------------------------------------------------------------------------


def restore_command(run: Trashed, name: str) -> str:
    """The command that puts back a run, or with `run.time` all runs of this time."""
    outputs = run.trash.parent
    option = "" if outputs == Path("outputs") else f" --outputs {shlex.quote(clean(outputs))}"
    return f"fitbench trash --restore {shlex.quote(clean(name))}{option}"


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
            of_outputs[outputs] = {run.home: run for run in reversed(trashed(outputs))}  # the last one counts
        run = of_outputs[outputs].get(folder)
        if run is not None and not is_run(folder):
            found.append(run)
    if len(found) > 1:
        return f"{len(found)} of these runs are in the trash; they are trained again; fitbench trash --list shows them"
    if not found:
        return None
    [run] = found
    command = restore_command(run, run.name)
    return f"{run.home.name} is in the trash and is trained again; {command} puts the old run back before that"


def in_trash_of(study: Path) -> str | None:
    """A line about the runs of a study that are in the trash, for a search, which does not know its runs before."""
    count = sum(run.home.parent == study and not is_run(run.home) for run in trashed(study.parent))
    if not count:
        return None
    return f"runs of this study that are in the trash: {count}; a trial of such a configuration is trained again"
