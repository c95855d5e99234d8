"""Moves of runs into the trash, back from it, and out of it for good.

A run is moved by one rename, so it is always whole, here or there. Beside runs only the files of a search are moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.claims import claimed
from fitbench.record.files import make_folder, read_bytes, sync_folder
from fitbench.record.folder import is_run, run_folders
from fitbench.record.reading import read_config
from fitbench.record.trash import (
    DELETED,
    SEARCH,
    TIME,
    TRASH,
    Trashed,
    check_trash,
    folders,
    restore_command,
    study_files,
    trashed,
)
from fitbench.text import counted


class _Gone(FitbenchError):
    """What is to be moved is not there any more."""


# -- where a run is recorded ------------------------------------------------------------------------------------------


def place_of(folder: Path, outputs: Path) -> tuple[Path, Path]:
    """The outputs folder of a run, and its place there: <study>/<run_id>.

    The outputs folder is `outputs` if the run is in it. Elsewhere the folder above the run must be named after the
    study that the run has recorded; the outputs folder is the one above that.

    Raises:
        RequestError: the run is not <outputs>/<study>/<run_id>, is reached through a link, or is in a trash.
    """
    given, top = (Path(os.path.abspath(path)) for path in (folder, outputs))  # noqa: PTH100 - links stay
    real, real_top = (Path(os.path.realpath(path)) for path in (folder, outputs))
    if TRASH in real.parts[-4:]:
        raise RequestError(f"{folder} is in the trash; fitbench trash --empty deletes it for good")
    inside = given.is_relative_to(top)
    if given.is_symlink() or given.parent.is_symlink() or (inside and real != real_top / given.relative_to(top)):
        raise RequestError(f"{folder} is reached through a link and is {real}; name that folder, or remove the link")
    if not real.is_relative_to(real_top):
        outputs, real_top = real.parent.parent, real.parent.parent
        if _recorded_study(real) != real.parent.name:
            raise RequestError(
                f"{folder} is in no outputs folder: {real.parent} is not named after the study of the run. If it is "
                f"the folder of a study, give --outputs {outputs}"
            )
    place = real.relative_to(real_top)
    if len(place.parts) != 2:
        raise RequestError(f"{folder} is not <outputs>/<study>/<run_id>, with {outputs} as the outputs folder; "
                           "give another with --outputs")  # fmt: skip
    return outputs, place


def _recorded_study(folder: Path) -> object:
    try:
        return read_config(folder).get("study")
    except FitbenchError:  # a damaged run does not say where it belongs
        return None


# -- putting away -----------------------------------------------------------------------------------------------------


def put_away(runs: Sequence[Path], outputs: Path) -> list[Trashed]:
    """Move runs to the trashes of their outputs folders.

    Args:
        runs: their folders.
        outputs: of the runs; other runs are looked at by `place_of`.

    Raises:
        RequestError: a run is being trained, or is not <outputs>/<study>/<run_id>. Nothing has been moved.
        FitbenchError: a run cannot be moved; the message says what puts back those that were moved before.
    """
    of_outputs: dict[Path, list[Path]] = {}
    for folder in runs:
        top, place = place_of(folder, outputs)
        of_outputs.setdefault(top, []).append(place)
    for top in of_outputs:
        check_trash(top)
    if running := [folder for folder in runs if claimed(folder)]:
        more = f" and {len(running) - 1:,} more are" if len(running) > 1 else " is"
        raise RequestError(f"{running[0]}{more} being trained; stop that first. Nothing was put in the trash")
    moved: list[Trashed] = []
    gone: list[Trashed] = []
    try:
        for top, places in of_outputs.items():
            _put_away(top, places, moved, gone)
    except FitbenchError as error:
        raise FitbenchError(f"{error}{_moved_before(moved)}") from error
    if gone:
        raise FitbenchError(f"{_others(gone)}{_moved_before(moved)}")
    return moved


def _put_away(outputs: Path, places: Sequence[Path], moved: list[Trashed], gone: list[Trashed]) -> None:
    """Move the runs of one outputs folder; they join `moved`, or `gone` if they are not there any more."""
    time = _new_time(outputs / TRASH)
    runs = [Trashed(outputs / TRASH, time, place) for place in places]
    try:
        for run in runs:
            try:
                _move(run.home, run.folder)
            except _Gone:
                gone.append(run)
            else:
                moved.append(run)
        for home, folder in {run.study_home: run.study_folder for run in runs}.items():
            if not _is_used(home):
                _move_search(home, folder)
            if home.exists() and not home.samefile("."):
                _remove_if_empty(home)
    finally:
        _remove_empty(runs)


def _new_time(trash: Path) -> str:
    """The name of a new folder in the trash, made for this process alone."""
    time = name = datetime.now(UTC).strftime(TIME)
    number = 1
    while True:
        make_folder(trash)
        try:
            (trash / name).mkdir()
        except FileExistsError:
            number += 1
            name = f"{time}-{number}"
        except FileNotFoundError:  # another process has emptied the trash
            continue
        else:
            return name


def _is_used(study: Path) -> bool:
    """Whether a study has runs, or a process that begins one or searches."""
    has_runs = next(iter(run_folders([str(study)], [])), None) is not None
    return has_runs or any(map(claimed, [*folders(study), *folders(study / ".search")]))


def _moved_before(moved: Sequence[Trashed]) -> str:
    """What puts back the runs that were moved before an error; '' if there are none."""
    commands = dict.fromkeys(restore_command(run, run.time) for run in moved)
    return f". {counted(len(moved), 'run')} moved before: {' and '.join(commands)} puts back" if moved else ""


def _others(gone: Sequence[Trashed]) -> str:
    """The error about runs that other processes have moved, perhaps to the trash."""
    twins = [twin for run in gone for twin in trashed(run.trash.parent) if twin.place == run.place][:1]
    commands = [f"; {restore_command(twin, twin.time)} puts back what it has moved" for twin in twins]
    more = f" and {len(gone) - 1:,} more have" if len(gone) > 1 else " has"
    return f"{gone[0].home}{more} been moved by another process meanwhile{''.join(commands)}"


# -- moving -----------------------------------------------------------------------------------------------------------


def _move(source: Path, target: Path) -> None:
    """Rename a file or a folder into another parent.

    Raises:
        _Gone: it is not there.
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
        kind = FitbenchError if os.path.lexists(source) else _Gone
        raise kind(f"{source}: cannot be moved to {target}: {why}") from error


def _move_search(source: Path, target: Path) -> list[Path]:
    """Move the files of a search into another folder; gives those that are there already, which stay."""
    stay = []
    for path in study_files(source):
        if os.path.lexists(target / path.name):
            stay.append(path)
        else:
            with contextlib.suppress(_Gone):  # another process has moved it
                _move(path, target / path.name)
    return stay


def _remove_empty(runs: Iterable[Trashed]) -> None:
    """Remove the folders of studies in the trash in which nothing is left, and those of times."""
    for run in runs:
        _remove_if_empty(run.study_folder)
        _remove_if_empty(run.study_folder.parent)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, or has gone
        folder.rmdir()


# -- restoring and deleting -------------------------------------------------------------------------------------------


def restore(runs: Sequence[Trashed]) -> list[Path]:
    """Move runs back to where they were; gives files of searches that stay in the trash.

    The files of the search come first: they are in the trash with a run, and if this process is killed they are not
    left there alone. Those that went with another run come back with the first run that search.json names.

    Raises:
        RequestError: a run is there again, or two runs were at one place. Nothing has been moved.
        FitbenchError: a run cannot be moved; the message says how many were.
    """
    _check_homes(runs)
    stay = []
    for source, target in {run.study_folder: run.study_home for run in runs}.items():
        stay += _move_search(source, target)
    for home in {run.study_home for run in runs}:
        if (home / SEARCH).exists():
            continue
        search = _search_of([run for run in runs if run.study_home == home])
        if search is not None:
            _move_search(search, home)
            _remove_if_empty(search)
            _remove_if_empty(search.parent)
    moved = 0
    for run in runs:
        if run.is_search:
            continue
        try:
            _move(run.folder, run.home)
        except FitbenchError as error:
            raise FitbenchError(f"{error}; {counted(moved, 'run')} restored before") from error
        moved += 1
    _remove_empty(runs)
    return stay


def _search_of(runs: Sequence[Trashed]) -> Path | None:
    """The folder in the trash with the files of the search that names one of these runs of a study, if there is one."""
    names = {run.place.name for run in runs}
    for time in folders(runs[0].trash):
        try:
            text = read_bytes(time / runs[0].study, SEARCH, depth=1).decode(errors="replace")
        except (FileNotFoundError, FitbenchError):
            continue
        if names.intersection(re.findall('"([^"]*)"', text)):
            return time / runs[0].study
    return None


def _check_homes(runs: Sequence[Trashed]) -> None:
    """Refuse to restore where something is."""
    homes: dict[Path, Trashed] = {}
    for run in runs:
        if run.study_home.is_symlink():
            raise RequestError(f"{run.study_home} is a link; nothing is moved through a link. Remove the link")
        if run.is_search:
            continue
        if other := homes.get(run.home):
            raise RequestError(f"{run.place} is in the trash several times; name one: {run.name} or {other.name}")
        homes[run.home] = run
        if os.path.lexists(run.home):
            what = "there is a run again" if is_run(run.home) else "there is such a folder again"
            raise RequestError(f"{run.home}: {what}; put it in the trash or move it first. Nothing was restored")


def delete(outputs: Path, runs: Sequence[Trashed]) -> list[Path]:
    """Delete runs of the trash for good, and what a killed deletion has left; gives what else is in the trash.

    A run leaves the trash by one rename before its files are removed. The files of a search go with its last run.

    Raises:
        RequestError: the trash is a link. Nothing has been deleted.
        FitbenchError: a run cannot be deleted.
    """
    check_trash(outputs)
    trash = outputs / TRASH
    deleted = trash / DELETED
    for run in runs:
        if not run.is_search:
            with contextlib.suppress(_Gone):  # another process has restored or deleted it
                _move(run.folder, deleted / secrets.token_hex(8))
    for study in {run.study_folder for run in runs}:
        if not any(map(is_run, folders(study))):
            for path in study_files(study):
                with contextlib.suppress(_Gone):
                    _move(path, deleted / secrets.token_hex(8))
    try:
        if deleted.exists():
            shutil.rmtree(deleted, onerror=_unless_gone)
    except OSError as error:
        raise FitbenchError(f"{error.filename or deleted}: cannot be deleted ({error.strerror})") from error
    _remove_empty(runs)
    _remove_if_empty(trash)
    left = {run.time for run in trashed(outputs)}
    return sorted(path for path in trash.iterdir() if path.name not in left) if trash.exists() else []


def _unless_gone(function: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    """Raise what `rmtree` met, unless another process has deleted that file."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
