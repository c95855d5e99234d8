"""The schedule that lowers the learning rate when a metric stops improving (`optimizer/schedule=plateau`)."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from fitbench.training.measures import Monitor


class Plateau(keras.callbacks.Callback):
    """Multiplies the learning rate after epochs without an improvement, as `keras.callbacks.ReduceLROnPlateau`.

    The metric decides what is better; an undefined value (NaN) never is. The learning rate is a variable of the
    optimizer, and `best` and `wait` are attributes, so a checkpoint holds all three. The rate changes at the end of an
    epoch, so the next epoch is the first that is trained with the new rate.

    Args:
        monitor: what must improve.
        settings: `optimizer.schedule` of the configuration.
    """

    def __init__(self, monitor: Monitor, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.monitor = monitor
        self.factor = settings["factor"]
        self.patience = settings["patience"]
        self.least_change = settings["min_delta"]
        self.least_rate = settings["min_learning_rate"]
        self.best: float | None = None
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the epoch's value, and lower the learning rate if it is time."""
        value = (logs or {}).get(self.monitor.key)
        if self.monitor.metric.is_better(value, self.best, self.least_change):
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait < self.patience:
            return
        self.wait = 0
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if rate > np.float32(self.least_rate):
            self.model.optimizer.learning_rate = max(rate * self.factor, self.least_rate)
