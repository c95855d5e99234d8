"""The jobs of a sweep on this machine: in this process, or in workers that share the runs through their claims."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.version import setbase

from fitbench.errors import FitbenchError
from fitbench.launch.job import run
from fitbench.launch.sweep_job import Failure, Job
from fitbench.launch.workers import Lost, share, threads_per_worker
from fitbench.record.claims import claim
from fitbench.record.failure import error_line
from fitbench.record.files import write_whole
from fitbench.record.log import logged

# Trains the run of a job with so many CPU threads (None: as many as the backend likes). The number is that of the job.
TrainJob = Callable[[Job, int | None, int], Failure | None]


def train_here(
    train: TrainJob, workers: int, jobs: Sequence[Job], report: Callable[[str], None]
) -> Iterator[tuple[Job, Failure | None]]:
    """Train the runs of jobs, and yield each job with its failure when it ends.

    A run whose worker was lost is launched again. It fails if its worker is lost once more before it records an epoch.

    Args:
        train: trains one run in the calling process; it is pickled for workers.
        workers: the number of worker processes; with 1 the jobs are done in this process.
        jobs: the jobs.
        report: called with a line about each lost worker.
    """
    numbered = list(enumerate(jobs))
    if workers == 1:
        for number, job in numbered:
            yield job, _do(train, None, (number, job))
        return
    tasks = deque(numbered)
    seen: dict[Path, tuple[int, int]] = {}  # the histories of runs whose worker was lost
    for (number, job), outcome in share(partial(_do, train, threads_per_worker(workers)), tasks, workers):
        if not isinstance(outcome, Lost):
            yield job, outcome
            continue
        history = _history(job.folder)
        if seen.get(job.folder) != history:
            seen[job.folder] = history
            tasks.append((number, job))
            report(f"fitbench: a worker {outcome.reason}; its run {job.folder.name} is launched again")
        else:
            error = f"its worker {outcome.reason}, twice without an epoch between"
            _record_failure(job.folder, error)
            yield job, Failure(error)


def _do(train: TrainJob, threads: int | None, task: tuple[int, Job]) -> Failure | None:
    """Do a job in this process, with so many CPU threads, unless another process has done it since the sweep began."""
    number, job = task
    if job.failed():
        return Failure(error_line(job.folder) or "it failed in another process")
    if job.finished():
        return None
    return train(job, threads, number)


def train_with_hydra(launcher: Launcher, job: Job, threads: int | None, number: int) -> Failure | None:
    """Let Hydra's basic launcher compose the configuration of a job and train it in this process."""
    setbase("1.3")  # as `hydra.main` does; a worker process has not called it
    Plugins.instance()  # the same: hydra.searchpath needs the registered sources
    [result] = launcher.launch([job.launched(threads)], initial_job_idx=number)
    return Failure.of_job(result)


def directly(job: Job, threads: int | None, _number: int) -> Failure | None:
    """Train a job in this process with the configuration that it has."""
    own_threads = threads if threads is not None and job.config.threads == "auto" else job.config.threads
    try:
        with logged(job.folder):
            run(job.config.model_copy(update={"threads": own_threads, "progress": False}), needs_trackers=False)
    except Exception as error:  # noqa: BLE001 - the sweep reports it; error.txt has the traceback
        return Failure.of_error(error)
    return None


def _history(folder: Path) -> tuple[int, int]:
    """What changes with every epoch that a run records."""
    try:
        status = (folder / "history.jsonl").stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _record_failure(folder: Path, error: str) -> None:
    """Write error.txt for a run whose process could not."""
    with suppress(FitbenchError, OSError), claim(folder):
        write_whole(folder / "error.txt", f"{error}\n")
