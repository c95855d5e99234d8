"""Folders that are written to: rights, space, file systems, and the operations that claims rely on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.doctor.machine import gigabytes
from fitbench.errors import CURRENT_FOLDER_REMOVED
from fitbench.record.control_groups import read

LITTLE = 10**9  # bytes of free space
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "lustre", "beegfs", "gpfs", "ceph", "glusterfs")


def outputs(path: Path, root: Path = Path("/")) -> Finding:
    """Whether runs can be recorded: the folder, or the nearest one above it, takes, renames and removes a file.

    Args:
        path: the folder of the runs, which may not exist yet.
        root: the folder that holds `proc`.
    """
    try:
        folder = _existing(path.absolute())
    except FileNotFoundError:
        return problem("outputs", CURRENT_FOLDER_REMOVED, "change into a folder that exists")
    if not folder.is_dir():
        return problem("outputs", f"{folder} is no folder", "name another folder: outputs=FOLDER")
    place = str(path) if folder == path.absolute() else f"{path}, which does not exist yet, in {folder}"
    if failure := _failure(folder):
        return problem("outputs", f"{place}: {failure}", "name another folder: outputs=FOLDER, or change its rights")
    kind = file_system(folder, root)
    details = {"path": str(path), "file_system": kind}
    if kind in NETWORK:
        text = f"{place} can be written, on {kind}; claims of other machines there end after a time-out"
        remedy = "keep the clocks of the machines right; a local folder is faster for one machine"
        return note("outputs", text, remedy, **details)
    return ok("outputs", f"{place} can be written{f', on {kind}' if kind else ''}", **details)


def space(path: Path, free: int | None = None) -> Finding:
    """How much room there is for runs.

    Args:
        path: the folder of the runs, which may not exist yet.
        free: the free bytes; None to ask the file system.
    """
    free = shutil.disk_usage(_existing(path.absolute())).free if free is None else free
    if free >= LITTLE:
        return ok("disk", f"{gigabytes(free)} free at {path}", free=free)
    return problem(
        "disk", f"{gigabytes(free)} free at {path}",
        "remove files; fitbench trash puts away runs, and fitbench trash --empty deletes them", free=free,
    )  # fmt: skip


def temporary(environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether there is a folder for temporary files."""
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        return problem("temporary files", str(error), "set TMPDIR to a folder that can be written")
    free = shutil.disk_usage(folder).free
    asked = environ.get("TMPDIR")
    details = {"path": str(folder), "free": free}
    if asked and Path(asked).absolute() != folder.absolute():
        text = f"{folder}, because TMPDIR={asked} cannot be used"
        return note("temporary files", text, "set TMPDIR to a folder that can be written", **details)
    return ok("temporary files", f"{gigabytes(free)} free in {folder}", **details)


def keras_home(environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether Keras can keep downloads: data sets and pretrained weights."""
    home = environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")  # noqa: PTH118, PTH111
    failure = _failure(_existing(Path(home).absolute()))
    if not failure:
        return ok("downloads", f"{home} can be written", path=home)
    text = f"{home}: {failure}; Keras keeps data sets and pretrained weights in a temporary folder"
    return note("downloads", text, "set KERAS_HOME to a folder that can be written", path=home)


def file_system(folder: Path, root: Path = Path("/")) -> str:
    """The type of the file system that a folder is on, as ext4 or nfs4; empty if it is not known."""
    best, kind = "", ""
    for line in read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4])
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def _existing(path: Path) -> Path:
    """The path, or the nearest one above it that exists."""
    return next(each for each in (path, *path.parents) if os.path.lexists(each))


def _failure(folder: Path) -> str:
    """Why a file cannot be created exclusively, renamed and removed in a folder; empty if it can. Nothing is left."""
    try:
        with tempfile.TemporaryDirectory(prefix=".fitbench-doctor-", dir=folder) as inside:
            claim, renamed = Path(inside, "claim.new"), Path(inside, "claim")
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with contextlib.suppress(FileExistsError):
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                return "a file was created exclusively although it exists; use another file system"
            claim.write_bytes(bytes(1000))
            claim.replace(renamed)
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return ""
