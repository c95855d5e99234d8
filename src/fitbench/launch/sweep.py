"""A sweep: many jobs, launched until each run has finished, has failed, or is claimed by another process.

The state of a run is read from its folder, so it does not matter which launcher started it, on which machine, or how it
ended. A sweep is resumed by launching it again: the jobs are the same, and finished runs are skipped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.plugins.launcher import Launcher

from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import recorded
from fitbench.launch.progress import Progress
from fitbench.launch.summary import SweepSummary, recorded_error, summarize
from fitbench.launch.workers import Workers
from fitbench.record.claims import Claimed
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import lacking, read_result


class SweepFailed(FitbenchError):
    """Some runs of a sweep failed. The summary names them."""


@dataclass(frozen=True)
class Job:
    """One combination of a sweep: its overrides, its configuration, and the folder of its run."""

    overrides: list[str]
    config: Config
    folder: Path

    @staticmethod
    def of(overrides: list[str], config: Config) -> Job:
        """Return the job of a configuration."""
        return Job(overrides, config, folder_of(config))

    def with_seed(self, seed: int) -> Job:
        """Return the same job with another seed. This is faster than composing its configuration."""
        config = self.config.model_copy(update={"seed": seed})
        return Job([*self.overrides, f"seed={seed}"], config, folder_of(config))


def run_sweep(
    jobs: Sequence[Job],
    launcher: Launcher,
    max_batch_size: int | None,
    workers: Workers,
    report: Callable[[SweepSummary], None],
) -> list[JobReturn]:
    """Launch the jobs of a sweep whose runs are not finished.

    A run that another process works on is not launched. If that process dies during the sweep, the run is taken over.

    Args:
        jobs: every job of the sweep, also those of finished runs.
        launcher: a launcher of Hydra.
        max_batch_size: how many jobs the launcher gets at a time; None for all.
        workers: the workers of the launcher. With `fail_fast` it gets no more jobs at a time than it has workers.
        report: called with the summary when the sweep ends, also by an exception.

    Raises:
        RequestError: there are no jobs.
        SweepFailed: runs have failed.
        FitbenchError: the launcher failed without progress since it was last used.
    """
    if not jobs:
        raise RequestError("this sweep has no jobs: one of its keys has no values")
    jobs = list({job.folder: job for job in jobs}.values())  # two combinations may be the same run
    settings = jobs[0].config
    size = workers.number if settings.fail_fast else max_batch_size or len(jobs)
    remaining, skipped, errors = _sort(jobs)
    pending = [job.folder for job in remaining]
    primary = next(iter(settings.metrics))
    progress = Progress(pending, len(jobs), skipped, enabled=settings.progress, primary=primary)
    launches = _Launches(launcher, workers, errors, progress)
    try:
        with progress:
            while remaining and not (errors and settings.fail_fast):
                batch, remaining = remaining[:size], remaining[size:]
                remaining = [*launches.launch(batch), *remaining] or launches.orphans()
    finally:
        summary = summarize([job.folder for job in jobs], skipped, errors)
        report(summary)
    if summary.failures:
        raise SweepFailed(
            f"{len(summary.failures)} of {len(jobs)} runs failed; run the same command again to retry them"
        )
    return launches.returns


def _sort(jobs: Sequence[Job]) -> tuple[list[Job], set[Path], dict[Path, str]]:
    """Return the jobs to launch, the folders of finished runs, and the errors of runs whose record is wrong."""
    remaining: list[Job] = []
    skipped: set[Path] = set()
    errors: dict[Path, str] = {}
    to_evaluate = 0
    for job in jobs:
        try:
            result = recorded(job.config)
            if result is not None and not lacking(job.config, result):
                skipped.add(job.folder)
            elif result is not None or job.config.retry_failed or state_of(job.folder) is not State.failed:
                remaining.append(job)
                to_evaluate += result is not None
        except FitbenchError as error:  # the record is damaged, or belongs to other data
            errors[job.folder] = first_line(error)
    if to_evaluate:
        sys.stderr.write(f"fitbench: finished runs that lack a metric and are evaluated, not trained: {to_evaluate}\n")
    return remaining, skipped, errors


@dataclass
class _Launches:
    """The launches of a sweep.

    Attributes:
        launcher, workers: see `run_sweep`.
        errors: the errors of the sweep, by run folder. Launches add to them.
        progress: the progress display of the sweep.
        returns: the results of the launcher so far.
        elsewhere: jobs whose runs are claimed by other processes.
        began: when the sweep began (seconds since the epoch).
        epochs: how many epochs the remaining jobs had recorded when the launcher last failed.
    """

    launcher: Launcher
    workers: Workers
    errors: dict[Path, str]
    progress: Progress
    returns: list[JobReturn] = field(default_factory=list)
    elsewhere: list[Job] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    epochs: int = 0

    def launch(self, batch: Sequence[Job]) -> list[Job]:
        """Launch jobs. If the launcher fails after some progress, return the jobs that remain.

        Raises:
            FitbenchError: the launcher failed without progress.
        """
        overrides = [[*job.overrides, *self.workers.overrides(job.config)] for job in batch]
        try:
            results = self.launcher.launch(overrides, initial_job_idx=len(self.returns))
        except Exception as error:  # noqa: BLE001 - the state of each run is in its folder
            return self._remaining(batch, error)
        self.returns.extend(results)
        for job, result in zip(batch, results, strict=True):
            failure = result._return_value if result.status is JobStatus.FAILED else None
            if isinstance(failure, Claimed):
                self.elsewhere.append(job)
            elif failure is not None and not _complete(job):  # else it was lost after it had finished
                self.errors[job.folder] = first_line(failure)
        return []

    def _remaining(self, batch: Sequence[Job], error: Exception) -> list[Job]:
        """Return the jobs whose runs have neither finished nor failed."""
        ended = [job for job in batch if _ended(job.folder, self.began)]
        epochs = sum(len(read_history(job.folder)) for job in batch)
        if not ended and epochs <= self.epochs:
            if isinstance(error, FitbenchError):
                raise error
            raise FitbenchError(f"the launcher failed: {first_line(error)}") from error
        for job in ended:
            if state_of(job.folder) is State.failed:
                self.errors[job.folder] = recorded_error(job.folder)
        remaining = [job for job in batch if job not in ended]
        self.epochs = sum(len(read_history(job.folder)) for job in remaining)
        self.progress.write_line(f"fitbench: {first_line(error)}; the remaining runs are launched again")
        return remaining

    def orphans(self) -> list[Job]:
        """Return the jobs that another process worked on and has abandoned."""
        abandoned = [job for job in self.elsewhere if state_of(job.folder) is State.interrupted]
        self.elsewhere.clear()
        time.sleep(bool(abandoned))  # another process may be taking one of them over now
        return abandoned


def _complete(job: Job) -> bool:
    """Whether the run is finished and has every metric of its configuration."""
    return state_of(job.folder) is State.finished and not lacking(job.config, read_result(job.folder))


def _ended(folder: Path, began: float) -> bool:
    """Whether the run has finished or failed since `began` (seconds since the epoch)."""
    ends = [path for path in (folder / "result.json", folder / "error.txt") if path.exists()]
    return any(path.stat().st_mtime >= began for path in ends)


def first_line(error: BaseException) -> str:
    """Return an error in one line. Its type is named if it is not an error of fitbench. Hydra's wrapper is removed."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, FitbenchError) else f"{type(error).__name__}: {lines[0]}"
