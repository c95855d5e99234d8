"""The control groups of this process, those of containers and of Slurm's jobs, as the kernel shows them in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

UNIFIED = ""  # what version 2 has in place of the names of controllers


def folders(controller: str, root: Path = Path("/")) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of each control group of this process and of the groups above it, which may not exist.

    Args:
        controller: memory or cpu.
        root: the folder that holds `proc` and `sys`.

    Yields:
        a folder, and whether its files are those of version 2.
    """
    mounts = root / "sys/fs/cgroup"
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        is_unified = controllers == UNIFIED
        if is_unified:
            places = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            places = list(dict.fromkeys([mounts / controller, mounts / controllers]))
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))  # a container may see the path that its host knows
        for folder in places:
            for each in (group, *group.parents):
                yield folder / each, is_unified


def read(path: Path) -> str:
    """Return the content of a file of the kernel, empty if there is none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
