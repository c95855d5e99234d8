"""Computes images of simultaneous requests together. One thread runs the models.

The thread takes the jobs that were queued while it computed. It never waits for more, so a single image is computed at
once.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from fitbench.inference.reader import Reader


@dataclass(frozen=True, eq=False)
class _Job:
    reader: Reader
    images: np.ndarray
    future: Future[np.ndarray] = field(default_factory=Future)


class Batcher:
    """The thread that runs the models. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    def submit(self, reader: Reader, images: np.ndarray) -> Future[np.ndarray]:
        """Queue images, uint8 [N, height, width, channels], for a model.

        Returns:
            A future of the probabilities, float32 [N, classes]. It raises the errors of the model. If it is cancelled
            early enough, the images are not computed.
        """
        job = _Job(reader, images)
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Compute the queued images, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            by_reader = defaultdict(list)
            for job in [first, *self._queued(first)]:
                if job.future.set_running_or_notify_cancel():
                    by_reader[job.reader].append(job)
            for reader, jobs in by_reader.items():
                _compute(reader, jobs)

    def _queued(self, first: _Job) -> list[_Job]:
        """Take the jobs queued behind the first one, up to a batch."""
        jobs: list[_Job] = []
        count = len(first.images)
        while count < first.reader.batch_size:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
            count += len(job.images)
        return jobs


def _compute(reader: Reader, jobs: list[_Job]) -> None:
    """Compute the images of jobs, at most `reader.batch_size` at a time, and set the result of each job."""
    try:
        images = np.concatenate([job.images for job in jobs]) if len(jobs) > 1 else jobs[0].images
        size = reader.batch_size
        parts = [reader.probabilities(images[start : start + size]) for start in range(0, len(images), size)]
        probabilities = np.concatenate(parts)
    except Exception as error:  # noqa: BLE001  # raised again by the future
        for job in jobs:
            job.future.set_exception(error)
        return
    ends = np.cumsum([len(job.images) for job in jobs])
    for job, part in zip(jobs, np.split(probabilities, ends[:-1]), strict=True):
        job.future.set_result(part)
