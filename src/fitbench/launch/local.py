"""Sweeps with submitit on one machine: a few processes, each of which trains one run after another.

The launcher of the plugin starts one process per run, all at the same time. They outlive a sweep that is interrupted.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn

from fitbench.errors import FitbenchError

POLL_SECONDS = 0.1
ENDING_SECONDS = 20.0  # for the processes to write the state of their runs when the sweep is interrupted


@dataclass
class Work:
    """The work of one process: while the sweep lasts, it does one job after another that no process has taken.

    Attributes:
        do: trains the run of a job.
        jobs: the arguments of `do` for each job.
        folder: holds a file for each job that is taken.
        gpus: the value of CUDA_VISIBLE_DEVICES. submitit would hide every GPU that was not requested from it.
    """

    do: Callable[..., JobReturn]
    jobs: list[tuple]
    folder: Path
    gpus: str | None

    def __call__(self) -> dict[int, JobReturn]:
        """Return the results of the jobs that this process took, by their positions."""
        logging.getLogger("submitit").propagate = False  # its messages would go into the log of the last run
        if self.gpus is None:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus
        numbers = range(len(self.jobs))
        taken = (number for number in numbers if _sweep_lasts(self.folder) and _take(self.folder / str(number)))
        return {number: self.do(*self.jobs[number]) for number in taken}


def share(executor: Any, do: Callable[..., JobReturn], jobs: list[tuple], processes: int, gpus: str | None) -> list:
    """Do jobs in processes of a submitit executor, and return their results in order.

    Args:
        executor: a `submitit.LocalExecutor`.
        do: does one job.
        jobs: the arguments of `do` for each job.
        processes: the number of processes.
        gpus: see `Work`.

    Raises:
        FitbenchError: a process was lost. The other processes have done the remaining jobs.
    """
    with _sweep_folder() as folder:
        with _without_interrupts():
            started = [executor.submit(Work(do, jobs, folder, gpus)) for _ in range(min(processes, len(jobs)))]
        try:
            while not all(process.done() for process in started):
                time.sleep(POLL_SECONDS)
        except BaseException:
            _terminate(started)
            raise
    results = {number: result for process in started for number, result in _results(process).items()}
    return [results[number] for number in range(len(jobs))]


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes that start in this block ignore Ctrl-C, which a terminal sends to all. This process ends them."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def _sweep_folder() -> Iterator[Path]:
    """Create a folder that the processes share, with a file that is locked while the sweep lasts."""
    with tempfile.TemporaryDirectory(prefix="fitbench-") as name, (Path(name) / "sweep").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Path(name)


def _sweep_lasts(folder: Path) -> bool:
    """Whether the launching process still runs the sweep. Its lock ends with it, even on SIGKILL."""
    try:
        with (folder / "sweep").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _take(path: Path) -> bool:
    """Take the job of this file, and return whether it was free."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _terminate(started: Sequence[Any]) -> None:
    """Let the processes write the state of their runs and end."""
    deadline = time.monotonic() + ENDING_SECONDS
    while not all(process.done() for process in started) and time.monotonic() < deadline:
        for process in started:
            process._process.terminate()  # `cancel` of submitit would kill the process after a second
        time.sleep(POLL_SECONDS)


def _results(process: Any) -> dict[int, JobReturn]:
    from submitit.core.utils import UncompletedJobError

    try:
        if process.paths.result_pickle.exists():
            return process.result()
    except UncompletedJobError as error:
        raise FitbenchError(f"a process of the sweep failed; see {process.paths.stderr}") from error
    raise FitbenchError(f"a process was killed, perhaps because memory ran out; see {process.paths.stderr}")
