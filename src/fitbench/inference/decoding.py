"""Batches of images, decoded and prepared for a model: by threads or, where there are many, by worker processes.

A small image takes longer to open than to decode, and Python opens one at a time in a process. A worker is this module
run with `python -m`, which needs neither Keras nor TensorFlow: it reads tasks from stdin, answers on stdout, and ends
when stdin does, which is also when the process that has started it was killed.
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
from fitbench.inference.prepare import Prepare, prepared, prepared_all
from fitbench.inference.sources import Batch, Broken, Rows
from fitbench.text import clean

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FEW = 500  # images for which no worker is started
PIECE = 125  # images of a task
AHEAD = 2  # batches that are decoded while the model computes

Shape = tuple[int, int, int]
Decoded = tuple[np.ndarray, dict[int, str]]  # uint8 [N, height, width, channels]; what is wrong with which of them
Task = tuple[Sequence[str] | np.ndarray, bool, Shape, Prepare]  # paths or rows of an array, whether these are deep


def decoded(task: Task) -> Decoded:
    """Do a task. Images that cannot be read are black, and said to be wrong."""
    content, deep, shape, how = task
    if isinstance(content, np.ndarray):
        return read_rows(content, deep, shape, how)
    images = np.zeros((len(content), *shape), np.uint8)
    errors = {}
    sized = []  # those of the right size already, which are prepared together
    for i, path in enumerate(content):
        try:
            image = decode(path, path)
            if image.size == (shape[1], shape[0]):
                images[i] = fitted(image, shape)
                sized.append(i)
            else:
                images[i] = prepared(image, shape, how)
        except DataError as error:
            errors[i] = str(error).removeprefix(f"{clean(path)}: ")
        except MemoryError:
            errors[i] = "not enough memory to decode it"
    images[sized] = prepared_all(images[sized], how)
    return images, errors


class Decoder:
    """Decodes batches in their order, some ahead of the one that is asked for.

    Args:
        shape: [height, width, channels] of the images.
        how: what is done to images, by their source.
        workers: processes; 0 for threads of this one, None for as many as there are cores if there are many images.
    """

    def __init__(
        self, shape: Shape, how: Callable[[Rows | Broken | None], Prepare], workers: int | None = None
    ) -> None:
        self.shape = shape
        self.how = how
        self.wanted = workers
        self.workers: _Workers | None = None
        self.pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.workers:
            self.workers.end()
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def __call__(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, np.ndarray, dict[int, str]]]:
        """Each batch with its images, uint8 [N, *shape], and what is wrong with which of them."""
        batches = iter(batches)
        head, images = [], 0
        for batch in batches:
            head.append(batch)
            images += len(batch.names)
            if images > FEW:
                break
        if self.wanted is None:
            self.wanted = CORES if images > FEW else 0
        self.pool = ThreadPoolExecutor(self.wanted or CORES)
        begun: deque[tuple[Batch, list[Future[Decoded]]]] = deque()
        for batch in chain(head, batches):
            begun.append((batch, self._begin(batch)))
            if len(begun) > AHEAD:
                yield self._ended(*begun.popleft())
        while begun:
            yield self._ended(*begun.popleft())

    def _begin(self, batch: Batch) -> list[Future[Decoded]]:
        """Have a batch decoded, in pieces."""
        assert self.pool is not None
        if isinstance(batch.source, Broken):
            return []
        how = self.how(batch.source)
        content: Sequence[str] | np.ndarray = batch.names
        deep = False
        if isinstance(batch.source, Rows):
            content, deep = batch.rows, batch.source.deep
            if how is Prepare.none and content.shape[1:] == self.shape:  # nothing that takes time
                return [self.pool.submit(decoded, (content, deep, self.shape, how))]
        if self.wanted and self.workers is None:
            self.workers = _Workers(self.wanted)
        do = self.workers.do if self.workers else decoded
        return [
            self.pool.submit(do, (content[start : start + PIECE], deep, self.shape, how))
            for start in range(0, len(content), PIECE)
        ]

    def _ended(self, batch: Batch, pieces: list[Future[Decoded]]) -> tuple[Batch, np.ndarray, dict[int, str]]:
        if isinstance(batch.source, Broken):
            return batch, np.zeros((1, *self.shape), np.uint8), {0: batch.source.error}
        results = [piece.result() for piece in pieces]
        images = results[0][0] if len(results) == 1 else np.concatenate([images for images, _ in results])
        errors = {piece * PIECE + i: text for piece, (_, wrong) in enumerate(results) for i, text in wrong.items()}
        return batch, images, errors


class _Workers:
    """Processes that do tasks; one that dies is replaced, and the image that it died of is said to be wrong."""

    def __init__(self, count: int) -> None:
        self.ended = False
        self.idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self.all = [_worker() for _ in range(count)]
        self.new = set(self.all)  # those of which nothing was heard yet
        for worker in self.all:
            self.idle.put(worker)

    def do(self, task: Task) -> Decoded:
        """Have a task done; waits for a worker that has nothing to do.

        Raises:
            FitbenchError: a worker ended before it could do anything.
        """
        worker = self.idle.get()
        try:
            assert worker.stdin and worker.stdout
            if worker in self.new:
                pickle.load(worker.stdout)
                self.new.discard(worker)
            pickle.dump(task, worker.stdin, pickle.HIGHEST_PROTOCOL)
            worker.stdin.flush()
            return pickle.load(worker.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            worker.kill()
            if self.ended:
                raise
            if worker in self.new:  # no image is to blame, and the next one would end as well
                raise FitbenchError(
                    "a process that decodes images ended while it started, for what it has printed above; "
                    "--workers 0 needs none"
                ) from None
            worker = _worker()
            self.new.add(worker)
            self.all.append(worker)
        finally:
            self.idle.put(worker)
        content, deep, shape, how = task
        if len(content) == 1:
            return np.zeros((1, *shape), np.uint8), {0: "the process that decoded it was ended by it"}
        halves = content[: len(content) // 2], content[len(content) // 2 :]
        (first, wrong), (second, also) = (self.do((half, deep, shape, how)) for half in halves)
        return np.concatenate([first, second]), wrong | {len(first) + i: text for i, text in also.items()}

    def end(self) -> None:
        """End them, whatever they do."""
        self.ended = True
        for worker in self.all:
            worker.kill()
            worker.wait()


def _worker() -> subprocess.Popen[bytes]:
    """A new worker, in a process group of its own: a Ctrl-C in the terminal is for this process only."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fitbench.inference.decoding"],  # -P: what lies beside the images is not imported
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
        env=os.environ | threads,
    )


def main() -> None:
    """What a worker does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print must not get between the answers
    with suppress(EOFError, BrokenPipeError):
        pickle.dump("ready", answers)
        answers.flush()
        while True:
            task = pickle.load(sys.stdin.buffer)
            pickle.dump(decoded(task), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    os._exit(0)  # without flushing what nobody reads


if __name__ == "__main__":
    main()
