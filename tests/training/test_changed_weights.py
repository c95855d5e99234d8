"""The recorded values are those of the saved weights, whatever callbacks of the user's do to them."""

import keras
import numpy as np
import pytest

from fitbench.data.loading import load
from fitbench.data.split import split
from fitbench.record.history import read_history

OWN = """
import keras

class Halve(keras.callbacks.Callback):
    # halves all weights at one of Keras's hooks

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, lambda *arguments, **named: self.halve())

    def halve(self):
        self.model.set_weights([weight / 2 for weight in self.model.get_weights()])
"""
QUICK = ("data=digits", "model=mlp", "optimizer.learning_rate=0.1", "training.epochs=6")
KERAS_STOPPING = (
    "training.early_stopping=null",
    "+training.callbacks.stop={_target_: keras.callbacks.EarlyStopping, patience: 2, restore_best_weights: true}",
)
HALVE = "+training.callbacks.halve={{_target_: weight_halving.Halve, hook: {}}}"


@pytest.fixture(scope="module", autouse=True)
def own_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "weight_halving.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


def losses_of_saved_model(folder, config):
    """Loss and accuracy of model.keras on the training and the validation part, without any code of the training."""
    data, settings = load(config.data), config.training
    model = keras.saving.load_model(folder / "model.keras")
    values = []
    for rows in split(data.y_train, settings.validation_split, settings.validation, config.seed):
        logits = model.predict(data.x_train[rows], verbose=0).astype(np.float64)
        log_p = logits - logits.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        labels = data.y_train[rows]
        values.append((-log_p[np.arange(len(labels)), labels].mean(), np.mean(logits.argmax(axis=1) == labels)))
    return values


@pytest.mark.parametrize(
    "options",
    [
        KERAS_STOPPING,
        ("training.early_stopping=null", HALVE.format("on_train_end")),
        ("training.early_stopping=null", HALVE.format("on_epoch_end")),
        (HALVE.format("on_test_end"),),  # our early stopping then keeps and restores weights that were not validated
    ],
    ids=["restores", "on_train_end", "on_epoch_end", "on_test_end"],
)
def test_values_are_those_of_the_saved_weights(trained, configure, options):
    folder, result = trained(*QUICK, "metrics=[accuracy,log_loss]", *options)
    metrics, history = result["metrics"], read_history(folder)
    (train_loss, train_accuracy), (val_loss, val_accuracy) = losses_of_saved_model(folder, configure(*QUICK))
    assert metrics["val_loss"] == pytest.approx(val_loss, abs=1e-5)
    assert metrics["val_accuracy"] == pytest.approx(val_accuracy, abs=1e-6)
    assert metrics["val_log_loss"] == pytest.approx(val_loss, abs=1e-5)
    assert metrics["train_loss"] == pytest.approx(train_loss, abs=1e-5)
    assert metrics["train_accuracy"] == pytest.approx(train_accuracy, abs=1e-6)
    assert metrics["val_loss"] != history[-1]["val_loss"]
    assert metrics["epochs"] == len(history)


def test_values_of_weights_that_nothing_has_changed_are_those_of_the_history(trained):
    unchanged = "+training.callbacks.plateau={_target_: keras.callbacks.ReduceLROnPlateau, monitor: loss}"
    folder, result = trained(*QUICK, unchanged)
    best = min(read_history(folder), key=lambda epoch: epoch["val_loss"])
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    recorded = [result["metrics"][name if name.startswith("val_") else f"train_{name}"] for name in names]
    assert recorded == pytest.approx([best[name] for name in names], rel=1e-7)


def test_regularised_loss_is_evaluated_with_its_penalty(trained):
    options = (
        "data=digits", "model=logistic_ovr", "training.loss=binary_cross_entropy", "training.epochs=3",
        "training.early_stopping=null",
    )  # fmt: skip
    keep_best = (
        "+training.callbacks.stop={_target_: keras.callbacks.EarlyStopping, monitor: val_accuracy, mode: min, "
        "restore_best_weights: true, patience: 9}"
    )  # the first epoch is the worst
    folder, result = trained(*options, keep_best)
    first = read_history(folder)[0]
    assert result["metrics"]["val_accuracy"] == pytest.approx(first["val_accuracy"], rel=1e-7)
    assert result["metrics"]["val_loss"] == pytest.approx(first["val_loss"], rel=1e-5)
