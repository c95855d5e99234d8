"""What training makes small: the loss, and the targets in the form that it takes."""

import keras
import numpy as np

from fitbench.config import Loss, Training


def loss(training: Training) -> keras.losses.Loss:
    """The loss between `targets` and logits, its mean over the examples.

    Cross-entropy is computed from logits. The mean squared error is the mean over the classes of the squared
    difference between the outputs, without a softmax, and 1 for the right class, 0 for the others, or what
    `training.targets` says. The binary cross-entropy is the mean over the classes of log(1 + exp(-y z)) for the logit
    z, with y = 1 for the right class and -1 for the others.
    """
    if training.loss is Loss.binary_cross_entropy:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    if training.loss is Loss.mean_squared_error:
        return keras.losses.MeanSquaredError()
    if training.label_smoothing:
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=training.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def takes_logits(training: Training) -> bool:
    """Whether the loss is computed from logits; a squared error takes outputs of any range."""
    return training.loss is not Loss.mean_squared_error


def metric(training: Training) -> keras.metrics.Metric:
    """The accuracy, for the same targets."""
    of = keras.metrics.CategoricalAccuracy if _one_hot(training) else keras.metrics.SparseCategoricalAccuracy
    return of(name="accuracy")


def targets(labels: np.ndarray, classes: int, training: Training) -> np.ndarray:
    """Labels, int32 [N], as the loss takes them: the same, or one-hot float32 [N, classes].

    With `training.targets` the latter has its two values in place of 0 and 1.
    """
    if not _one_hot(training):
        return labels
    wrong, right = training.targets or (0, 1)
    return (wrong + (right - wrong) * np.eye(classes)).astype(np.float32)[labels]


def _one_hot(training: Training) -> bool:
    return training.loss is not Loss.cross_entropy or training.label_smoothing > 0
