"""Decodes and prepares batches of images for a model: in threads or, for many images, in worker processes.

Opening a small image takes longer than decoding it, and a Python process opens one file at a time. A worker is this
module, run with `python -m`. It needs neither Keras nor TensorFlow. It reads tasks from stdin and writes results to
stdout. It ends when its stdin is closed, which also happens when its parent process is killed.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from types import TracebackType

import numpy as np

from fitbench.data.image_files import fitted
from fitbench.errors import DataError, FitbenchError
from fitbench.inference.arrays import read_rows
from fitbench.inference.images import decode
from fitbench.inference.prepare import Prepare, prepare_image, prepare_images
from fitbench.inference.sources import Batch, Broken, Rows
from fitbench.text import clean

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FEW_IMAGES = 500  # up to this number, no worker is started
TASK_IMAGES = 125
BATCHES_AHEAD = 2  # batches that are decoded while the model computes

Shape = tuple[int, int, int]
Decoded = tuple[np.ndarray, dict[int, str]]  # images, uint8 [N, height, width, channels]; error messages by row
# Paths or rows of an array, whether the rows are deep, the shape of the model's images, how to prepare them.
Task = tuple[Sequence[str] | np.ndarray, bool, Shape, Prepare]


def decode_task(task: Task) -> Decoded:
    """Decode the images of a task. An image that cannot be read is black and has an error message."""
    content, deep, shape, prepare = task
    if isinstance(content, np.ndarray):
        return read_rows(content, deep, shape, prepare)
    images = np.zeros((len(content), *shape), np.uint8)
    errors = {}
    same_size = []  # images that have the size of the model are prepared together
    for i, path in enumerate(content):
        try:
            image = decode(path, path)
            if image.size == (shape[1], shape[0]):
                images[i] = fitted(image, shape)
                same_size.append(i)
            else:
                images[i] = prepare_image(image, shape, prepare)
        except DataError as error:
            errors[i] = str(error).removeprefix(f"{clean(path)}: ")
        except MemoryError:
            errors[i] = "not enough memory to decode it"
    images[same_size] = prepare_images(images[same_size], prepare)
    return images, errors


class Decoder:
    """Decodes batches in order, a few ahead of the one that is used.

    Args:
        shape: [height, width, channels] of the model's images.
        choose_prepare: returns how to prepare images, given their source.
        workers: the number of processes. 0 uses threads. None uses one process per core if there are many images.
    """

    def __init__(
        self, shape: Shape, choose_prepare: Callable[[Rows | Broken | None], Prepare], workers: int | None = None
    ) -> None:
        self.shape = shape
        self.choose_prepare = choose_prepare
        self.worker_count = workers
        self.workers: _Workers | None = None
        self.pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.workers:
            self.workers.kill()
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def __call__(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, np.ndarray, dict[int, str]]]:
        """Yield each batch with its images, uint8 [N, *shape], and error messages by row."""
        batches = iter(batches)
        head, images = [], 0
        for batch in batches:
            head.append(batch)
            images += len(batch.names)
            if images > FEW_IMAGES:
                break
        if self.worker_count is None:
            self.worker_count = CORES if images > FEW_IMAGES else 0
        self.pool = ThreadPoolExecutor(self.worker_count or CORES)
        started: deque[tuple[Batch, list[Future[Decoded]]]] = deque()
        for batch in chain(head, batches):
            started.append((batch, self._start(batch)))
            if len(started) > BATCHES_AHEAD:
                yield self._finish(*started.popleft())
        while started:
            yield self._finish(*started.popleft())

    def _start(self, batch: Batch) -> list[Future[Decoded]]:
        """Start decoding a batch, in tasks."""
        assert self.pool is not None
        if isinstance(batch.source, Broken):
            return []
        prepare = self.choose_prepare(batch.source)
        content: Sequence[str] | np.ndarray = batch.names
        deep = False
        if isinstance(batch.source, Rows):
            content, deep = batch.rows, batch.source.deep
            if prepare is Prepare.none and content.shape[1:] == self.shape:  # fast enough without workers
                return [self.pool.submit(decode_task, (content, deep, self.shape, prepare))]
        if self.worker_count and self.workers is None:
            self.workers = _Workers(self.worker_count)
        do = self.workers.do if self.workers else decode_task
        return [
            self.pool.submit(do, (content[start : start + TASK_IMAGES], deep, self.shape, prepare))
            for start in range(0, len(content), TASK_IMAGES)
        ]

    def _finish(self, batch: Batch, tasks: list[Future[Decoded]]) -> tuple[Batch, np.ndarray, dict[int, str]]:
        if isinstance(batch.source, Broken):
            return batch, np.zeros((1, *self.shape), np.uint8), {0: batch.source.error}
        results = [task.result() for task in tasks]
        images = results[0][0] if len(results) == 1 else np.concatenate([images for images, _ in results])
        errors = {
            number * TASK_IMAGES + i: text
            for number, (_, task_errors) in enumerate(results)
            for i, text in task_errors.items()
        }
        return batch, images, errors


class _Workers:
    """Worker processes. One that dies is replaced, and the image that ended it gets an error message."""

    def __init__(self, count: int) -> None:
        self.killed = False
        self.idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self.all = [_start_worker() for _ in range(count)]
        self.starting = set(self.all)  # workers that have not sent anything yet
        for worker in self.all:
            self.idle.put(worker)

    def do(self, task: Task) -> Decoded:
        """Wait for an idle worker, and let it do a task.

        Raises:
            FitbenchError: a worker ended while it started.
        """
        worker = self.idle.get()
        try:
            assert worker.stdin and worker.stdout
            if worker in self.starting:
                pickle.load(worker.stdout)
                self.starting.discard(worker)
            pickle.dump(task, worker.stdin, pickle.HIGHEST_PROTOCOL)
            worker.stdin.flush()
            return pickle.load(worker.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            worker.kill()
            if self.killed:
                raise
            if worker in self.starting:  # not because of an image; another worker would end as well
                raise FitbenchError(
                    "a process that decodes images ended while it started; it printed the reason above. "
                    "--workers 0 decodes without processes"
                ) from None
            worker = _start_worker()
            self.starting.add(worker)
            self.all.append(worker)
        finally:
            self.idle.put(worker)
        return self._bisect(task)

    def _bisect(self, task: Task) -> Decoded:
        """Do a task that ended its worker, in halves, to find the image that is the cause."""
        content, deep, shape, prepare = task
        if len(content) == 1:
            return np.zeros((1, *shape), np.uint8), {0: "decoding it ended the process"}
        middle = len(content) // 2
        first, first_errors = self.do((content[:middle], deep, shape, prepare))
        second, second_errors = self.do((content[middle:], deep, shape, prepare))
        return np.concatenate([first, second]), first_errors | {middle + i: text for i, text in second_errors.items()}

    def kill(self) -> None:
        """Kill all workers."""
        self.killed = True
        for worker in self.all:
            worker.kill()
            worker.wait()


def _start_worker() -> subprocess.Popen[bytes]:
    """Start a worker in its own process group, so that Ctrl-C in the terminal reaches only this process."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fitbench.inference.decoding"],  # -P: import no files beside the images
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
        env=os.environ | threads,
    )


def main() -> None:
    """Run a worker."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with the results
    with suppress(EOFError, BrokenPipeError):
        pickle.dump("ready", results)
        results.flush()
        while True:
            task = pickle.load(sys.stdin.buffer)
            pickle.dump(decode_task(task), results, pickle.HIGHEST_PROTOCOL)
            results.flush()
    os._exit(0)  # without flushing: nobody reads the rest


if __name__ == "__main__":
    main()
