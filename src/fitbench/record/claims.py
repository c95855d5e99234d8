"""Claims: at most one process works on a run. The claim is the file claim.json in the run's folder."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import beside
from fitbench.record.schemas import Claim

HEARTBEAT_SECONDS = 5.0
CLAIM_TIMEOUT_SECONDS = 60.0
FORMER_SELF_SECONDS = 15.0  # the same, of a claim that this Slurm job made before it was requeued


class Claimed(FitbenchError):
    """Another live process works on this run."""


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold the run for this process: claim.json is created atomically and kept alive by its mtime.

    A claim is taken over when its time-out has passed, or when it was made on this host by a process that is gone.

    Raises:
        Claimed: another live process holds it.
    """
    path = folder / "claim.json"
    mine = json.dumps(_self())
    if not _create(path, mine):
        _outlive_former_self(path)
        _take_over(path, mine)
    stop = threading.Event()
    beat = threading.Thread(target=_keep_alive, args=(path, mine, stop), name="fitbench-heartbeat", daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        if _read(path) == mine:  # else it was taken over while this computer slept
            path.unlink(missing_ok=True)


def claimed(folder: Path) -> bool:
    """Whether a live process holds what this folder stands for."""
    return _alive(folder / "claim.json")


def _self() -> dict[str, Any]:
    """Who makes a claim. A Slurm job that is requeued has the same number again, perhaps on another host."""
    claim = {"host": socket.gethostname(), "pid": os.getpid(), "start": _process_start(os.getpid())}
    if "SLURM_JOB_ID" in os.environ:
        claim["job"] = f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{os.environ['SLURM_JOB_ID']}"
        claim["restarts"] = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return claim


def _is_former_self(claim: Claim) -> bool:
    """Was this claim made by the Slurm job that we are, before it was requeued?"""
    mine = _self()
    return "job" in mine and claim.job == mine["job"] and claim.restarts < mine["restarts"]


def _outlive_former_self(path: Path) -> None:
    """Wait, as long as it takes to be sure, until our job's process from before it was requeued is silent.

    Slurm has ended it, or has lost its node. Were it left at `Claimed`, nobody would launch this run again.
    """
    deadline = time.monotonic() + 2 * FORMER_SELF_SECONDS
    while time.monotonic() < deadline:
        held = _read(path)
        claim = None if held is None else _parsed(held)
        if claim is None or not _is_former_self(claim) or not _lives(str(held), _age(path)):
            return
        time.sleep(FORMER_SELF_SECONDS / 30)


def _create(path: Path, content: str) -> bool:
    """Create the file with this content unless it exists; atomic, also on NFS."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    return True


def _take_over(path: Path, mine: str) -> None:
    """Replace a dead claim by ours. Only the holder of the lock file claim.takeover may do so."""
    held, age = _read(path), _age(path)
    if held is None or age == math.inf:  # released since we looked; somebody else may be faster
        if _create(path, mine):
            return
        raise Claimed(f"{path.parent}: another process works on this run (it has just begun)")
    if _lives(held, age):
        raise Claimed(f"{path.parent}: another process works on this run ({_holder(held)})")
    lock = path.with_name("claim.takeover")
    if not _create(lock, mine):
        owner = _read(lock)
        if owner is not None and not _lives(owner, _age(lock)):  # it died between two system calls
            lock.unlink(missing_ok=True)  # for whoever comes next
        raise Claimed(f"{path.parent}: another process is taking this run over")
    try:
        now_held, age = _read(path), _age(path)
        if now_held != held or age == math.inf or _lives(held, age):  # it changed hands since we looked
            raise Claimed(f"{path.parent}: another process works on this run")
        with beside(path) as new:
            new.write_text(mine)
    finally:
        lock.unlink(missing_ok=True)


def _keep_alive(path: Path, mine: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):  # a network file system may fail now and answer at the next beat
            if _read(path) == mine:
                os.utime(path)


def _alive(path: Path) -> bool:
    """Does the process that made this claim still work on it, as far as one can know from here?"""
    held = _read(path)
    return held is not None and _lives(held, _age(path))


def _lives(held: str, age: float) -> bool:
    """The same of a claim's content and age in seconds."""
    claim = _parsed(held)
    if claim is None:
        return age < HEARTBEAT_SECONDS  # being written at this moment, or its process was killed meanwhile
    if age > (FORMER_SELF_SECONDS if _is_former_self(claim) else CLAIM_TIMEOUT_SECONDS):
        return False
    return claim.host != socket.gethostname() or _process_start(claim.pid) == claim.start


def _parsed(held: str) -> Claim | None:
    """What a claim says; None if it is not whole."""
    try:
        return Claim.model_validate(json.loads(held))
    except (ValueError, RecursionError):  # pydantic's error is a ValueError
        return None


def _process_start(pid: int) -> str | None:
    """When a process of this host began (clock ticks since boot), None if there is none: pids are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_without_proc(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _started_without_proc(pid: int) -> str | None:
    """Where there is no /proc one can only ask whether the process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _holder(held: str) -> str:
    claim = _parsed(held)
    return "it has just begun" if claim is None else f"pid {claim.pid} on {claim.host}"
