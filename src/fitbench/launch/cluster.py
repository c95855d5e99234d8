"""The jobs of a sweep through a launcher of Hydra that has machines of its own, such as Ray and Slurm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from fitbench.errors import FitbenchError
from fitbench.launch.sweep_job import Failure, Job, first_line
from fitbench.record.failure import error_line
from fitbench.record.history import read_history


def threads_per_job(settings: DictConfig) -> int | None:
    """The cores of a job: `cpus_per_task` of submitit or `ray.remote.num_cpus` of Ray; None without them."""
    cores = settings.get("cpus_per_task") or OmegaConf.select(settings, "ray.remote.num_cpus")
    return max(int(cores), 1) if cores else None


def train_elsewhere(
    launcher: Launcher, threads: int | None, size: int, jobs: Sequence[Job], report: Callable[[str], None]
) -> Iterator[tuple[Job, Failure | None]]:
    """Give jobs to a launcher, and yield each job with its failure.

    A launcher that fails is used again for the runs that remain, as long as there was progress since its last failure.

    Args:
        launcher: a launcher of Hydra.
        threads: CPU threads of each run; None leaves the choice to the backend.
        size: how many jobs the launcher gets at a time.
        jobs: the jobs.
        report: called with a line about each failure of the launcher.

    Raises:
        FitbenchError: the launcher failed without progress.
    """
    number = 0
    for start in range(0, len(jobs), size):
        batch = list(jobs[start : start + size])
        epochs = 0
        while batch:
            try:
                results = launcher.launch([job.launched(threads) for job in batch], initial_job_idx=number)
            except Exception as error:
                ended = [job for job in batch if job.ended()]
                if not ended and _epochs(batch) <= epochs:
                    raise _failed(error) from error
                yield from ((job, _recorded_failure(job)) for job in ended)
                batch = [job for job in batch if job not in ended]
                epochs = _epochs(batch)
                report(f"fitbench: {first_line(error)}; the remaining runs are launched again")
            else:
                yield from zip(batch, map(Failure.of_job, results), strict=True)
                number += len(batch)
                batch = []


def _failed(error: Exception) -> FitbenchError:
    if isinstance(error, FitbenchError):
        return error
    return FitbenchError(f"the launcher failed: {first_line(error)}")


def _epochs(jobs: Sequence[Job]) -> int:
    """How many epochs the runs of these jobs have recorded."""
    return sum(len(read_history(job.folder)) for job in jobs)


def _recorded_failure(job: Job) -> Failure | None:
    return Failure(error_line(job.folder) or "it failed") if job.failed() else None
