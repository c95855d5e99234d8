"""Keras's `fit`, with the epoch's steps in one compiled loop.

Plain `fit` on arrays pays for every step: an element from an iterator, a call from Python, a copy of the batch. Here
the images lie on the device as they came, in uint8, and the model's own `train_step` runs inside a loop of the backend
that gathers each batch by its indices. Keras still runs the epochs, its callbacks, its metrics and the validation: it
calls `model.train_function` and `model.test_function` once where it would call them for every batch. So a model of the
user's own, with a `train_step` of its own, gets the same speed.

The order of the batches in an epoch is a function of (seed, epoch) alone. Images that do not fit into memory go to the
device a block at a time, through the same loop and in the same order, so the result is the same.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fitbench.training.evaluate import batch_size as evaluation_batch_size

MOST_STEPS = 2**30  # in a slice: passes that are shorter than it would let the number grow without end
SLICE_SECONDS = 0.2  # how long the loop may keep Python from drawing progress and seeing a signal
BLOCK_BYTES = 64 * 2**20  # of images that are streamed at a time

Progress = Callable[[int, dict[str, float]], None]
Score = Callable[[np.ndarray], dict[str, float | None]]


@dataclass(frozen=True)
class Examples:
    """Images, uint8 [N, height, width, channels], and targets [N] or [N, classes].

    `images` is an array, or, for a data set too large for memory, anything with a shape that gives the array of the
    rows it is indexed with.
    """

    images: Any
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def in_memory(self) -> bool:
        """Whether the images are an array that can be put on the device as a whole."""
        return type(self.images) is np.ndarray


def order_of(seed: int, epoch: int, examples: int) -> np.ndarray:
    """The order of the training examples in an epoch (from 0), int32 [examples]: a function of its arguments alone."""
    return np.random.default_rng([seed, epoch]).permutation(examples).astype(np.int32)


@dataclass(frozen=True)
class Loops:
    """A compiled model with its compiled loops, which hold no data: it may be fitted more than once.

    `test_with_outputs` is the same as `test`, and also gives the model's outputs. It is traced when it is first used.
    """

    model: keras.Model
    train: Callable
    test: Callable
    test_with_outputs: Callable


def compile_loops(model: keras.Model, examples: Examples, xla: bool = False) -> Loops:
    """The loops of a compiled model for images and targets of these shapes and types.

    They are traced when they are first used. `xla`: compile the training with XLA (TensorFlow only; JAX always does).
    """
    create_variables(model, examples)
    steps = (_without_outputs(model.train_step), _without_outputs(model.test_step), _test_step_with_outputs(model))
    if keras.config.backend() == "jax":
        single_steps = not _gpus() and _convolutional(
            model
        )  # inside a loop, XLA's convolutions on a CPU take twice as long
        return Loops(model, *(_jax_loop(step, single_steps) for step in steps))
    # validation is a few large batches: XLA would not make up for the time it takes to compile
    return Loops(model, *(_tensorflow_loop(step, examples, xla and step is steps[0]) for step in steps))


def _without_outputs(step: Callable) -> Callable:
    """The step of a Keras model in the form that loops take: it gives its logs, on JAX its state, and outputs."""
    if keras.config.backend() == "jax":
        return lambda state, data: (*step(state, data), ())
    return lambda state, data: (step(data), state, ())


def _test_step_with_outputs(model: keras.Model) -> Callable:
    """The model's test step in the same form, with its outputs, float32 [batch, outputs].

    Keras's own test step hands its outputs to `compute_metrics`, where they are taken from: there is no second forward
    pass. A test step of the user's own may do anything, so there the outputs are computed beside it.
    """
    taken: list[Any] = []
    compute_metrics = model.compute_metrics

    def take(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        taken.append(y_pred)
        return compute_metrics(x, y, y_pred, sample_weight)

    def keras_step(state: Any, data: Any) -> Any:
        taken.clear()
        vars(model)["compute_metrics"] = take  # for as long as the step is traced
        try:
            logs, state, _ = step(state, data)
        finally:
            del vars(model)["compute_metrics"]
        return logs, state, keras.ops.cast(taken.pop(), "float32")

    def own_step(state: Any, data: Any) -> Any:
        logs, after, _ = step(state, data)
        if keras.config.backend() == "jax":
            outputs, _ = model.stateless_call(*state[:2], data[0], training=False)
        else:
            outputs = model(data[0], training=False)
        return logs, after, keras.ops.cast(outputs, "float32")

    step = _without_outputs(model.test_step)
    return keras_step if type(model).test_step is keras.Model.test_step else own_step


def fit(
    loops: Loops,
    training: Examples,
    validation: Examples | None,
    *,
    seed: int,
    batch_size: int,
    epochs: int,
    initial_epoch: int = 0,
    steps_per_execution: int | None = None,
    callbacks: list[keras.callbacks.Callback],
    progress: Progress | None = None,
    score: Score | None = None,
) -> None:
    """Train a model with `model.fit`.

    Args:
        loops: of the model; it takes batches of `training.images` and is compared with `training.targets`.
        training: examples to train on.
        validation: examples that are evaluated after every epoch, or None.
        seed: decides the order of the batches, with the epoch.
        batch_size: examples per step; the last batch of an epoch may be smaller.
        epochs: the epoch (from 0) before which training ends.
        initial_epoch: the epoch (from 0) to begin with.
        steps_per_execution: steps between two calls of the callbacks' batch methods; None for the whole epoch.
        callbacks: Keras callbacks.
        progress: is called with the number of examples done in this epoch and the metrics so far, a few times a second.
        score: is called after each validation with the model's outputs, float32 [N, outputs], in the order of the
            examples. The values that it gives, by name, join the logs of the epoch before any of the callbacks sees
            them; None is NaN there.
    """
    model = loops.model
    steps = math.ceil(len(training) / batch_size)
    steps_at_once = steps_per_execution or steps
    train = _Pass(loops.train, training, batch_size, steps_at_once, progress)
    shuffle = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: train.begin(order_of(seed, epoch, len(training)))
    )
    model.train_function = train
    held_back: dict[str, Any] = {}
    evaluation: list[keras.callbacks.Callback] = []
    if validation is not None:
        size = evaluation_batch_size(validation.images.shape[1:])
        test = loops.test if score is None else loops.test_with_outputs
        evaluation = [_Validation(_Pass(test, validation, size, len(validation), None), score)]
        held_back = {"validation_data": tuple(_ticks(1, validation).values()), "validation_batch_size": 1}
    try:
        model.fit(
            **_ticks(math.ceil(steps / steps_at_once), training),
            **({} if keras.config.backend() == "tensorflow" else {"batch_size": 1}),
            shuffle=False,
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=[shuffle, *evaluation, *callbacks],
            verbose=0,
            **held_back,
        )
    finally:
        model.train_function = None


class _Validation(keras.callbacks.Callback):
    """Puts our pass in the place of Keras's test function for the validation of `fit`, and for nothing else.

    An `evaluate` that a callback calls has a list of callbacks of its own, without this one. It also scores the outputs
    of the pass: it must stand before the callbacks that are to see the values.
    """

    def __init__(self, whole: "_Pass", score: Score | None) -> None:
        super().__init__()
        self.whole = whole
        self.score = score
        self.in_order = np.arange(len(whole.examples), dtype=np.int32)

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Keras is about to call the test function, once."""
        self.before, self.model.test_function = self.model.test_function, self.whole.begin(self.in_order)

    def on_test_end(self, logs: dict | None = None) -> None:
        """Keras has called it."""
        self.model.test_function = self.before

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Let the values of the outputs join the epoch's logs."""
        if self.score is not None and logs is not None:
            values = self.score(np.concatenate(self.whole.outputs))
            logs.update((name, math.nan if value is None else value) for name, value in values.items())


def _ticks(number: int, examples: Examples) -> dict[str, Any]:
    """What Keras iterates over in place of the batches: one element for each call of the train or test function.

    On JAX these are real examples, because Keras builds the model from the first one.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return {"x": tf.data.Dataset.range(number)}  # cheaper than Keras's pipeline for arrays, every epoch
    return {"x": examples.images[np.arange(number)], "y": examples.targets[:number]}


def create_variables(model: keras.Model, examples: Examples) -> None:
    """Create the variables of a compiled model's metrics and optimizer, which `fit` else does with its first batch.

    On JAX those of the metrics are left to `fit`.
    """
    model.optimizer.build(model.trainable_variables)
    if keras.config.backend() == "jax":
        return
    images, targets = examples.images[np.arange(1)], examples.targets[:1]
    logits = model(images, training=False)  # which changes no state
    model.compute_loss(x=images, y=targets, y_pred=logits)
    model.compute_metrics(images, targets, logits)
    model.reset_metrics()


class _Pass:
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
        self.on_device = (_tensor(examples.images), _tensor(examples.targets)) if examples.in_memory else None
        self.warm = False

    def begin(self, order: np.ndarray) -> "_Pass":
        """Start a new pass, over the examples in this order."""
        self.order = order
        self.done = 0
        self.outputs: list[np.ndarray] = []  # of the loop, if it gives any, [batch, outputs] each, in this order
        return self

    def __call__(self, *arguments: Any) -> Any:
        """What Keras calls: (iterator) gives logs on TensorFlow, (state, iterator) gives logs and a state on JAX."""
        stateful = keras.config.backend() == "tensorflow"
        state = None if stateful else arguments[0]
        logs: dict[str, Any] = {}
        for images, targets, batches in self._blocks(self.order[self.done :][: self.examples_at_once]):
            start = 0
            while start < len(batches):
                stop = min(start + self.steps_per_slice, len(batches))
                began = time.perf_counter()
                logs, state, outputs = self.loop(state, images, targets, _tensor(batches), start, stop)
                shown = {name: float(value) for name, value in logs.items()}  # waits for the device
                self._adapt(time.perf_counter() - began)
                self.outputs.extend(outputs)
                self.done += (stop - start) * batches.shape[1]
                if self.progress is not None:
                    self.progress(self.done, shown)
                start = stop
        return logs if stateful else (logs, state)

    def _adapt(self, seconds: float) -> None:
        """Let a slice take about `SLICE_SECONDS`. The first one does not count: it includes compilation."""
        if self.warm:
            faster = min(max(SLICE_SECONDS / max(seconds, 1e-6), 0.1), 10)
            self.steps_per_slice = int(min(max(self.steps_per_slice * faster, 1), MOST_STEPS))
        self.warm = True

    def _blocks(self, order: np.ndarray) -> Iterator[tuple[Any, Any, np.ndarray]]:
        """(images, targets, batches): data on the device, and indices into it, int32 [steps, batch size]."""
        full = len(order) // self.batch_size * self.batch_size
        parts = [order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)]
        for batches in (part for part in parts if part.size):
            if self.on_device:
                yield *self.on_device, batches
            else:
                yield from self._streamed(batches)

    def _streamed(self, batches: np.ndarray) -> Iterator[tuple[Any, Any, np.ndarray]]:
        """The same from images that stay where they are; the next block is read while one is trained on."""
        steps = max(1, BLOCK_BYTES // (batches.shape[1] * math.prod(self.examples.images.shape[1:])))
        blocks = [batches[start : start + steps] for start in range(0, len(batches), steps)]
        with ThreadPoolExecutor(1, "fitbench-stream") as reader:
            ahead = reader.submit(self.examples.images.__getitem__, blocks[0].ravel())
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                images = ahead.result()
                if following is not None:
                    ahead = reader.submit(self.examples.images.__getitem__, following.ravel())
                rows = np.arange(block.size, dtype=np.int32).reshape(block.shape)
                yield _tensor(images), _tensor(self.examples.targets[block.ravel()]), rows


def _tensor(array: np.ndarray) -> Any:
    return keras.ops.convert_to_tensor(array)


def _tensorflow_loop(step: Callable, examples: Examples, xla: bool) -> Callable:
    """Steps `start` to `stop` (excluded) of the batches; the variables change in place, the state is None.

    It gives the logs of the last step, the state, and the outputs of every step, [batch, outputs] each.
    """

    @functools.cache
    def loop_of(batch_size: int) -> Callable:
        return _tensorflow_loop_of(step, examples, batch_size, xla)

    def loop(state: None, images: Any, targets: Any, batches: Any, start: int, stop: int) -> Any:
        logs, outputs = loop_of(batches.shape[1])(images, targets, batches, start, stop)
        return logs, None, () if outputs == () else outputs.numpy()

    return loop


def _tensorflow_loop_of(step: Callable, examples: Examples, batch_size: int, xla: bool) -> Callable:
    """The loop for batches of this size: TensorFlow's kernels are a tenth faster where they know it."""
    import tensorflow as tf

    image, target = examples.images.shape[1:], examples.targets.shape[1:]
    dtype = tf.as_dtype(examples.targets.dtype)

    def logs_and_outputs(x: Any, y: Any) -> Any:
        logs, _, outputs = step(None, (x, y))
        return logs, outputs

    one_step = tf.function(logs_and_outputs, autograph=False).get_concrete_function(
        tf.TensorSpec((batch_size, *image), tf.uint8), tf.TensorSpec((batch_size, *target), dtype)
    )
    number = tf.TensorSpec((), tf.int32)
    signature = (
        tf.TensorSpec((None, *image), tf.uint8),
        tf.TensorSpec((None, *target), dtype),
        tf.TensorSpec((None, batch_size), tf.int32),
        number,
        number,
    )
    log_specs, output_spec = one_step.structured_outputs

    @tf.function(input_signature=signature, jit_compile=xla, autograph=False)
    def loop(images: Any, targets: Any, batches: Any, start: Any, stop: Any) -> Any:
        def body(index: Any, logs: Any, arrays: Any) -> Any:
            batch = batches[index]
            logs, outputs = one_step(tf.gather(images, batch), tf.gather(targets, batch))
            arrays = tf.nest.map_structure(lambda array, raw: array.write(index - start, raw), arrays, outputs)
            return index + 1, logs, arrays

        nothing = tf.nest.map_structure(lambda log: tf.zeros(log.shape, log.dtype), log_specs)
        arrays = tf.nest.map_structure(
            lambda raw: tf.TensorArray(raw.dtype, stop - start, element_shape=raw.shape), output_spec
        )
        _, logs, arrays = tf.while_loop(
            lambda index, logs, arrays: index < stop, body, (start, nothing, arrays), parallel_iterations=1
        )
        return logs, tf.nest.map_structure(lambda array: array.stack(), arrays)

    return loop


def _jax_loop(step: Callable, single_steps: bool) -> Callable:
    """As `_tensorflow_loop`, from one state to the next; `single_steps`: without a loop."""
    import jax

    def one_step(state: Any, images: Any, targets: Any, batch: Any) -> Any:
        return step(state, (images[batch], targets[batch]))

    @jax.jit
    def compiled_loop(state: Any, images: Any, targets: Any, batches: Any, start: Any, stop: Any) -> Any:
        def body(index: Any, carried: Any) -> Any:
            logs, state, outputs = one_step(carried[1], images, targets, batches[index])
            return logs, state, jax.tree.map(lambda all, raw: all.at[index].set(raw), carried[2], outputs)

        log_specs, _, output_spec = jax.eval_shape(one_step, state, images, targets, batches[0])
        nothing = jax.tree.map(lambda log: jax.numpy.zeros(log.shape, log.dtype), log_specs)
        empty = jax.tree.map(lambda raw: jax.numpy.zeros((len(batches), *raw.shape), raw.dtype), output_spec)
        return jax.lax.fori_loop(start, stop, body, (nothing, state, empty))

    def looped(state: Any, images: Any, targets: Any, batches: Any, start: int, stop: int) -> Any:
        logs, state, outputs = compiled_loop(state, images, targets, batches, start, stop)
        return logs, state, np.asarray(outputs)[start:stop]  # nothing of an empty tuple

    compiled_step = jax.jit(one_step)

    def stepped(state: Any, images: Any, targets: Any, batches: Any, start: int, stop: int) -> Any:
        logs: dict[str, Any] = {}
        outputs_of_steps = []
        for batch in batches[start:stop]:
            logs, state, outputs = compiled_step(state, images, targets, batch)
            outputs_of_steps += jax.tree.leaves(outputs)
        return logs, state, list(map(np.asarray, outputs_of_steps))

    return stepped if single_steps else looped


def worth_xla(model: keras.Model, setting: bool | str, steps: int) -> bool:
    """Whether to compile the loop of a compiled model with XLA, for a run of so many steps.

    On a GPU Keras knows. On a CPU XLA makes convolutions several times slower and small dense layers up to twice as
    fast, and compiling takes about a second: it pays for long runs of models without convolutions.
    """
    if keras.config.backend() != "tensorflow":
        return False
    if setting != "auto":
        return bool(setting)
    if _gpus():
        return bool(model.jit_compile)
    return steps >= 3_000 and not _convolutional(model) and all(layer.supports_jit for layer in model._flatten_layers())


def _gpus() -> list[str]:
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def _convolutional(model: keras.Model) -> bool:
    slow = ("Conv", "Pooling", "Random")  # the layers that take a window of pixels
    return any(part in type(layer).__name__ for layer in model._flatten_layers() for part in slow)
