"""The optimizer and its learning-rate schedule, from the configuration."""

from collections.abc import Mapping
from typing import Any

import keras
from hydra.utils import instantiate


def build(settings: Mapping[str, Any], steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    """The optimizer of a run of `epochs` epochs of `steps_per_epoch` steps each."""
    settings = dict(settings)
    del settings["name"]
    schedule = settings.pop("schedule")
    rate = learning_rate(schedule, float(settings["learning_rate"]), steps_per_epoch, epochs)
    return instantiate({**settings, "learning_rate": None}, learning_rate=rate, _convert_="all")


def learning_rate(
    schedule: Mapping[str, Any], peak: float, steps_per_epoch: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate as a function of the step. Its only state is the optimizer's count of steps.

    cosine: a straight line from 0 to `peak` over the warm-up, then half a cosine to `final_fraction * peak` at the last
    step (Loshchilov and Hutter 2017, without restarts). step: `peak * factor ** (steps // steps of every_epochs)`.
    """
    if schedule["kind"] == "cosine":
        warmup = round(schedule["warmup_epochs"] * steps_per_epoch)
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else peak,
            decay_steps=max(epochs * steps_per_epoch - warmup, 1),
            alpha=schedule["final_fraction"],
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    if schedule["kind"] == "step":
        return keras.optimizers.schedules.ExponentialDecay(
            peak, max(round(schedule["every_epochs"] * steps_per_epoch), 1), schedule["factor"], staircase=True
        )
    return peak
