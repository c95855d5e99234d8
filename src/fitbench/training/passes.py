"""A pass over examples: the loop is called for a slice of the steps at a time.

Examples that do not fit into memory go to the device a block at a time, through the same loop and in the same order,
so the result is the same.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from fitbench.training.examples import Examples

MOST_STEPS = 2**30  # in a slice: passes that are shorter than it would let the number grow without end
SLICE_SECONDS = 0.2  # how long the loop may keep Python from drawing progress and seeing a signal
BLOCK_BYTES = 64 * 2**20  # of inputs that are streamed at a time

Progress = Callable[[int, dict[str, float]], None]


class Pass:
    """A pass over examples in a given order, in as many calls as Keras makes of its train or test function."""

    def __init__(
        self,
        loop: Callable,
        examples: Examples,
        batch_size: int,
        steps_at_once: int,
        progress: Progress | None,
    ) -> None:
        self.loop = loop
        self.examples = examples
        self.batch_size = batch_size
        self.examples_at_once = batch_size * steps_at_once
        self.progress = progress
        self.steps_per_slice = 4
        data = (examples.inputs, *examples.labels)
        self.on_device = tuple(map(_tensor, data)) if examples.in_memory else None
        self.warm = False

    def begin(self, order: np.ndarray) -> "Pass":
        """Start a new pass, over the examples in this order."""
        self.order = order
        self.done = 0
        self.outputs: list[np.ndarray] = []  # of the loop, if it gives any, [batch, outputs] each, in this order
        return self

    def __call__(self, *arguments: Any) -> Any:
        """What Keras calls: (iterator) gives logs on TensorFlow, (state, iterator) gives logs and a state on JAX."""
        stateful = keras.config.backend() == "tensorflow"
        state = None if stateful else arguments[0]
        logs: dict[str, float] = {}
        for data, batches in self._blocks(self.order[self.done :][: self.examples_at_once]):
            start = 0
            while start < len(batches):
                stop = min(start + self.steps_per_slice, len(batches))
                began = time.perf_counter()
                values, state, outputs = self.loop(state, data, _tensor(batches), start, stop)
                logs = {name: float(value) for name, value in values.items()}  # waits for the device
                self._adapt(time.perf_counter() - began)
                self.outputs.extend(outputs)
                self.done += (stop - start) * batches.shape[1]
                if self.progress is not None:
                    self.progress(self.done, logs)
                start = stop
        return logs if stateful else (logs, state)

    def _adapt(self, seconds: float) -> None:
        """Let a slice take about `SLICE_SECONDS`. The first one does not count: it includes compilation."""
        if self.warm:
            faster = min(max(SLICE_SECONDS / max(seconds, 1e-6), 0.1), 10)
            self.steps_per_slice = int(min(max(self.steps_per_slice * faster, 1), MOST_STEPS))
        self.warm = True

    def _blocks(self, order: np.ndarray) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
        """Arrays on the device (inputs, targets, perhaps weights), and indices into them, int32 [steps, batch size]."""
        full = len(order) // self.batch_size * self.batch_size
        parts = [order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)]
        for batches in (part for part in parts if part.size):
            if self.on_device:
                yield self.on_device, batches
            else:
                yield from self._streamed(batches)

    def _streamed(self, batches: np.ndarray) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
        """The same from inputs that stay where they are; the next block is read while one is trained on."""
        inputs = self.examples.inputs
        example_bytes = inputs.dtype.itemsize * math.prod(inputs.shape[1:])
        steps = max(1, BLOCK_BYTES // (batches.shape[1] * example_bytes))
        blocks = [batches[start : start + steps] for start in range(0, len(batches), steps)]
        with ThreadPoolExecutor(1, "fitbench-stream") as reader:
            ahead = reader.submit(inputs.__getitem__, blocks[0].ravel())
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                read = ahead.result()
                if following is not None:
                    ahead = reader.submit(inputs.__getitem__, following.ravel())
                rows = np.arange(block.size, dtype=np.int32).reshape(block.shape)
                labels = (_tensor(array[block.ravel()]) for array in self.examples.labels)
                yield (_tensor(read), *labels), rows


def _tensor(array: np.ndarray) -> Any:
    return keras.ops.convert_to_tensor(array)
