"""What workers do in tests. Worker processes import this module."""

import os
import signal
import sys
import time
from collections import deque
from pathlib import Path

from fitbench.launch import workers


def wait_for(folder: Path, pattern: str, number: int = 1) -> None:
    """Wait until the folder has so many files of this pattern."""
    deadline = time.monotonic() + 60
    while len(list(folder.glob(pattern))) < number and time.monotonic() < deadline:
        time.sleep(0.01)


def meet(task: tuple[Path, int]) -> tuple[int, int]:
    """Wait until two tasks have begun, and return the number of the task and the process id."""
    folder, number = task
    (folder / f"begun-{number}").touch(exist_ok=False)
    wait_for(folder, "begun-*", 2)
    return number, os.getpid()


def kill_first(task: tuple[Path, int]) -> int:
    """Kill this process, but not if the file `killed` says that this has been done before."""
    folder, number = task
    if number == 0 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_for_the_end(folder: Path) -> None:
    """Wait for a signal after Ctrl-C has been ignored, and write that it has come."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        (folder / f"begun-{os.getpid()}").touch()
        time.sleep(60)
    except SystemExit as end:
        (folder / f"ended-{os.getpid()}").write_text(str(end.code))
        raise


def leave_a_process(folder: Path) -> None:
    """Start a process that outlives this one and holds its pipes, and kill this one."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    (folder / "pid").write_text(str(child))
    os.kill(os.getpid(), signal.SIGKILL)


def swallow(task: tuple[Path, bool]) -> None:
    """End when another task has begun, or swallow every exception, so that no signal ends this process."""
    folder, ends = task
    if ends:
        wait_for(folder, "begun-*")
        return
    workers.ENDING_SECONDS = 0.5
    (folder / f"begun-{os.getpid()}").touch()
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - as a user's code may do
            continue


if __name__ == "__main__":
    import worker_tasks as tasks  # workers do not know this program, but the module

    folder = Path(sys.argv[1])
    work, task = (tasks.swallow, (folder, False)) if sys.argv[2] == "swallow" else (tasks.wait_for_the_end, folder)
    for _ in workers.share(work, deque([task] * 2), 2):
        pass
