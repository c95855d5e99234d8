"""Limits how much memory the examples of a data set take on this machine."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fitbench.record.control_groups import folders, read
from fitbench.untrusted import Unreadable

LARGE = 64 * 2**20  # bytes; less is unpacked whatever it was packed to
MOST_PACKED = 200  # times that images become smaller: those of dSprites 116 times, zeros 230 to 1,030 times
REMEDY = "store it without compression (with NumPy: numpy.savez)"


def memory_limit(root: Path = Path("/")) -> int:
    """Return how many bytes decoded images may take: half of the memory that is available to this process now.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    return max(0, min(memory_left(root).values())) // 2


def memory_left(root: Path = Path("/")) -> dict[str, int]:
    """Return the bytes of memory that are available to this process now, by what limits them.

    That is what the machine, the control groups of the process (those of containers and of Slurm's jobs) and its
    limit of address space (`ulimit -v`) leave. Pages of files count as available, because the kernel drops them.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    left = {"the machine": _of_the_machine(root)}
    for limit, bytes_left in (("control group", _of_control_groups(root)), ("ulimit -v", _of_address_space(root))):
        if stated := list(bytes_left):
            left[limit] = min(stated)
    return left


def check_memory(file: BinaryIO, needed: int, advice: str) -> None:
    """Refuse to read a file that takes more memory than there is.

    Args:
        file: the open file.
        needed: the bytes that reading takes.
        advice: the end of the message, which says what to do.

    Raises:
        Unreadable: with all sizes.
    """
    limit = memory_limit()
    if needed > limit:
        size = os.fstat(file.fileno()).st_size
        raise Unreadable(
            f"has {size:,} bytes, which need about {needed:,} bytes of memory, and there is memory for {limit:,}; "
            f"{advice}"
        )


def check_unpacked(packed: int, unpacked: int) -> None:
    """Refuse to unpack what takes more memory than there is, or stands for far more bytes than images would.

    Raises:
        Unreadable: with both sizes.
    """
    limit = memory_limit()
    if unpacked > limit:
        raise Unreadable(f"unpacks to {unpacked:,} bytes, and there is memory for {limit:,}; {REMEDY}")
    if unpacked > max(LARGE, MOST_PACKED * packed):
        raise Unreadable(
            f"unpacks from {packed:,} to {unpacked:,} bytes, more than {MOST_PACKED} times as many; {REMEDY}"
        )


def _of_the_machine(root: Path) -> int:
    fields = dict(line.split(":", 1) for line in read(root / "proc/meminfo").splitlines() if ":" in line)
    available = fields.get("MemAvailable") or fields.get("MemFree")
    if available:
        return int(available.split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # macOS


def _of_control_groups(root: Path) -> Iterator[int]:
    """Yield what each control group of this process leaves, of version 1 or 2, and what the groups above it leave."""
    for place, is_unified in folders("memory", root):
        names = ("memory.max", "memory.high") if is_unified else ("memory.limit_in_bytes",)
        if stated := [int(text) for name in names if (text := read(place / name).strip()).isdecimal()]:
            usage = read(place / ("memory.current" if is_unified else "memory.usage_in_bytes"))
            yield min(stated) - int(usage or 0) + _pages_of_files(place)


def _pages_of_files(group: Path) -> int:
    """Return how many bytes of a control group's memory hold pages of files. Totals of version 1 include subgroups."""
    fields = dict(line.split(maxsplit=1) for line in read(group / "memory.stat").splitlines())
    totals = "total_" if "total_inactive_file" in fields else ""
    return sum(int(fields.get(f"{totals}{name}", 0)) for name in ("inactive_file", "active_file"))


def _of_address_space(root: Path) -> Iterator[int]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int((read(root / "proc/self/statm") or "0").split()[0])
        yield limit - pages * os.sysconf("SC_PAGE_SIZE")
