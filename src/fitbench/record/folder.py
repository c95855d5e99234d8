"""The run folder: where it lies, and which state its files say it is in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path

from fitbench.config import Config, run_id
from fitbench.record.claims import claimed
from fitbench.record.files import exists, remove
from fitbench.text import nearest
from fitbench.untrusted import Unreadable, check_within, guarded

LeftOut = list[tuple[str, str]]  # folders that cannot be read, and why


class State(Enum):
    """What a run folder's files say about the run."""

    finished = "finished"
    failed = "failed"
    pruned = "pruned"
    running = "running"
    interrupted = "interrupted"


def folder_of(config: Config) -> Path:
    """Where the run of this configuration is recorded: outputs/<study>/<run_id>."""
    return Path(config.outputs) / config.study / run_id(config)


def state_of(folder: Path, held: Callable[[Path], bool] = claimed) -> State:
    """The state of a run, from its files and nothing else.

    Args:
        folder: of the run.
        held: whether a process holds the run: `claims.claimed`, or `claims.watched` where nothing may be written.

    Raises:
        FitbenchError: claim.json cannot be read; the message names it.
    """
    if exists(folder / "result.json"):
        return State.finished
    if exists(folder / "error.txt"):
        return State.failed
    if held(folder):
        return State.running
    if exists(folder / "pruned.json"):
        return State.pruned
    return State.interrupted


def is_run(folder: str | Path) -> bool:
    """Whether the folder is that of a run, in whichever state."""
    return exists(f"{folder}/result.json") or exists(f"{folder}/config.yaml")


def absent(path: str | Path, advice: str) -> str:
    """The message about a path that does not exist: the folder most like it, or else the advice."""
    place = Path(path)
    while not os.path.isdir(place.parent):  # noqa: PTH112 - Path.is_dir raises for a name with a null character
        place = place.parent
    try:
        beside = sorted(entry.name for entry in os.scandir(place.parent) if _may_hold(entry))
    except OSError:  # a folder that may not be listed
        beside = []
    near = nearest(place.name, beside)
    return f"{path} does not exist; " + (f"did you mean {place.with_name(near[0])}?" if near else advice)


def run_folders(paths: Sequence[str], left_out: LeftOut, others: list[str] | None = None) -> Iterator[str]:
    """Every run folder below the paths once, by whichever way it is reached first.

    Nothing is looked for inside of a run folder, nor in folders whose name begins with a dot. Links are followed within
    the paths. A link that leaves them, or a folder that cannot be read, joins `left_out` with the reason. The folders
    that are looked into and are no run folders join `others`.
    """
    visited = set()
    for path in paths:
        pending = [path]
        within = [Path(path), *map(Path, paths)]
        while pending:
            folder = pending.pop()
            try:
                with guarded():
                    status = os.stat(folder)  # noqa: PTH116 - a Path costs more, and there may be 10,000 folders
                    if (status.st_dev, status.st_ino) in visited:
                        continue
                    visited.add((status.st_dev, status.st_ino))
                    below = None if is_run(folder) else _below(folder, within, left_out)
            except FileNotFoundError:  # it was there a moment ago
                continue
            except Unreadable as error:
                left_out.append((folder, str(error)))
                continue
            if below is None:
                yield folder
            else:
                if others is not None:
                    others.append(folder)
                pending.extend(reversed(below))


def _below(folder: str, within: Sequence[Path], left_out: LeftOut) -> list[str]:
    """The folders in a folder, by name, without links that leave `within`, which join `left_out`."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _may_hold(entry):
                continue
            try:
                if entry.is_symlink():
                    with guarded():
                        check_within(Path(entry.path), within)
            except Unreadable as error:
                left_out.append((entry.path, f"{error}; name that folder to include it"))
            else:
                below.append(entry.path)
    return sorted(below)


def _may_hold(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder, or something that will be left out with its reason, such as a link to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return True


def tidy(folder: Path) -> None:
    """Remove the checkpoints that a killed process has left of a finished run. Only for the holder of the claim."""
    if exists(folder / "result.json"):
        remove(folder / "checkpoint")
