"""Waiting for Slurm jobs that submitit started, whatever becomes of them.

submitit raises the error of the first job that is lost and leaves the others unheard, and where sacct does not answer
(many clusters keep no accounts, and of a job that is cancelled before it begins there may be none) it waits for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from fitbench.errors import FitbenchError

LOST_SECONDS = 15.0  # out of the queue for so long, a job has no result that a slow file system could be hiding


class Queue:
    """The jobs of this user that Slurm has, running or waiting; asked again every 5 to 60 seconds."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.asked = -60.0
        self.answers: list[float] = []  # when squeue answered
        self.seen: dict[str, float] = {}  # the last of the answers that had a job

    def has_lost(self, job_id: str) -> bool:
        """Is this job out of the queue, and not only for a moment?"""
        now = time.monotonic()
        if now - self.asked >= min(max((now - self.began) / 20, 5), 60):
            self.asked = now
            self._ask()
        without = [answer for answer in self.answers if answer > self.seen.get(job_id, 0)]
        return bool(without) and without[-1] - without[0] >= LOST_SECONDS

    def _ask(self) -> None:
        command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        except (OSError, subprocess.SubprocessError):  # Slurm restarts, say; its jobs go on meanwhile
            return
        self.answers.append(time.monotonic())
        self.seen.update(dict.fromkeys(answer.split(), self.answers[-1]))


@contextmanager
def every_job_awaited() -> Iterator[None]:
    """In this block submitit's `Job.results` waits for the job itself, and a lost job's result is a failure."""
    from submitit import Job
    from submitit.core.utils import UncompletedJobError

    results = Job.results
    queue = Queue()

    def results_or_failure(job: Any) -> list[Any]:
        try:
            while (
                job.paths.result_pickle not in job.paths.folder.iterdir()
            ):  # NFS may not ask anew for one that `exists`
                if queue.has_lost(job.job_id):
                    return [_failure(job)]
                time.sleep(0.5)
            return results(job)
        except UncompletedJobError:
            return [_failure(job)]
        except (KeyboardInterrupt, SystemExit):
            array = job.job_id.partition("_")[0]
            sys.stderr.write(f"fitbench: the jobs go on without this process; scancel {array} ends them\n")
            raise

    Job.results = results_or_failure
    try:
        yield
    finally:
        Job.results = results


def _failure(job: Any) -> JobReturn:
    failed = JobReturn(status=JobStatus.FAILED)
    said = next((path for path in (job.paths.stderr, job.paths.stdout) if path.exists()), None)
    failed.return_value = FitbenchError(
        f"Slurm job {job.job_id} ended without a result; " + (f"it said {said}" if said else "it did not begin")
    )
    return failed
