"""Averages of the weights in the place of the weights (`optimizer.use_ema`)."""

import keras
import numpy as np

from fitbench.errors import FitbenchError


class AveragedWeights(keras.callbacks.Callback):
    """Lets the model have the averages of its weights from the validation of an epoch to the beginning of the next.

    So the averages are validated, recorded, kept as the best and saved, and training goes on from the weights
    themselves. The optimizer computes the averages: after its first step they are the weights, after each further step
    ema_momentum * average + (1 - ema_momentum) * weight (`use_ema` of `keras.optimizers.Optimizer`; after Polyak
    and Juditsky 1992, who weigh all steps alike). Weights that are not trained, such as the statistics of batch
    normalisation, have no averages: they stay those of training.

    It must stand before the callbacks that are to see the averages. What callbacks do to the trained weights at the end
    of an epoch is undone when the next one begins. At the end of an epoch the model and `own` are in its checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own: list[np.ndarray] = []  # values of the trained weights while the model has their averages

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Give the model its own weights back."""
        if self.own:
            for weight, value in zip(self.model.trainable_variables, self.own, strict=True):
                weight.assign(value)
            self.own = []

    def on_test_begin(self, logs: dict | None = None) -> None:
        """The validation of an epoch begins."""
        self._average()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """An epoch has ended, perhaps without a validation."""
        self._average()

    def _average(self) -> None:
        """Copy the averages into the model, unless it has them.

        Raises:
            FitbenchError: there are none, because the model's own training step has not used the optimizer.
        """
        if self.own:
            return
        weights = self.model.trainable_variables
        self.own = [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]
        self.model.optimizer.finalize_variable_values(weights)
        if not any(np.any(keras.ops.convert_to_numpy(weight)) for weight in weights):
            raise FitbenchError(
                "optimizer.use_ema is true, but there are no averages: the model's train_step has not used "
                "self.optimizer; leave optimizer.use_ema out"
            )
