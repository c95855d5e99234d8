"""Claims: at most one process works on a run. The claim is the file claim.json in the run's folder.

A process that can be observed (`processes.exists`) keeps its claim for as long as it exists, running or stopped. Any
other process is assumed to be alive until its heartbeat has been silent for the time-out while the process that wants
its claim has watched. Only `claim` takes claims over. `claimed` takes one look, and tells the age of the heartbeat by
the clock of the file system. `watched` is the look of a process that watches for long and writes nothing.

A process that has lost its claim writes nothing more to the folder, and ends when it tries to, which is at the end of
the epoch at the latest: `files` checks the claim before every rename, and `history` before every line. Whoever takes a
claim removes the files that are being written, so a process that stands still between this check and the rename cannot
rename either. What remains is a line that is appended to history.jsonl by a process that cannot be observed and stood
still, for longer than the time-out, between the check and the line. The history is written whole before the result, so
only a line that comes later than that stays, and of two lines for one epoch the later counts. Files that callbacks of
the user write are not checked.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record import heartbeats, processes
from fitbench.record.files import beside, fenced, remove_unfinished
from fitbench.record.heartbeats import Beat
from fitbench.record.schemas import Claim
from fitbench.untrusted import Unreadable, guarded, naming, parse_json

HEARTBEAT_SECONDS = 5.0
CLAIM_TIMEOUT_SECONDS = 60.0
FORMER_SELF_SECONDS = 15.0  # the same, of a claim that this Slurm job made before it was requeued
POLL_SECONDS = 0.1  # between two looks at a claim that is watched

log = logging.getLogger(__name__)


class Claimed(FitbenchError):
    """Another live process works on this run."""


@contextlib.contextmanager
def claim(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold the run for this process: claim.json is created atomically and kept alive by its mtime.

    The claim of a process that is dead is taken over.

    Args:
        folder: of the run.
        wait: watch a process that cannot be observed until it shows that it is alive, or is known to be dead. Without
            it, each call takes one look; calls over more than the time-out are a watch too.

    Raises:
        Claimed: another process holds it, or has taken it over in the block, which then writes nothing more.
    """
    path = folder / "claim.json"
    mine = json.dumps(_self())
    try:
        _acquire(path, mine, wait)
    except Claimed:
        raise
    except BaseException:  # a signal just after it was created
        _release(path, mine)
        raise
    try:
        remove_unfinished(folder)
        with fenced(folder, lambda: _check(path, mine)), _heartbeat(path, mine):
            yield
    finally:
        _release(path, mine)


def claimed(folder: Path) -> bool:
    """Whether a process holds what this folder stands for, as far as one look can tell.

    A process that cannot be observed counts as alive if its heartbeat is no further than the time-out from now by the
    clock of the file system, or if that clock cannot be read.
    """
    path = folder / "claim.json"
    beat = _seen(path)
    if beat is None:
        return False
    exists = _exists(beat)
    if exists is not None:
        return exists
    age = heartbeats.age(path, beat)
    return age is None or abs(age) < _timeout(beat)  # a wrong clock may be years ahead


def watched(folder: Path) -> bool:
    """Whether a process holds what this folder stands for, as far as this and earlier looks tell. Nothing is written.

    A process that cannot be observed counts as alive until its heartbeat has been silent for the time-out while this
    process has watched.
    """
    path = folder / "claim.json"
    beat = _seen(path)
    return beat is not None and not _is_dead(path, beat)


def holder(folder: Path) -> int | None:
    """The process id in a claim; None if there is none. The process may be dead, and on another machine."""
    beat = _seen(folder / "claim.json")
    claim = None if beat is None else _parsed(beat)
    return None if claim is None else claim.pid


def _seen(path: Path) -> Beat | None:
    """The heartbeat of a claim, None if there is none.

    Raises:
        FitbenchError: it cannot be read; the message names it.
    """
    with naming(path), guarded():
        return heartbeats.read(path)


def _self() -> dict[str, Any]:
    """Who makes a claim. A Slurm job that is requeued has the same number again, perhaps on another host."""
    claim = processes.this_process()
    if "SLURM_JOB_ID" in os.environ:
        claim["job"] = f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{os.environ['SLURM_JOB_ID']}"
        claim["restarts"] = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return claim


# -- making a claim ---------------------------------------------------------------------------------------------------


def _acquire(path: Path, mine: str, wait: bool) -> None:
    """Create the claim, or take it over from a dead process."""
    first = None
    began = time.monotonic()
    while not _create(path, mine):
        beat = heartbeats.read(path)
        if beat is None:  # released since we looked
            continue
        dead = _is_dead(path, beat)
        if dead and _take_over(path, beat, mine):
            break
        late = time.monotonic() > began + 2 * _timeout(beat)
        if not wait or late or not (dead or _is_worth_a_watch(path, beat, first)):
            reason = "is taking this run over" if dead else f"works on this run ({_holder(beat)})"
            raise Claimed(f"{path.parent}: another process {reason}")
        if first is None and not dead:
            first = beat
            log.warning(
                "%s: cannot observe from here whether the process that holds this run exists (%s); watching its "
                "heartbeat for up to %.0f s", path.parent, _holder(beat), _timeout(beat),
            )  # fmt: skip
        time.sleep(POLL_SECONDS)
    heartbeats.forget(path)


def _create(path: Path, content: str) -> bool:
    """Create the file with this content unless it exists; atomic, also on NFS."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
    except BaseException:  # of a full disk, for example
        path.unlink(missing_ok=True)
        raise
    return True


def _take_over(path: Path, dead: Beat, mine: str) -> bool:
    """Replace a dead claim by ours, unless another process does. Only the holder of claim.takeover may do so."""
    lock = path.with_name("claim.takeover")
    if not _create(lock, mine):
        owner = heartbeats.read(lock)
        if owner is not None and _is_dead(lock, owner):  # it died between two system calls
            lock.unlink(missing_ok=True)  # for whoever comes next
        return False
    try:
        if heartbeats.read(path) != dead:  # it changed hands since we looked
            return False
        with beside(path) as new:
            new.write_text(mine)
        return True
    finally:
        lock.unlink(missing_ok=True)


# -- holding it -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _heartbeat(path: Path, mine: str) -> Iterator[None]:
    """Keep the claim alive in this block."""
    stop = threading.Event()
    beat = threading.Thread(target=_keep_alive, args=(path, mine, stop), name="fitbench-heartbeat", daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()


def _keep_alive(path: Path, mine: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError, FitbenchError):  # a network file system may answer at the next beat
            if _is_held(path, mine):
                os.utime(path)


def _release(path: Path, mine: str) -> None:
    """Remove the claim, unless another process has taken it over."""
    if _is_held(path, mine):
        path.unlink(missing_ok=True)


def _check(path: Path, mine: str) -> None:
    """Refuse to write if the claim is lost."""
    if not _is_held(path, mine):
        raise Claimed(
            f"{path.parent}: another process has taken this run over, or claim.json was removed; this process stops"
        )


def _is_held(path: Path, mine: str) -> bool:
    """Whether this is still our claim. It is not if it was taken over, for example while this computer slept."""
    beat = heartbeats.read(path)
    return beat is not None and beat.content == mine


# -- the claims of others ---------------------------------------------------------------------------------------------


def _is_dead(path: Path, beat: Beat) -> bool:
    """Whether the process of a claim is known not to exist. This is a look of a watch."""
    exists = _exists(beat)
    return heartbeats.watch(path, beat) >= _timeout(beat) if exists is None else not exists


def _is_worth_a_watch(path: Path, beat: Beat, first: Beat | None) -> bool:
    """Whether a process that is not known to be dead may be. `first` is its heartbeat when the watch began."""
    claim = _parsed(beat)
    if claim is not None and _is_former_self(claim):  # Slurm is ending it, or has lost its node
        return True
    if _exists(beat) or beat != (first or beat):
        return False
    age = heartbeats.age(path, beat)
    return age is None or not 0 <= age < 2 * HEARTBEAT_SECONDS


def _exists(beat: Beat) -> bool | None:
    """Whether the process of a claim exists. None: it cannot be observed, or the claim is not whole."""
    claim = _parsed(beat)
    return None if claim is None else processes.exists(claim)


def _timeout(beat: Beat) -> float:
    """Seconds of silence after which a process that cannot be observed is dead."""
    claim = _parsed(beat)
    if claim is None:  # it is being written at this moment, or its process was killed meanwhile
        return HEARTBEAT_SECONDS
    return FORMER_SELF_SECONDS if _is_former_self(claim) else CLAIM_TIMEOUT_SECONDS


def _is_former_self(claim: Claim) -> bool:
    """Was this claim made by the Slurm job that we are, before it was requeued?"""
    mine = _self()
    return "job" in mine and claim.job == mine["job"] and claim.restarts < mine["restarts"]


def _parsed(beat: Beat) -> Claim | None:
    """What a claim says; None if it is not whole."""
    try:
        with guarded():
            return Claim.model_validate(parse_json(beat.content))
    except Unreadable:
        return None


def _holder(beat: Beat) -> str:
    claim = _parsed(beat)
    return "it has just begun" if claim is None else f"pid {claim.pid} on {claim.host}"
