"""The optimizer and its learning-rate schedule, from the configuration."""

from collections.abc import Mapping
from typing import Any

import keras
from hydra.utils import instantiate

from fitbench.errors import RequestError

OF_A_VARIABLE = ("constant", "plateau")  # schedules for which the learning rate is a variable of the optimizer


def build(settings: Mapping[str, Any], steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    """The optimizer of a run of `epochs` epochs of `steps_per_epoch` steps each.

    Raises:
        RequestError: the run has fewer steps than gradients are accumulated for one update.
    """
    settings = dict(settings)
    del settings["name"]
    schedule, peak = settings.pop("schedule"), float(settings["learning_rate"])
    accumulated = settings.get("gradient_accumulation_steps") or 1
    if accumulated > (steps := steps_per_epoch * epochs):
        raise RequestError(
            f"optimizer.gradient_accumulation_steps is {accumulated}, but the run has {steps} steps, so nothing would "
            "be trained; give a smaller number"
        )
    rate = learning_rate(schedule, peak, steps_per_epoch, epochs, accumulated)
    return instantiate({**settings, "learning_rate": None}, learning_rate=rate, _convert_="all")


def learning_rate(
    schedule: Mapping[str, Any], peak: float, steps_per_epoch: int, epochs: int, steps_per_update: int = 1
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate as a function of the step, whose number is its only state; or where it begins.

    cosine: a straight line from 0 to `peak` over the warm-up, then half a cosine to `final_fraction * peak` at the last
    step (Loshchilov and Hutter 2017, without restarts); it changes from update to update. step: `peak * factor **
    (steps // steps of every_epochs)`. piecewise: `peak`, and after each of `after_epochs` `peak` times its factor. For
    these two an update takes the rate of its last step, as Keras's optimizers do.
    """
    if schedule["kind"] == "cosine":
        warmup = round(schedule["warmup_epochs"] * steps_per_epoch)
        cosine = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else peak,
            decay_steps=max(epochs * steps_per_epoch - warmup, 1),
            alpha=schedule["final_fraction"],
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
        return cosine if steps_per_update == 1 else PerUpdate(cosine, steps_per_update)
    if schedule["kind"] == "step":
        return StepDecay(peak, max(round(schedule["every_epochs"] * steps_per_epoch), 1), schedule["factor"])
    if schedule["kind"] == "piecewise":
        # Keras counts steps from 0 and keeps a value up to and including its boundary
        boundaries = [round(epochs * steps_per_epoch) - 1 for epochs in schedule["after_epochs"]]
        rates = [peak, *(peak * factor for factor in schedule["factors"])]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    return peak


@keras.saving.register_keras_serializable("fitbench")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that multiplies the learning rate by `factor` after every `steps` steps.

    Keras's ExponentialDecay divides step numbers as float32. In a compiled graph it changes many rates a step late,
    such as with 47 steps. Here whole numbers are divided.
    """

    def __init__(self, peak: float, steps: int, factor: float) -> None:
        super().__init__()
        self.peak, self.steps, self.factor = peak, steps, factor

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, from 0."""
        times = keras.ops.cast(step // self.steps, "float32")
        return self.peak * keras.ops.power(keras.ops.cast(self.factor, "float32"), times)

    def get_config(self) -> dict[str, Any]:
        """What Keras saves, where a callback of the user's saves the model with its optimizer."""
        return {"peak": self.peak, "steps": self.steps, "factor": self.factor}


@keras.saving.register_keras_serializable("fitbench")
class PerUpdate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that changes the learning rate from one update to the next, where an update accumulates steps.

    The rate is that of the first step of an update. So accumulating 4 batches of 32 examples follows the learning rates
    of batches of 128.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, steps_per_update: int) -> None:
        super().__init__()
        self.schedule = schedule
        self.steps_per_update = steps_per_update

    def __call__(self, step: Any) -> Any:
        """The learning rate of the update that this step, from 0, belongs to."""
        return self.schedule(step - step % self.steps_per_update)

    def get_config(self) -> dict[str, Any]:
        """What Keras saves, where a callback of the user's saves the model with its optimizer."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps_per_update": self.steps_per_update}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PerUpdate":
        """The schedule that `get_config` describes."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps_per_update"])
