"""The compiled loops that run the steps of an epoch: the model's own steps, on batches that are given by indices.

The examples lie on the device as they came, images in uint8. The loop gathers each batch by its indices. So nothing is
paid for a step but the step: no element from an iterator, no call from Python, no copy of a batch.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fitbench.training import backend
from fitbench.training.examples import Examples


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
    """The loops of a compiled model for examples of these shapes and types.

    They are traced when they are first used. `xla`: compile the training with XLA (TensorFlow only; JAX always does).
    """
    create_variables(model, examples)
    steps = (_without_outputs(model.train_step), _without_outputs(model.test_step), _test_step_with_outputs(model))
    if keras.config.backend() == "jax":
        # inside a loop, XLA's convolutions on a CPU take twice as long
        single_steps = not backend.gpu_names() and _convolutional(model)
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


def create_variables(model: keras.Model, examples: Examples) -> None:
    """Create the variables of a compiled model's metrics and optimizer, which `fit` else does with its first batch.

    On JAX those of the metrics are left to `fit`.
    """
    model.optimizer.build(model.trainable_variables)
    if keras.config.backend() == "jax":
        return
    inputs, targets = examples.inputs[np.arange(1)], examples.targets[:1]
    outputs = model(inputs, training=False)  # which changes no state
    model.compute_loss(x=inputs, y=targets, y_pred=outputs)
    model.compute_metrics(inputs, targets, outputs)
    model.reset_metrics()


def _tensorflow_loop(step: Callable, examples: Examples, xla: bool) -> Callable:
    """Steps `start` to `stop` (excluded) of the batches; the variables change in place, the state is None.

    It gives the logs of the last step, the state, and the outputs of every step, [batch, outputs] each.
    """

    @functools.cache
    def loop_of(batch_size: int) -> Callable:
        return _tensorflow_loop_of(step, examples, batch_size, xla)

    def loop(state: None, arrays: Any, batches: Any, start: int, stop: int) -> Any:
        logs, outputs = loop_of(batches.shape[1])(arrays, batches, start, stop)
        return logs, None, () if outputs == () else outputs.numpy()

    return loop


def _tensorflow_loop_of(step: Callable, examples: Examples, batch_size: int, xla: bool) -> Callable:
    """The loop for batches of this size: TensorFlow's kernels are a tenth faster where they know it."""
    import tensorflow as tf

    def logs_and_outputs(*data: Any) -> Any:
        logs, _, outputs = step(None, data)
        return logs, outputs

    shapes = [(array.shape[1:], tf.as_dtype(array.dtype)) for array in (examples.inputs, *examples.labels)]
    one_step = tf.function(logs_and_outputs, autograph=False).get_concrete_function(
        *(tf.TensorSpec((batch_size, *shape), dtype) for shape, dtype in shapes)
    )
    number = tf.TensorSpec((), tf.int32)
    signature = (
        tuple(tf.TensorSpec((None, *shape), dtype) for shape, dtype in shapes),
        tf.TensorSpec((None, batch_size), tf.int32),
        number,
        number,
    )
    log_specs, output_spec = one_step.structured_outputs

    @tf.function(input_signature=signature, jit_compile=xla, autograph=False)
    def loop(data: Any, batches: Any, start: Any, stop: Any) -> Any:
        def body(index: Any, logs: Any, arrays: Any) -> Any:
            batch = batches[index]
            logs, outputs = one_step(*(tf.gather(array, batch) for array in data))
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

    return loop.get_concrete_function()  # a call takes a third of the time, because nothing is looked up


def _jax_loop(step: Callable, single_steps: bool) -> Callable:
    """As `_tensorflow_loop`, from one state to the next; `single_steps`: without a loop."""
    import jax

    def one_step(state: Any, data: Any, batch: Any) -> Any:
        return step(state, tuple(array[batch] for array in data))

    @jax.jit
    def compiled_loop(state: Any, data: Any, batches: Any, start: Any, stop: Any) -> Any:
        def body(index: Any, carried: Any) -> Any:
            logs, state, outputs = one_step(carried[1], data, batches[index])
            return logs, state, jax.tree.map(lambda all, raw: all.at[index].set(raw), carried[2], outputs)

        log_specs, _, output_spec = jax.eval_shape(one_step, state, data, batches[0])
        nothing = jax.tree.map(lambda log: jax.numpy.zeros(log.shape, log.dtype), log_specs)
        empty = jax.tree.map(lambda raw: jax.numpy.zeros((len(batches), *raw.shape), raw.dtype), output_spec)
        return jax.lax.fori_loop(start, stop, body, (nothing, state, empty))

    def looped(state: Any, data: Any, batches: Any, start: int, stop: int) -> Any:
        logs, state, outputs = compiled_loop(state, data, batches, start, stop)
        return logs, state, np.asarray(outputs)[start:stop]  # nothing of an empty tuple

    compiled_step = jax.jit(one_step)

    def stepped(state: Any, data: Any, batches: Any, start: int, stop: int) -> Any:
        logs: dict[str, Any] = {}
        outputs_of_steps = []
        for batch in batches[start:stop]:
            logs, state, outputs = compiled_step(state, data, batch)
            outputs_of_steps += jax.tree.leaves(outputs)
        return logs, state, list(map(np.asarray, outputs_of_steps))

    return stepped if single_steps else looped


def worth_xla(model: keras.Model, setting: bool | str, steps: int) -> bool:
    """Whether to compile the loop of a compiled model with XLA, for a run of so many steps.

    On a GPU Keras knows. On a CPU XLA makes convolutions several times slower and small dense layers up to twice as
    fast, and compiling takes about a second: it pays for long runs of models without convolutions. Recurrent layers
    take ten times as long to compile and gain little, and with masks they cannot be compiled.
    """
    if keras.config.backend() != "tensorflow":
        return False
    if setting != "auto":
        return bool(setting)
    if backend.gpu_names():
        return bool(model.jit_compile)
    quick = not _convolutional(model) and all(
        layer.supports_jit and not isinstance(layer, keras.layers.RNN) for layer in model._flatten_layers()
    )
    return steps >= 3_000 and quick


def _convolutional(model: keras.Model) -> bool:
    slow = ("Conv", "Pooling", "Random")  # the layers that take a window of pixels
    return any(part in type(layer).__name__ for layer in model._flatten_layers() for part in slow)
