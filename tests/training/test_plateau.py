"""The learning rate falls as with Keras's callback, and does not know NaN for an improvement."""

import math
import random

import keras
import numpy as np
import pytest

from fitbench import metrics
from fitbench.record.history import read_history
from fitbench.training.measures import Monitor
from fitbench.training.plateau import Plateau

RUN = ("data=digits", "model=softmax", "optimizer.learning_rate=0.1", "training.epochs=12", "training.batch_size=64")


@pytest.fixture(scope="module")
def model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def rates(model, callback, key, values):
    """The learning rate after each epoch."""
    model.optimizer.learning_rate = 0.5
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {key: value})
        found.append(float(model.optimizer.learning_rate))
    return found


def test_rate_falls_as_with_the_callback_of_keras(model):
    chance = random.Random(0)
    fallen = 0
    for _ in range(100):
        metric = metrics.get(chance.choice(["loss", "accuracy"]))
        factor, patience, min_delta = chance.choice([0.1, 0.5]), chance.randint(1, 3), chance.choice([0.0, 0.15])
        least = chance.choice([0.0, 0.01, 0.5])
        values = [chance.choice([0.1, 0.2, 0.4, 0.5, 0.7]) for _ in range(12)]
        settings = {"factor": factor, "patience": patience, "min_delta": min_delta, "min_learning_rate": least}
        theirs = keras.callbacks.ReduceLROnPlateau(
            "x", factor, patience, mode=metric.direction, min_delta=min_delta, min_lr=least
        )
        ours = rates(model, Plateau(Monitor("x", metric), settings), "x", values)
        assert ours == rates(model, theirs, "x", values), (metric.name, settings, values)
        fallen += ours[-1] < 0.5
    assert fallen > 50


def test_undefined_value_is_no_improvement(model):
    settings = {"factor": 0.5, "patience": 2, "min_delta": 0.0, "min_learning_rate": 0.0}
    plateau = Plateau(Monitor("val_macro_f1", metrics.get("macro_f1")), settings)
    values = [math.nan, math.nan, 0.3, math.nan, 0.4, 0.4, math.nan]
    assert rates(model, plateau, "val_macro_f1", values) == [0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.125]


def test_run_is_bit_for_bit_that_of_the_callback_of_keras(trained):
    """And the recorded learning rate is that with which an epoch began."""
    folder, result = trained(
        *RUN, "optimizer/schedule=plateau", "optimizer.schedule.monitor=val_macro_f1", "optimizer.schedule.factor=0.5",
        "optimizer.schedule.patience=1", "optimizer.schedule.min_learning_rate=0.01", "metrics=[accuracy]",
    )  # fmt: skip
    callback = "_target_: keras.callbacks.ReduceLROnPlateau, monitor: val_macro_f1, mode: max"
    other, theirs = trained(
        *RUN, "metrics=[accuracy,macro_f1]",
        f"+training.callbacks.plateau={{{callback}, factor: 0.5, patience: 1, min_lr: 0.01}}",
    )  # fmt: skip
    histories = [[{**epoch, "seconds": 0} for epoch in read_history(each)] for each in (folder, other)]
    assert histories[0] == histories[1]
    assert result["metrics"] == theirs["metrics"]
    assert "val_macro_f1" in result["metrics"]  # recorded because it is watched
    expected, best, rate = [], -1.0, 0.1
    for epoch in histories[0]:
        expected.append(rate)
        if epoch["val_macro_f1"] - 1e-4 > best:
            best = epoch["val_macro_f1"]
        else:
            rate = max(rate / 2, 0.01)
    assert [epoch["learning_rate"] for epoch in histories[0]] == pytest.approx(expected)
    assert len(set(expected)) > 2
    weights = [keras.saving.load_model(each / "model.keras").get_weights() for each in (folder, other)]
    assert all(np.array_equal(mine, its) for mine, its in zip(*weights, strict=True))
