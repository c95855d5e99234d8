"""Early stopping decides as Keras's does, and the result agrees with it about the best epoch."""

import math
import random

import keras
import numpy as np
import pytest

from fitbench import metrics
from fitbench.config import EarlyStopping as Settings
from fitbench.tasks import task_of
from fitbench.training.callbacks import EarlyStopping
from fitbench.training.measures import Measures, Monitor, exact_share

DEFAULT = {
    "monitor": "val_accuracy", "patience": 3, "min_delta": 0.0, "restore_best_weights": True, "start_from_epoch": 0,
    "baseline": None, "in_folds": False,
}  # fmt: skip


def one_weight(value=0.0):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((1, 1), value, np.float32)])
    return model


@pytest.fixture(scope="module")
def model():
    return one_weight()


def followed(model, callback, values):
    """The history up to where the callback stops, and the number of the epoch whose weight the model then has."""
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    history = []
    for epoch, value in enumerate(values):
        model.set_weights([np.full((1, 1), epoch + 1, np.float32)])
        history.append({"epoch": epoch + 1, callback.monitor: value})
        callback.on_epoch_end(epoch, {callback.monitor: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return history, int(model.get_weights()[0].item())


def recorded(history):
    return [{key: None if math.isnan(value) else value for key, value in epoch.items()} for epoch in history]


def cases(number, further):
    chance = random.Random(0)
    for _ in range(number):
        settings = Settings.model_validate({
            **DEFAULT,
            "patience": chance.randint(0, 4), "start_from_epoch": chance.choice([0, 0, 1, 3, 7]),
            "baseline": chance.choice([None, 0.35, 0.65]), "min_delta": chance.choice([0.0, 0.15]),
            "restore_best_weights": chance.random() < 0.8,
        })  # fmt: skip
        values = [chance.choice([0.1, 0.2, 0.4, 0.5, 0.7, 0.8, *further]) for _ in range(chance.randint(1, 9))]
        yield chance.choice(["accuracy", "log_loss"]), settings, values


def test_result_names_the_epoch_whose_weights_are_restored(model):
    for name, settings, values in cases(300, [math.nan, 0.5 + 1e-12]):  # float32 has one number for 0.5 and the second
        monitor = Monitor(f"val_{name}", metrics.get(name))
        history, kept = followed(model, EarlyStopping(monitor, settings), values)
        measures = Measures({}, task_of("classification"), 0.5, settings, monitor)
        case = (name, settings, values)
        assert measures.kept_epoch(recorded(history))["epoch"] == kept, case
        best = measures.best(recorded(history))["epoch"]
        assert best == kept or not settings.restore_best_weights, case
        assert best > settings.start_from_epoch or len(history) <= settings.start_from_epoch, case


def test_defined_values_are_judged_as_keras_judges_them(model):
    for name, settings, values in cases(150, []):
        monitor = Monitor(f"val_{name}", metrics.get(name))
        options = settings.model_dump(exclude={"monitor", "in_folds"})
        theirs = keras.callbacks.EarlyStopping(monitor.key, mode=monitor.metric.direction, **options)
        case = (name, settings, values)
        assert followed(model, EarlyStopping(monitor, settings), values) == followed(model, theirs, values), case


@pytest.mark.parametrize(("right", "examples"), [(35, 50), (0, 7), (7, 7), (1, 3), (59_999, 60_000), (12_345, 54_321)])
def test_a_share_that_was_rounded_to_32_bits_is_exact_again(right, examples):
    assert exact_share(float(np.float32(right / examples)), examples) == right / examples


@pytest.mark.parametrize("value", [0.5001, None, math.nan, math.inf])
def test_another_value_than_a_share_of_the_examples_stays(value):
    assert exact_share(value, 50) is value
