"""A sweep: many jobs, launched until each run is finished, failed, or in the hands of somebody else.

What became of a run is read from its folder, so it does not matter which launcher ran it, on which machine, or how it
ended. Launching a sweep again goes through the same jobs and launches what is left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.plugins.launcher import Launcher

from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import recorded
from fitbench.launch.watch import Watch
from fitbench.launch.workers import Workers
from fitbench.record.claims import Claimed
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import lacking, read_result


class SweepFailed(FitbenchError):
    """Some of a sweep's runs failed; the summary has said which."""


@dataclass(frozen=True)
class Job:
    """One combination of a sweep: the overrides that it is launched with, and its run."""

    overrides: list[str]
    config: Config
    folder: Path

    @staticmethod
    def of(overrides: list[str], config: Config) -> Job:
        """The job of a configuration."""
        return Job(overrides, config, folder_of(config))

    def with_seed(self, seed: int) -> Job:
        """The same with another seed, which needs no composing."""
        config = self.config.model_copy(update={"seed": seed})
        return Job([*self.overrides, f"seed={seed}"], config, folder_of(config))


def run_sweep(jobs: Sequence[Job], launcher: Launcher, max_batch_size: int | None, workers: Workers) -> list[JobReturn]:
    """Launch what is left of a sweep, and say at the end what became of each run.

    A run that another process works on is left alone; if that process dies meanwhile, the run is taken over.

    Args:
        jobs: every job of the sweep, whatever the state of its run.
        launcher: Hydra's.
        max_batch_size: how many jobs are handed to the launcher at a time; None for all.
        workers: the launcher's. With `fail_fast` it is handed no more jobs at a time than it has workers.

    Raises:
        RequestError: there are no jobs.
        SweepFailed: runs have failed.
        FitbenchError: the launcher gave up, and again without getting on.
    """
    if not jobs:
        raise RequestError("this sweep has no jobs: one of its keys has no values")
    jobs = list({job.folder: job for job in jobs}.values())  # two combinations may be the same run
    settings = jobs[0].config
    size = workers.number if settings.fail_fast else max_batch_size or len(jobs)
    skipped: set[Path] = set()
    left: list[Job] = []
    errors: dict[Path, str] = {}
    to_evaluate = 0
    for job in jobs:
        try:
            result = recorded(job.config)
            if result is not None and not lacking(job.config, result):
                skipped.add(job.folder)
            elif result is not None:
                to_evaluate += 1
                left.append(job)
            elif settings.retry_failed or state_of(job.folder) is not State.failed:
                left.append(job)
        except FitbenchError as error:  # recorded, but damaged or with other data
            errors[job.folder] = first_line(error)
    watch = Watch([job.folder for job in left], len(jobs), skipped, settings.progress, next(iter(settings.metrics)))
    if to_evaluate:
        watch.say(f"fitbench: finished runs that lack a metric and are evaluated, not trained: {to_evaluate}")
    launches = _Launches(launcher, workers, errors, watch)
    try:
        with watch:
            while left and not (errors and settings.fail_fast):
                batch, left = left[:size], left[size:]
                left = [*launches.launch(batch), *left] or launches.orphans()
    finally:
        failed = print_summary([job.folder for job in jobs], skipped, errors)
    if failed:
        raise SweepFailed(f"{failed} of {len(jobs)} runs failed; the same command tries them again")
    return launches.returns


@dataclass
class _Launches:
    """What was handed to the launcher, and what became of it; `errors` are those of the sweep."""

    launcher: Launcher
    workers: Workers
    errors: dict[Path, str]
    watch: Watch
    returns: list[JobReturn] = field(default_factory=list)
    elsewhere: list[Job] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    epochs: int = 0  # that the jobs had recorded which were left when the launcher gave up

    def launch(self, batch: Sequence[Job]) -> list[Job]:
        """Launch these jobs; gives those that are left, where the launcher gave up but had got on.

        Raises:
            FitbenchError: it gave up and had not.
        """
        overrides = [[*job.overrides, *self.workers.overrides(job.config)] for job in batch]
        try:
            results = self.launcher.launch(overrides, initial_job_idx=len(self.returns))
        except Exception as error:  # noqa: BLE001 - what became of each run is in its folder
            return self._left_over(batch, error)
        self.returns.extend(results)
        for job, result in zip(batch, results, strict=True):
            failure = result._return_value if result.status is JobStatus.FAILED else None
            if isinstance(failure, Claimed):
                self.elsewhere.append(job)
            elif failure is not None and not _complete(job):  # else it was lost afterwards
                self.errors[job.folder] = first_line(failure)
        return []

    def _left_over(self, batch: Sequence[Job], error: Exception) -> list[Job]:
        """The jobs that are neither finished nor failed; what became of each run is in its folder."""
        ended = [job for job in batch if _ended(job.folder, self.began)]
        epochs = sum(len(read_history(job.folder)) for job in batch)
        if not ended and epochs <= self.epochs:
            if isinstance(error, FitbenchError):
                raise error
            raise FitbenchError(f"the launcher gave up: {first_line(error)}") from error
        for job in ended:
            if state_of(job.folder) is State.failed:
                self.errors[job.folder] = _recorded_error(job.folder)
        left = [job for job in batch if job not in ended]
        self.epochs = sum(len(read_history(job.folder)) for job in left)
        self.watch.say(f"fitbench: {first_line(error)}; what is left is launched again")
        return left

    def orphans(self) -> list[Job]:
        """The jobs that another process had in hand and has not any more, though their runs have not ended."""
        left = [job for job in self.elsewhere if state_of(job.folder) is State.interrupted]
        self.elsewhere.clear()
        time.sleep(bool(left))  # whoever was taking one over just now may be at it
        return left


def _complete(job: Job) -> bool:
    """Whether the run is finished and has every metric of its configuration."""
    return state_of(job.folder) is State.finished and not lacking(job.config, read_result(job.folder))


def _ended(folder: Path, began: float) -> bool:
    """Whether the run has finished or failed since then."""
    ends = [path for path in (folder / "result.json", folder / "error.txt") if path.exists()]
    return any(path.stat().st_mtime >= began for path in ends)


def first_line(error: BaseException) -> str:
    """An error in one line, with its type where that is not fitbench's own; where Hydra wraps one, that one."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, FitbenchError) else f"{type(error).__name__}: {lines[0]}"


def print_summary(folders: Sequence[Path], skipped: set[Path], errors: Mapping[Path, str]) -> int:
    """Say on stdout what became of the runs; gives how many have failed."""
    states = {folder: state_of(folder) for folder in folders}
    failed = {
        folder: errors.get(folder) or _recorded_error(folder)
        for folder in folders
        if folder in errors or states[folder] is State.failed
    }
    rest = [folder for folder in folders if folder not in failed]
    counts = {
        "finished": sum(states[folder] is State.finished and folder not in skipped for folder in rest),
        "skipped, finished before": sum(folder in skipped for folder in rest),
        "failed": len(failed),
        "running elsewhere": sum(states[folder] is State.running for folder in rest),
        "interrupted": sum(states[folder] is State.interrupted and folder.exists() for folder in rest),
        "not begun": sum(not folder.exists() for folder in rest),
    }
    for what, count in counts.items():
        if count or what == "finished":
            print(f"{count:6,} {what}")
    for folder, error in failed.items():
        print(f"failed: {folder}: {error}")
    print(f"{len(folders):6,} in all; results in {folders[0].parent}", flush=True)
    return len(failed)


def _recorded_error(folder: Path) -> str:
    lines = (folder / "error.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "error.txt is empty"
