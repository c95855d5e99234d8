"""Worker processes on this machine: the implementation of `workers=N` for sweeps, searches and tables.

This process gives each worker one task after another. The claims of runs and trials protect what a task works on, so a
worker may be killed at any moment. Workers end with this process, also when it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from fitbench.launch.signals import ENDING_SECONDS, terminable

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """The outcome of a task whose worker ended without a result, for a reason such as 'killed by SIGKILL'."""

    reason: str


def threads_per_worker(workers: int) -> int | None:
    """The cores of this machine divided by the number of workers; None for one worker, which may use all of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores // workers, 1) if workers > 1 else None


def share(do: Callable[[Task], Result], tasks: deque[Task], workers: int) -> Iterator[tuple[Task, Result | Lost]]:
    """Do tasks in worker processes, and yield each task with its result when it ends.

    A worker that ends without a result is replaced. Closing the iterator interrupts the workers: they write the state
    of their runs and end.

    Args:
        do: does one task in a worker. It is pickled, as are tasks and results.
        tasks: the tasks, which are removed as they begin. The caller may append tasks while it iterates.
        workers: the number of processes.
    """
    busy: dict[Connection, tuple[_Worker[Task, Result], Task]] = {}
    idle: list[_Worker[Task, Result]] = []
    try:
        while tasks or busy:
            while tasks and len(busy) < workers:
                worker = idle.pop() if idle else _Worker(do)
                task = tasks.popleft()
                busy[worker.connection] = worker, task
                worker.begin(task)
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker, task = busy.pop(connection)
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
        self.process: BaseProcess = context.Process(target=_serve, args=(end, do), name="fitbench-worker", daemon=True)
        with _without_interrupts():
            self.process.start()
        end.close()

    def begin(self, task: Task) -> None:
        """Send a task to the worker. If the worker has just been killed, the outcome of the task is `Lost`."""
        try:
            self.connection.send(task)
        except ConnectionError:
            return

    def outcome(self) -> Result | Lost:
        """Wait for the result of the task."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
        status = self.process.exitcode or 0
        if status >= 0:
            return Lost(f"ended with status {status}")
        perhaps = ", perhaps because memory ran out" if status == -signal.SIGKILL else ""
        return Lost(f"killed by {signal.Signals(-status).name}{perhaps}")


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let a process that starts in this block ignore Ctrl-C, which a terminal sends to all. This process ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _end(idle: list[_Worker[Any, Any]], busy: list[_Worker[Any, Any]]) -> None:
    """End idle workers, and let busy ones write the state of their runs first."""
    for worker in idle:
        worker.connection.close()
    for worker in busy:
        worker.process.terminate()
    deadline = time.monotonic() + ENDING_SECONDS
    for worker in [*idle, *busy]:
        worker.process.join(max(deadline - time.monotonic(), 0))
        if worker.process.is_alive():
            worker.process.kill()


def _serve(connection: Connection, do: Callable[[Any], Any]) -> None:
    """Do the tasks that arrive until the pipe is closed. This is the main function of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="fitbench-parent", daemon=True).start()
    with terminable():
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
