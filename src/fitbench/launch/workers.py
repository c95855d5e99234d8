"""Worker processes on this machine: the implementation of `workers=N` for sweeps, searches and tables.

This process gives each worker one task after another. The claims of runs and trials protect what a task works on, so a
worker may be killed at any moment. Workers end with this process, also when it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from fitbench.errors import FitbenchError
from fitbench.launch.signals import ENDING_SECONDS, SIGNALS, in_one_piece, terminable
from fitbench.record.processes import cores
from fitbench.streams import open_standard_streams

Task = TypeVar("Task")
Result = TypeVar("Result")


BLOCKED = {signal.SIGINT, *SIGNALS}  # while a worker starts
POLL_SECONDS = 1.0  # between two looks whether the workers exist
STATUS = 128 + signal.SIGTERM  # the exit status of a worker that ends with its parent


@dataclass(frozen=True)
class Lost:
    """The outcome of a task whose worker ended without a result.

    Attributes:
        reason: such as 'was killed by SIGKILL' or 'ended with status 3'.
        pid: the process id of the worker.
    """

    reason: str
    pid: int


def threads_per_worker(workers: int) -> int | None:
    """The cores of this machine divided by the number of workers; None for one worker, which may use all of them."""
    return max(cores() // workers, 1) if workers > 1 else None


def share(do: Callable[[Task], Result], tasks: deque[Task], workers: int) -> Iterator[tuple[Task, Result | Lost]]:
    """Do tasks in worker processes, and yield each task with its result when it ends.

    A worker that ends without a result is replaced. Closing the iterator interrupts the workers: they write the state
    of their runs and end.

    Args:
        do: does one task in a worker. It is pickled, as are tasks and results.
        tasks: the tasks, which are removed as they begin. The caller may append tasks while it iterates.
        workers: the number of processes.

    Raises:
        FitbenchError: a worker could not start.
    """
    busy: dict[Connection, tuple[_Worker[Task, Result], Task]] = {}
    idle: list[_Worker[Task, Result]] = []
    try:
        while tasks or busy:
            while tasks and len(busy) < workers:
                with _signals_pending():  # until the worker is one of those that end
                    worker = idle.pop() if idle else _Worker(do)
                    task = tasks.popleft()
                    busy[worker.connection] = worker, task
                worker.begin(task)
            wait(list(busy), POLL_SECONDS)
            for connection, (worker, task) in list(busy.items()):
                if not worker.has_outcome():
                    continue
                del busy[connection]
                outcome = worker.outcome()
                if not isinstance(outcome, Lost):
                    idle.append(worker)
                yield task, outcome
    finally:
        _end(idle, [worker for worker, _ in busy.values()])


class _Worker(Generic[Task, Result]):
    """A worker process, and this process's end of the pipe to it."""

    def __init__(self, do: Callable[[Task], Result]) -> None:
        context = multiprocessing.get_context("spawn")  # a process in which TensorFlow runs cannot be forked
        self.connection, end = context.Pipe()
        self.ready = False
        self.process: BaseProcess = context.Process(target=_serve, args=(end, do), name="fitbench-worker")
        with _without_main():
            self.process.start()
        end.close()

    def begin(self, task: Task) -> None:
        """Send a task to the worker. If the worker has just been killed, the outcome of the task is `Lost`."""
        try:
            self.connection.send(task)
        except ConnectionError:
            return

    def has_outcome(self) -> bool:
        """Whether there is a result, or the worker has ended. A process that it has left behind may hold the pipe."""
        if not self.ready and self.connection.poll():
            with suppress(EOFError, ConnectionError):
                self.ready = self.connection.recv()
        return (self.ready and self.connection.poll()) or not self.process.is_alive()

    def outcome(self) -> Result | Lost:
        """The result of the task.

        Raises:
            FitbenchError: the worker has ended by itself before it was ready.
        """
        if self.ready and self.connection.poll():
            with suppress(EOFError, ConnectionError):
                return self.connection.recv()
        self.process.join()
        self.connection.close()
        status, pid = self.process.exitcode or 0, self.process.pid or 0
        if status >= 0 and not self.ready:
            raise FitbenchError(f"a worker ended with status {status} before it was ready; stderr says why")
        if status >= 0:
            return Lost(f"ended with status {status}", pid)
        perhaps = ", perhaps because memory ran out" if status == -signal.SIGKILL else ""
        return Lost(f"was killed by {signal.Signals(-status).name}{perhaps}", pid)


@contextmanager
def _signals_pending() -> Iterator[None]:
    """Let signals wait until the end of this block, and let a process that starts in it have them blocked.

    A terminal sends Ctrl-C to all processes. This one ends the workers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # which would unblock them in the block
    with in_one_piece():  # another thread may get a signal
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a process that starts in this block not run the program again, which `multiprocessing` would import there.

    A worker needs nothing of it, and a script without `if __name__ == "__main__"` would start workers of its own. A
    notebook and a program on stdin have no file that could be imported.
    """
    main = sys.modules["__main__"]
    hidden = {name: main.__dict__.pop(name) for name in ("__spec__", "__file__") if name in main.__dict__}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update({"__spec__": None} | hidden)


def _end(idle: list[_Worker[Any, Any]], busy: list[_Worker[Any, Any]]) -> None:
    """End idle workers, and let busy ones write the state of their runs first."""
    for worker in idle:
        worker.connection.close()
    for worker in busy:
        worker.process.terminate()
    deadline = time.monotonic() + ENDING_SECONDS
    try:
        for worker in [*idle, *busy]:
            worker.process.join(max(deadline - time.monotonic(), 0))
    finally:  # also if this process is interrupted once more
        for worker in [*idle, *busy]:
            worker.process.kill()
            worker.process.join()


def _serve(connection: Connection, do: Callable[[Any], Any]) -> None:
    """Do the tasks that arrive until the pipe is closed. This is the main function of a worker."""
    open_standard_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(connection.fileno(), False)
    threading.Thread(target=_end_with_parent, name="fitbench-parent", daemon=True).start()
    with terminable():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        connection.send(True)  # ready
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            connection.send(do(task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDING_SECONDS)
    os._exit(STATUS)  # the code of the user keeps the process from ending
