"""Waits for Slurm jobs that submitit started.

submitit raises the error of the first lost job and does not wait for the others. It also waits for ever if sacct knows
nothing about a job: many clusters have no accounting, and a job that is cancelled before it begins may be missing.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from fitbench.errors import FitbenchError
from fitbench.stderr import write_note

LOST_SECONDS = 15.0  # a result may appear this long after its job has left the queue, on a slow file system


class Queue:
    """The jobs of this user in Slurm's queue, running or waiting. It is polled every 5 to 60 seconds.

    Attributes:
        began, polled: when this object was created, and when squeue was last called (`time.monotonic`).
        answers: the times at which squeue answered.
        last_seen: for each job, the time of the last answer that listed it.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.polled = -60.0
        self.answers: list[float] = []
        self.last_seen: dict[str, float] = {}

    def has_lost(self, job_id: str) -> bool:
        """Whether the job has been out of the queue for `LOST_SECONDS`."""
        now = time.monotonic()
        if now - self.polled >= min(max((now - self.began) / 20, 5), 60):
            self.polled = now
            self._poll()
        answers_without = [answer for answer in self.answers if answer > self.last_seen.get(job_id, 0)]
        return bool(answers_without) and answers_without[-1] - answers_without[0] >= LOST_SECONDS

    def _poll(self) -> None:
        command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        except (OSError, subprocess.SubprocessError):  # Slurm may be restarting; its jobs continue meanwhile
            return
        self.answers.append(time.monotonic())
        self.last_seen.update(dict.fromkeys(answer.split(), self.answers[-1]))


@contextmanager
def waiting_for_every_job() -> Iterator[None]:
    """In this block, submitit's `Job.results` polls the queue itself, and returns a failure for a lost job."""
    from submitit import Job
    from submitit.core.utils import UncompletedJobError

    results = Job.results
    queue = Queue()

    def results_or_failure(job: Any) -> list[Any]:
        try:
            # The folder is listed because NFS may answer `exists` from its cache.
            while job.paths.result_pickle not in job.paths.folder.iterdir():
                if queue.has_lost(job.job_id):
                    return [_failure(job)]
                time.sleep(0.5)
            return results(job)
        except UncompletedJobError:
            return [_failure(job)]
        except (KeyboardInterrupt, SystemExit):
            array = job.job_id.partition("_")[0]
            write_note(f"the jobs continue without this process; cancel them with scancel {array}")
            raise

    Job.results = results_or_failure
    try:
        yield
    finally:
        Job.results = results


def _failure(job: Any) -> JobReturn:
    failed = JobReturn(status=JobStatus.FAILED)
    log = next((path for path in (job.paths.stderr, job.paths.stdout) if path.exists()), None)
    failed.return_value = FitbenchError(
        f"Slurm job {job.job_id} ended without a result; " + (f"see {log}" if log else "it did not begin")
    )
    return failed
