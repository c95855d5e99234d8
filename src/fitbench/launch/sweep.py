"""A sweep: many jobs, launched until each run has finished, has failed, or is claimed by another process.

The state of a run is read from its folder, so it does not matter which process trained it, on which machine, or how it
ended. A sweep is resumed by launching it again: the jobs are the same, and finished runs are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from fitbench.errors import SweepFailed
from fitbench.launch.job import remove_leftovers
from fitbench.launch.plan import JobState, plan, remarks
from fitbench.launch.progress import SweepProgress
from fitbench.launch.summary import SweepSummary, summarize
from fitbench.launch.sweep_job import Failure, Job
from fitbench.record.folder import State, state_of
from fitbench.record.sweeps import stated
from fitbench.stderr import write_line, write_note
from fitbench.trackers.opening import check_answers

# Launches jobs, yields each with its failure when it ends, and reports in lines what else happens.
Train = Callable[[Sequence[Job], Callable[[str], None]], Iterator[tuple[Job, Failure | None]]]


def run_sweep(jobs: Sequence[Job], train: Train, report: Callable[[SweepSummary], None]) -> None:
    """Launch the jobs of a sweep whose runs are not finished.

    A run that another process works on is not launched. If that process dies during the sweep, the run is taken over.

    Args:
        jobs: every job of the sweep, at least one, also those of finished runs.
        train: launches jobs; see `local.train_here` and `cluster.train_elsewhere`.
        report: called with the summary when the sweep ends, also by an exception.

    Raises:
        RequestError: a tracker of `logger` does not answer; nothing was trained.
        SweepFailed: runs have failed, or are not finished.
        FitbenchError: the launcher failed without progress.
    """
    planned = plan(jobs)
    for remark in remarks(planned):
        write_note(remark)
    jobs = [each.job for each in planned]
    remaining = [each.job.found() for each in planned if each.launched]
    skipped = {each.job.folder for each in planned if each.state is JobState.FINISHED}
    errors = {each.job.folder: each.error for each in planned if each.error is not None}
    for folder in skipped:
        remove_leftovers(folder)
    _check_trackers([each.job for each in planned if each.trained])
    settings = jobs[0].config
    primary = next(iter(settings.metrics))
    progress = SweepProgress([job.folder for job in remaining], len(jobs), skipped, settings.progress, primary)
    try:
        with stated([job.folder for job in jobs] if remaining else []), progress:
            while remaining and not (errors and settings.fail_fast):
                elsewhere = _launch(remaining, train, errors, settings.fail_fast)
                remaining = _abandoned(elsewhere)
    finally:
        summary = summarize([job.folder for job in jobs], skipped, errors)
        report(summary)
    if summary.failures or summary.unfinished:
        refused = {each.job.folder for each in planned if each.state is JobState.REFUSED}
        retried = all(job.config.retry_failed for job in jobs)
        raise SweepFailed(f"{_count(summary)}; {_advice(summary, refused, retried)}")


def _check_trackers(jobs: Sequence[Job]) -> None:
    """Refuse a sweep whose trackers do not answer now. Those that fail later end no run: it goes on without them.

    Args:
        jobs: those whose runs are trained. Of several with the same trackers, the first is asked for.

    Raises:
        RequestError: one does not answer, is not installed, or lacks a setting.
    """
    first = {job.config.logger.model_dump_json(): job for job in reversed(jobs) if job.config.logger is not None}
    for job in first.values():
        check_answers(job.config, job.folder)


def _count(summary: SweepSummary) -> str:
    """Such as '1 of 4 runs failed, 2 are not finished'."""
    failed, unfinished = len(summary.failures), summary.unfinished
    if not failed:
        return f"{unfinished} of {summary.total} runs are not finished"
    return f"{failed} of {summary.total} runs failed" + (f", {unfinished} are not finished" if unfinished else "")


def _advice(summary: SweepSummary, refused: Collection[Path], retried: bool) -> str:
    """How the runs can be trained that a sweep has not finished.

    Args:
        summary: of the sweep.
        refused: the runs whose records cannot be used. No launch trains them.
        retried: whether a launch of the same command trains failed runs.
    """
    failed = [folder for folder in summary.failures if folder not in refused]
    unusable = len(summary.failures) - len(failed)
    remaining = len(failed) + summary.unfinished
    records = f"the records of {unusable} cannot be used" if unusable else ""
    if not remaining:
        return records
    option = " with retry_failed=true" if failed and not retried else ""
    which = f"{remaining} of them; {records}" if unusable else "them"
    return f"launch the sweep again{option} to train {which}"


def _launch(jobs: Sequence[Job], train: Train, errors: dict[Path, str], fail_fast: bool) -> list[Job]:
    """Launch jobs, add the errors of failed ones to `errors`, and return the jobs whose runs other processes have."""
    elsewhere = []
    with closing(train(jobs, write_line)) as ended:  # type: ignore[type-var]
        for job, failure in ended:
            if failure is not None and failure.claimed:
                elsewhere.append(job)
            elif failure is not None and not job.finished():  # else it was lost after it had finished
                errors[job.folder] = failure.error
                if fail_fast:
                    break
    return elsewhere


def _abandoned(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that another process worked on and has abandoned."""
    abandoned = [job for job in jobs if state_of(job.folder) is State.interrupted]
    if abandoned:
        time.sleep(1)  # another process may be taking one of them over now
    return abandoned
