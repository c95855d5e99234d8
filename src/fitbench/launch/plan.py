"""What launching jobs would do: what is recorded of each, and whether it is launched. Nothing is written.

A sweep launches what `plan` says, and `--dry-run` prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from fitbench.config.identity import differing_path, paths
from fitbench.data.fingerprint import fingerprint
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import FingerprintOf, publishing, recorded_result
from fitbench.launch.sweep_job import Job, first_line
from fitbench.record.files import exists
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history
from fitbench.record.interrupted import epoch_of_checkpoint
from fitbench.record.parents import lacks_state
from fitbench.record.reading import lacking
from fitbench.record.trash import trained_anew


class JobState(StrEnum):
    """What a job is before a launch, in the order in which people read it."""

    FINISHED = "finished"
    TO_EVALUATE = "to evaluate"
    TO_REPEAT = "to train again"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    REFUSED = "refused"
    RUNNING = "running elsewhere"
    PRUNED = "pruned"
    NEW = "new"

    @property
    def trains(self) -> bool:
        """Whether a launch that begins such a job trains it in this process or its workers."""
        return self not in (JobState.FINISHED, JobState.TO_EVALUATE, JobState.REFUSED, JobState.RUNNING)

    @property
    def cleared_by_force(self) -> bool:
        """Whether force=true removes what is recorded of such a job before it is trained."""
        return self in (JobState.TO_REPEAT, JobState.FAILED)


_STATES = {  # of runs that are not finished, or are to be trained again
    State.finished: JobState.TO_REPEAT,
    State.interrupted: JobState.INTERRUPTED,
    State.failed: JobState.FAILED,
    State.running: JobState.RUNNING,
    State.pruned: JobState.PRUNED,
}


@dataclass(frozen=True)
class Planned:
    """A job, and what a launch does with it.

    Attributes:
        job: the job.
        state: what it is before the launch.
        launched: whether a launch begins it. A run that is running elsewhere is taken over if its process dies.
        epochs: those of a finished run; None of any other.
        lacks_state: whether a finished run has not kept the state that its configuration asks for.
        error: why what is recorded cannot be used; such a job has failed without being launched.
    """

    job: Job
    state: JobState
    launched: bool = False
    epochs: int | None = None
    lacks_state: bool = False
    error: str | None = None

    @property
    def trained(self) -> bool:
        """Whether a launch trains the run in this process or its workers."""
        return self.launched and self.state.trains

    @property
    def skipped(self) -> bool:
        """Whether it is left out because it failed before."""
        return self.state is JobState.FAILED and not self.launched

    def epochs_done(self) -> int:
        """The epochs that the run has, or after which it resumes: those of its checkpoint, or of its parent."""
        if self.epochs is not None:
            return self.epochs
        config, folder = self.job.config, self.job.folder
        is_cleared = config.force and self.state.cleared_by_force
        done = 0 if is_cleared else epoch_of_checkpoint(folder)
        return done if done or config.parent is None else len(read_history(Path(config.parent.folder)))


@dataclass(frozen=True)
class Plan:
    """The jobs of a launch, and how many are trained at a time.

    Attributes:
        planned: the jobs, at least one.
        workers: processes of this machine that share them.
        launcher: the name of a launcher of other machines; None for this machine.
    """

    planned: list[Planned]
    workers: int = 1
    launcher: str | None = None

    @property
    def status(self) -> int:
        """The exit status of a dry run: 1 if what is recorded of a job cannot be used."""
        return int(any(each.state is JobState.REFUSED for each in self.planned))


def plan(jobs: Sequence[Job]) -> list[Planned]:
    """What a launch does with these jobs. Of several that are the same run, there is the last.

    Raises:
        RequestError: two of them are the same run, but with data from different places.
    """
    by_folder: dict[Path, Job] = {}
    for job in jobs:
        if (other := by_folder.setdefault(job.folder, job)) is not job:
            _check_paths(other, job)
    fingerprint_of = cache(fingerprint)  # of files that may be many, looked at once for all jobs
    return [_planned(job, fingerprint_of) for job in {job.folder: job for job in jobs}.values()]


def _check_paths(job: Job, other: Job) -> None:
    """Refuse two jobs that are the same run, but with data from different places."""
    if key := differing_path(job.config, other.config):
        raise RequestError(
            f"two jobs are the run {job.folder.name}, with {key} {paths(job.config)[key]} and "
            f"{paths(other.config)[key]}; a path is no part of a run's identity, so give each of these data sets a "
            "name with data.name=NAME"
        )


def _planned(job: Job, fingerprint_of: FingerprintOf) -> Planned:
    try:
        result = recorded_result(job.config, fingerprint_of)
        return _of_unfinished(job) if result is None else _of_finished(job, result)
    except FitbenchError as error:  # the record is damaged, or belongs to other data
        return Planned(job, JobState.REFUSED, error=first_line(error))


def _of_finished(job: Job, result: dict[str, Any]) -> Planned:
    epochs = result["metrics"]["epochs"]
    if lacking(job.config, result):
        return Planned(job, JobState.TO_EVALUATE, launched=True, epochs=epochs)
    return Planned(job, JobState.FINISHED, epochs=epochs, lacks_state=lacks_state(job.config, job.folder))


def _of_unfinished(job: Job) -> Planned:
    """Of a run that is not finished, or is to be trained again."""
    state = state_of(job.folder)
    launched = job.config.retry_failed or state is not State.failed
    if state is State.interrupted and not exists(job.folder):
        return Planned(job, JobState.NEW, launched)
    return Planned(job, _STATES[state], launched)


def count(planned: Sequence[Planned]) -> dict[JobState, int]:
    """The number of jobs in each state."""
    counts = Counter(each.state for each in planned)
    return {state: counts[state] for state in JobState}


def remarks(planned: Sequence[Planned]) -> list[str]:
    """What a launch says of finished runs that it does not take as they are, and of runs in the trash."""
    to_evaluate = count(planned)[JobState.TO_EVALUATE]
    without_state = sum(each.lacks_state for each in planned)
    evaluated = f"finished runs that lack a metric and are evaluated, not trained: {to_evaluate}"
    kept = (
        f"finished runs that kept no state of their last epoch: {without_state}; force=true trains them again and "
        "keeps it"
    )
    sent_nowhere = Counter(
        f"'fitbench publish --study {each.job.config.study} {options}' sends them"
        for each in planned
        if each.state is JobState.FINISHED
        for options in publishing(each.job.config)
    )
    unsent = [f"finished runs that are sent nowhere now: {number}; {text}" for text, number in sent_nowhere.items()]
    anew = trained_anew(each.job.folder for each in planned if each.trained)
    stated = ((evaluated, to_evaluate), (kept, without_state), (anew, anew))
    return [*(str(text) for text, holds in stated if holds), *unsent]
