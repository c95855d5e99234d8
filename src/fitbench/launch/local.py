"""Sweeps with submitit on one machine: a few processes that train one run after another.

The plugin's own launcher starts a process for every run, all of them at the same time, and they outlive a sweep that is
ended.
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
ENDING_SECONDS = 20.0  # how long the processes may take to write the state of their runs when the sweep is ended


@dataclass
class Work:
    """What each of the processes does: one job after another that no other has taken, while the sweep lasts.

    Args:
        do: trains the run of a job.
        jobs: the arguments of `do` for each job.
        folder: where a file says of each job that it is taken.
        gpus: what CUDA_VISIBLE_DEVICES is to be; submitit hides all GPUs that it has not been asked for.
    """

    do: Callable[..., JobReturn]
    jobs: list[tuple]
    folder: Path
    gpus: str | None

    def __call__(self) -> dict[int, JobReturn]:
        """What became of the jobs that this process has taken, by their positions."""
        logging.getLogger("submitit").propagate = False  # what it says is not for the log of the last run
        if self.gpus is None:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus
        numbers = range(len(self.jobs))
        mine = (number for number in numbers if _lasts(self.folder) and _taken(self.folder / str(number)))
        return {number: self.do(*self.jobs[number]) for number in mine}


def share(executor: Any, do: Callable[..., JobReturn], jobs: list[tuple], processes: int, gpus: str | None) -> list:
    """Do the jobs in so many processes of a submitit executor; gives what became of each, in their order.

    Raises:
        FitbenchError: a process was lost; the others have gone on to the end.
    """
    with _sweep_folder() as folder:
        with _without_interrupts():
            started = [executor.submit(Work(do, jobs, folder, gpus)) for _ in range(min(processes, len(jobs)))]
        try:
            while not all(process.done() for process in started):
                time.sleep(POLL_SECONDS)
        except BaseException:
            _end(started)
            raise
    results = {number: result for process in started for number, result in _results(process).items()}
    return [results[number] for number in range(len(jobs))]


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started in this block ignore Ctrl-C, which reaches all of a terminal: this one ends them in order."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def _sweep_folder() -> Iterator[Path]:
    """A folder for what the processes tell each other, with a file that is locked for as long as the sweep lasts."""
    with tempfile.TemporaryDirectory(prefix="fitbench-") as name, (Path(name) / "sweep").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Path(name)


def _lasts(folder: Path) -> bool:
    """Whether the launching process goes on with the sweep; even SIGKILL unlocks its file."""
    try:
        with (folder / "sweep").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _taken(path: Path) -> bool:
    """Take the job of this file, unless another process has."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _end(started: Sequence[Any]) -> None:
    """Have the processes write the state of their runs and end."""
    deadline = time.monotonic() + ENDING_SECONDS
    while not all(process.done() for process in started) and time.monotonic() < deadline:
        for process in started:
            process._process.terminate()  # submitit's own `cancel` kills it after a second
        time.sleep(POLL_SECONDS)


def _results(process: Any) -> dict[int, JobReturn]:
    from submitit.core.utils import UncompletedJobError

    try:
        if process.paths.result_pickle.exists():
            return process.result()
    except UncompletedJobError as error:
        raise FitbenchError(f"a process of the sweep failed; {process.paths.stderr} says why") from error
    raise FitbenchError(f"a process was killed, perhaps because memory ran out; it said {process.paths.stderr}")
