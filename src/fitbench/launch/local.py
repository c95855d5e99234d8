"""The jobs of a sweep on this machine: in this process, or in workers that share the runs through their claims."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from hydra.plugins.launcher import Launcher
from hydra.version import setbase

from fitbench.launch.sweep_job import Failure, Job
from fitbench.launch.workers import Lost, share, threads_per_worker
from fitbench.record.history import read_history


def train_here(
    launcher: Launcher, workers: int, jobs: Sequence[Job], report: Callable[[str], None]
) -> Iterator[tuple[Job, Failure | None]]:
    """Train the runs of jobs, and yield each job with its failure when it ends.

    A run whose worker was killed is resumed. It fails if its worker is killed again before it has recorded an epoch.

    Args:
        launcher: Hydra's basic launcher, which does a job in the calling process.
        workers: the number of worker processes; with 1 the jobs are done in this process.
        jobs: the jobs.
        report: called with a line about each killed worker.
    """
    numbered = list(enumerate(jobs))
    if workers == 1:
        for number, job in numbered:
            yield job, _do(launcher, None, (number, job))
        return
    tasks = deque(numbered)
    recorded: dict[Path, int] = {}  # the epochs of runs whose worker was killed
    for (number, job), outcome in share(partial(_do, launcher, threads_per_worker(workers)), tasks, workers):
        if not isinstance(outcome, Lost):
            yield job, outcome
            continue
        epochs = len(read_history(job.folder))
        if epochs > recorded.get(job.folder, -1):
            recorded[job.folder] = epochs
            tasks.append((number, job))
            report(f"fitbench: a worker was {outcome.reason}; {job.folder.name} is resumed")
        else:
            yield job, Failure(f"its worker was {outcome.reason}, twice without an epoch between")


def _do(launcher: Launcher, threads: int | None, task: tuple[int, Job]) -> Failure | None:
    """Do a job in this process, with so many CPU threads."""
    number, job = task
    setbase("1.3")  # as `hydra.main` does; a worker process has not called it
    [result] = launcher.launch([job.launched(threads)], initial_job_idx=number)
    return Failure.of(result)
