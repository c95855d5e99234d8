"""What training makes small: the loss, and the targets in the form that it takes."""

import keras
import numpy as np

from fitbench.config import Loss, Training


def loss(training: Training) -> keras.losses.Loss:
    """The loss between `targets` and logits, its mean over the examples.

    Cross-entropy is computed from logits. The mean squared error is the mean over the classes of the squared
    difference between the outputs, without a softmax, and 1 for the right class, 0 for the others.
    """
    if training.loss is Loss.mean_squared_error:
        return keras.losses.MeanSquaredError()
    if training.label_smoothing:
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=training.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def metric(training: Training) -> keras.metrics.Metric:
    """The accuracy, for the same targets."""
    of = keras.metrics.CategoricalAccuracy if _one_hot(training) else keras.metrics.SparseCategoricalAccuracy
    return of(name="accuracy")


def targets(labels: np.ndarray, classes: int, training: Training) -> np.ndarray:
    """Labels, int32 [N], as the loss takes them: the same, or one-hot float32 [N, classes]."""
    return np.eye(classes, dtype=np.float32)[labels] if _one_hot(training) else labels


def _one_hot(training: Training) -> bool:
    return training.loss is Loss.mean_squared_error or training.label_smoothing > 0
