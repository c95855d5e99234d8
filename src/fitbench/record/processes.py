"""Which process this is, what it may use, and whether another one exists as far as that can be observed from here."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitbench.record.schemas import Claim


def this_process() -> dict[str, Any]:
    """Host, boot, process namespace, pid and start of this process, as `schemas.Claim` describes them."""
    try:
        start = _state_and_start("self")[1]
    except OSError:
        start = "unknown"
    return {**_place(), "pid": os.getpid(), "start": start}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def exists(claim: Claim) -> bool | None:
    """Whether the process of a claim exists, running or stopped. None: it cannot be observed from here.

    A process can be observed if it has the same host, boot and process namespace as this one, and if /proc shows it.
    /proc may hide the processes of other users, and macOS has none. A process that has ended does not exist, even if
    its parent has not been told yet.
    """
    place = _place()
    if None in place.values() or place != {key: getattr(claim, key) for key in place}:
        return None
    try:
        os.kill(claim.pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        pass
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):  # /proc shows the processes of another namespace
            return None
        state, start = _state_and_start(str(claim.pid))
    except OSError:
        return None
    return state not in "ZX" and start == claim.start


def _place() -> dict[str, str | None]:
    """Where this process runs. Pids of the same place are comparable."""
    try:
        boot: str | None = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace: str | None = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = namespace = None
    return {"host": socket.gethostname(), "boot": boot, "namespace": namespace}


def _state_and_start(pid: str) -> tuple[str, str]:
    """A process's state (Z and X: it has ended) and when it began, in clock ticks since the boot."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]
