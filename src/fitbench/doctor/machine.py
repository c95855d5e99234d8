"""What this machine and its limits let a process use: cores, memory, shared memory."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from fitbench.data.memory_limit import memory_left
from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.record.control_groups import folders, read
from fitbench.record.processes import cores

GB = 10**9
WORKER = GB  # bytes of memory that a worker takes, about
SMALL_SHARED = 10**8  # bytes of /dev/shm; containers have 64 MiB by default


def system() -> Finding:
    """The operating system and the processor."""
    name = re.search(r"^model name\s*:\s*(.+)$", read(Path("/proc/cpuinfo")), re.MULTILINE)
    return ok("platform", f"{platform.platform(terse=True)}, {name[1] if name else platform.machine()}")


def core_count(root: Path = Path("/"), usable: int | None = None, total: int | None = None) -> Finding:
    """How many cores a process may use, and what keeps it from the others.

    Args:
        root: the folder that holds `proc` and `sys`.
        usable: the cores that its affinity allows; None for those of this process.
        total: the cores of the machine; None for those of this machine.
    """
    usable, total = usable or cores(), total or os.cpu_count() or 1
    quota = cpu_quota(root)
    details = {"cores": usable, "of": total, "quota": quota}
    affinity = f"{usable} of {total} cores" if usable < total else f"{total} {'core' if total == 1 else 'cores'}"
    if quota is None or quota >= usable:
        return ok("cores", affinity, **details)
    whole = max(round(quota), 1)
    text = f"{affinity}, but a control group allows the time of {quota:g}; more threads only wait for each other"
    return note(
        "cores", text, f"threads={whole} for one run, workers={whole} at most; or ask for more cores", **details
    )


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The cores whose time the control groups of this process allow, None without a limit."""
    quotas = []
    for folder, is_unified in folders("cpu", root):
        if is_unified:
            quota, _, period = read(folder / "cpu.max").strip().partition(" ")
        else:
            quota, period = (read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def memory(root: Path = Path("/")) -> Finding:
    """How much memory is available to this process, and what limits it."""
    left = memory_left(root)
    limit, available = min(left.items(), key=lambda each: each[1])
    stated = re.search(r"^MemTotal:\s*(\d+)", read(root / "proc/meminfo"), re.MULTILINE)
    total = int(stated[1]) * 1024 if stated else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    others = "" if limit == "the machine" else f"; {limit} leaves less than the machine"
    text = f"{gigabytes(available)} available of {gigabytes(total)}{others}"
    details = {"available": available, "total": total, "limit": limit}
    if available >= WORKER:
        return ok("memory", text, **details)
    return problem(
        "memory", f"{text}; a run needs about {gigabytes(WORKER)}",
        "end other programs" if limit == "the machine" else f"raise the limit: {limit}", **details,
    )  # fmt: skip


def workers(root: Path = Path("/"), usable: int | None = None) -> Finding:
    """How many worker processes the memory and the cores allow.

    Args:
        root: the folder that holds `proc` and `sys`.
        usable: the cores that a process may use; None for those of this process.
    """
    by_memory = min(memory_left(root).values()) // WORKER
    by_cores = max(int(min(usable or cores(), cpu_quota(root) or float("inf"))), 1)
    most = max(min(by_memory, by_cores), 1)
    text = f"workers={most} at most: memory for {max(by_memory, 0)} (about 1 GB each), cores for {by_cores}"
    return ok("workers", text, workers=most)


def shared_memory(folder: Path = Path("/dev/shm"), size: int | None = None) -> Finding:
    """Whether there is room for memory that processes share, which Ray uses.

    Args:
        folder: where it is.
        size: its bytes; None to ask the file system.
    """
    if not folder.is_dir():
        return ok("shared memory", f"no {folder} here", bytes=None)
    if size is None:
        status = os.statvfs(folder)
        size = status.f_blocks * status.f_frsize
    if size >= SMALL_SHARED:
        return ok("shared memory", f"{gigabytes(size)} in {folder}", bytes=size)
    text = f"{size / 1e6:,.0f} MB in {folder}; hydra/launcher=ray is slow with so little"
    return note("shared memory", text, "start the container with --shm-size=1g", bytes=size)


def gigabytes(size: float) -> str:
    """Bytes as '3.2 GB'."""
    return f"{max(size, 0) / GB:,.1f} GB"
