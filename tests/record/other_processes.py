"""Other processes that work on the same files: forked ones, and the claims and files that they leave."""

import contextlib
import ctypes
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from fitbench.record.claims import claim
from fitbench.record.files import write_whole
from fitbench.record.processes import this_process

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000  # of linux/sched.h

forked = multiprocessing.get_context("fork")


def processes(count: int, target: Callable, *arguments: Any) -> list[int | None]:
    """The exit statuses of `count` forked processes that each call `target(number, *arguments)`."""
    made = [forked.Process(target=target, args=(number, *arguments)) for number in range(count)]
    for process in made:
        process.start()
    for process in made:
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
    return [process.exitcode for process in made]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def made_by(
    folder: Path, host: str | None = None, pid: int | None = None, start: str = "1", age: float = 0, **others: Any
) -> Path:
    """A claim that somebody else made; with the defaults, this process's pid in an earlier life."""
    claim = this_process() | {"host": host or socket.gethostname(), "pid": pid or os.getpid(), "start": start, **others}
    path = folder / "claim.json"
    path.write_text(json.dumps(claim))
    os.utime(path, (time.time() - age,) * 2)
    return path


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: it did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)


def hold(folder: Path, release: Path) -> None:
    """Hold the claim of a folder until the file `release` exists."""
    with claim(folder):
        wait_until(release.exists, 60)


@dataclass
class Holder:
    """A process that holds a claim: its pid as it is seen from here, and what was forked for it."""

    pid: int
    forked: BaseProcess

    def wait(self) -> int | None:
        """Wait for the process; gives its exit status."""
        self.forked.join(60)
        return self.forked.exitcode


@contextlib.contextmanager
def holder(folder: Path, namespace: str | None = None, work: Callable[[Path, Path], None] = hold) -> Iterator[Holder]:
    """Let a forked process hold the claim of a folder. It ends with the block.

    Args:
        folder: of the run.
        namespace: None for ours; "bare" for a process namespace of its own, and "container" for one with a /proc of its
            own. Both need root.
        work: what the process does, with the folder and the path of a file that tells it to end.
    """
    release, told = folder.with_suffix(".release"), folder.with_suffix(".pid")
    if namespace is None:
        process = forked.Process(target=work, args=(folder, release))
    else:
        process = forked.Process(target=_start_in, args=(namespace, told, work, folder, release))
    process.start()
    wait_until(lambda: (folder / "claim.json").exists() and (folder / "claim.json").stat().st_size > 0)
    wait_until(lambda: namespace is None or told.exists())
    pid = process.pid if namespace is None else int(told.read_text())
    assert pid is not None
    try:
        yield Holder(pid, process)
    finally:
        release.touch()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        process.join()


def _start_in(namespace: str, told: Path, work: Callable[[Path, Path], None], folder: Path, release: Path) -> None:
    container = namespace == "container"
    enter_namespace(CLONE_NEWPID | (CLONE_NEWNS if container else 0))
    process = forked.Process(target=_work_in_container if container else work, args=(folder, release))
    process.start()
    write_whole(told, str(process.pid))
    process.join()
    sys.exit(process.exitcode)


def _work_in_container(folder: Path, release: Path) -> None:
    mount_own_proc()
    hold(folder, release)


def enter_namespace(flags: int) -> None:
    """Move this process, or with CLONE_NEWPID its children, into namespaces of their own. This needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def mount_own_proc(*options: str) -> None:
    """Mount /proc for this process's namespaces only."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "proc", *options, "proc", "/proc"], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces and other users")
