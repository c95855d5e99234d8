"""Keras's `fit`, with the steps of an epoch in one compiled loop.

Keras runs the epochs, its callbacks, its metrics and the validation: it calls `model.train_function` and
`model.test_function` once where it would call them for every batch. So a model of the user's own, with a `train_step`
of its own, gets the same speed.

The order of the batches in an epoch is a function of (seed, epoch) alone.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.data_adapter import DataAdapter  # Keras documents it for `fit`, but not where

from fitbench.training import bookkeeping
from fitbench.training.evaluate import batch_size as evaluation_batch_size
from fitbench.training.examples import Examples, order_of
from fitbench.training.loops import Loops
from fitbench.training.passes import Pass, Progress

Score = Callable[[np.ndarray], dict[str, float | None]]


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
        loops: of the model; it takes batches of `training.inputs` and is compared with `training.targets`.
        training, validation: examples to train on, and those that are evaluated after every epoch, or None.
        seed, batch_size: the seed and the epoch decide the order; the last batch of an epoch may be smaller.
        epochs, initial_epoch: the epoch (from 0) before which training ends, and the one to begin with.
        steps_per_execution: steps between two calls of the callbacks' batch methods; None for the whole epoch.
        progress: is called with the number of examples done in this epoch and the metrics so far, a few times a second.
        score: is called after each validation with the model's outputs, float32 [N, outputs], in the order of the
            examples. Its values by name join the logs of the epoch before any callback sees them; None is NaN there.
    """
    model, steps = loops.model, math.ceil(len(training) / batch_size)
    steps_at_once = steps_per_execution or steps
    train = Pass(loops.train, training, batch_size, steps_at_once, progress)
    first = [_Order(train, seed), *([] if validation is None else [_Validation(loops, validation, score)])]
    model.train_function = train
    try:
        with bookkeeping.metrics_from_logs(model):
            model.fit(
                _Ticks(math.ceil(steps / steps_at_once), training),
                shuffle=False,
                epochs=epochs,
                initial_epoch=initial_epoch,
                callbacks=_Callbacks([*first, *callbacks], model, steps, steps_at_once, epochs),
                verbose=0,
                validation_data=None if validation is None else _Ticks(1, validation),
            )
    finally:
        model.train_function = None


def evaluate(loops: Loops, examples: Examples) -> dict[str, float]:
    """The loss and the metrics of the model on examples, by their names, as the validation of `fit` computes them."""
    logs = loops.model.evaluate(
        _Ticks(1, examples),
        callbacks=[_Validation(loops, examples, None)],
        return_dict=True,
        verbose=0,
    )
    return {name: float(value) for name, value in logs.items()}


class _Callbacks(keras.callbacks.CallbackList):
    """Tells callbacks the numbers of the batches that were trained on, as Keras itself does with steps_per_execution.

    Keras counts our executions, of `steps_at_once` steps each but for the last of an epoch, as one batch each.
    """

    def __init__(
        self,
        callbacks: list[keras.callbacks.Callback],
        model: keras.Model,
        steps: int,
        steps_at_once: int,
        epochs: int,
    ) -> None:
        super().__init__(callbacks, add_history=True, model=model, epochs=epochs, steps=steps, verbose=0)
        self.steps = steps
        self.steps_at_once = steps_at_once

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """The execution begins with this batch of the epoch, from 0."""
        super().on_train_batch_begin(batch * self.steps_at_once, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """The execution has ended with this batch of the epoch, from 0."""
        super().on_train_batch_end(min((batch + 1) * self.steps_at_once, self.steps) - 1, logs)


class _Order(keras.callbacks.Callback):
    """Begins the pass over the training examples of each epoch, in the epoch's order."""

    def __init__(self, train: Pass, seed: int) -> None:
        super().__init__()
        self.train = train
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Keras is about to call the train function."""
        self.train.begin(order_of(self.seed, epoch, len(self.train.examples)))


class _Validation(keras.callbacks.Callback):
    """Puts our pass in the place of Keras's test function for the validation of `fit`, and for nothing else.

    An `evaluate` that a callback calls has a list of callbacks of its own, without this one. It also scores the outputs
    of the pass: it must stand before the callbacks that are to see the values.
    """

    def __init__(self, loops: Loops, examples: Examples, score: Score | None) -> None:
        super().__init__()
        size = evaluation_batch_size(examples.inputs.shape[1:], loops.model)
        loop = loops.test if score is None else loops.test_with_outputs
        self.whole = Pass(loop, examples, size, len(examples), None)
        self.score = score
        self.in_order = np.arange(len(examples), dtype=np.int32)

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


class _Ticks(DataAdapter):
    """What Keras iterates over in place of the batches: one element for each call of the train or test function.

    Each element is the first example. Keras on JAX builds the model from it; nothing else reads the elements. An
    iterator over arrays or over a data set of TensorFlow's would cost as much as training a small network for an epoch.
    """

    def __init__(self, number: int, examples: Examples) -> None:
        first = examples.first()
        self.elements = [(first.inputs, *first.labels)] * number

    def get_tf_dataset(self) -> Iterable[Any]:
        """The elements on TensorFlow."""
        return self.elements

    def get_jax_iterator(self) -> Iterable[Any]:
        """The elements on JAX."""
        return self.elements

    @property
    def num_batches(self) -> int:
        """How many elements there are."""
        return len(self.elements)
