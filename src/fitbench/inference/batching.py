"""Images that are asked about at the same time are computed together: one thread runs the models.

It takes whatever has queued while it computed, and waits for nothing: a single image is computed at once.
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
    answer: Future[np.ndarray] = field(default_factory=Future)


class Batcher:
    """The thread that runs the models; any thread may ask it."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    def submit(self, reader: Reader, images: np.ndarray) -> Future[np.ndarray]:
        """Ask for the probabilities, float32 [N, classes], of images, uint8 [N, height, width, channels].

        What is cancelled before its turn comes is not computed. The future raises what the model raises.
        """
        job = _Job(reader, images)
        self._jobs.put(job)
        return job.answer

    def close(self) -> None:
        """Compute what has been asked for, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            together = defaultdict(list)
            for job in [first, *self._queued(first)]:
                if job.answer.set_running_or_notify_cancel():
                    together[job.reader].append(job)
            for reader, jobs in together.items():
                _answer(reader, jobs)

    def _queued(self, first: _Job) -> list[_Job]:
        """What has queued behind the first job, up to a batch."""
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


def _answer(reader: Reader, jobs: list[_Job]) -> None:
    """Compute the images of all these jobs, at most `reader.batch_size` at a time, and give each job its part."""
    try:
        images = np.concatenate([job.images for job in jobs]) if len(jobs) > 1 else jobs[0].images
        size = reader.batch_size
        parts = [reader.probabilities(images[start : start + size]) for start in range(0, len(images), size)]
        probabilities = np.concatenate(parts)
    except Exception as error:  # noqa: BLE001  # raised again where the answer is awaited
        for job in jobs:
            job.answer.set_exception(error)
        return
    ends = np.cumsum([len(job.images) for job in jobs])
    for job, part in zip(jobs, np.split(probabilities, ends[:-1]), strict=True):
        job.answer.set_result(part)
