"""The loss, its targets, weights and units against NumPy, and against Keras's own fit."""

import hashlib
import json

import keras
import numpy as np
import pytest

from fitbench.config import Loss
from fitbench.errors import RequestError
from fitbench.tasks import task_of
from fitbench.training import own_loss
from fitbench.training.objective import Objective, Scale

NAMES = ("a", "b", "c")
LABELS = np.array([2, 0, 1, 1], np.int32)
LOGITS = np.array([[0.5, -1, 2], [3, 0, 1], [-2, 0.25, 0], [1, -1, 0]], np.float32)
VALUES = np.array([[10, 200], [12, 260], [9, 180], [15, 240]], np.float32)
OUTPUTS = np.array([[11, 190], [12.5, 270], [7, 200], [15, 245]], np.float32)
WEIGHTS = np.array([0, 1, 2.5, 0.5], np.float32)


@pytest.fixture
def objective(configure):
    """The objective of a task with these settings of training."""

    def made(task, *settings, scale=None, **changes):
        training = configure(*(f"training.{setting}" for setting in settings)).training
        names = ("x", "y") if task == "regression" else NAMES
        return Objective(task_of(task), training.model_copy(update=changes), names, scale, has_sigmoids=False)

    return made


def measured(objective, targets, outputs):
    """What the metrics of the step say."""
    found = {}
    for metric in objective.metrics():
        metric.update_state(objective.targets(targets), outputs)
        found[metric.name] = float(metric.result())
    return found


@pytest.mark.parametrize(("targets", "wrong", "right"), [("null", 0, 1), ("[-1,1]", -1, 1), ("[0.1,0.9]", 0.1, 0.9)])
def test_mean_squared_error_is_between_outputs_and_targets(objective, targets, wrong, right):
    made = objective("classification", "loss=mean_squared_error", f"targets={targets}")
    wanted = np.full((4, 3), wrong, np.float64)
    wanted[np.arange(4), LABELS] = right
    assert made.targets(LABELS) == pytest.approx(wanted)
    assert made.targets(LABELS).dtype == np.float32
    assert made.value(LABELS, LOGITS, None) == pytest.approx(((LOGITS - wanted) ** 2).mean(), rel=1e-6)
    assert measured(made, LABELS, LOGITS) == {"accuracy": 0.75}


def test_binary_cross_entropy_is_the_mean_of_every_class_against_the_rest(objective):
    sign = np.where(np.eye(3)[LABELS] == 1, 1, -1)
    wanted = pytest.approx(np.log1p(np.exp(-sign * LOGITS.astype(np.float64))).mean(), rel=1e-6)
    made = objective("classification", "loss=binary_cross_entropy")
    assert made.value(LABELS, LOGITS, None) == wanted
    assert measured(made, LABELS, LOGITS) == {"accuracy": 0.75}
    of_labels = objective("multilabel")
    assert of_labels.name == "binary_cross_entropy"
    assert of_labels.value(np.eye(3, dtype=np.int8)[LABELS], LOGITS, None) == wanted
    assert of_labels.metrics() == []


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_of_the_softmax(objective, smoothing):
    made = objective("classification", f"label_smoothing={smoothing}")
    wanted = (1 - smoothing) * np.eye(3)[LABELS] + smoothing / 3
    assert made.value(LABELS, LOGITS, None) == pytest.approx(-(wanted * log_p()).sum(axis=1).mean(), rel=1e-5)
    assert measured(made, LABELS, LOGITS) == {"accuracy": 0.75}
    assert made.targets(LABELS).ndim == (2 if smoothing else 1)


def log_p():
    logits = LOGITS.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


# -- weights ----------------------------------------------------------------------------------------------------------


def test_weighted_loss_is_the_weighted_sum_over_the_number_of_examples_as_in_keras(objective):
    of_examples = -log_p()[np.arange(4), LABELS]
    assert objective("classification").value(LABELS, LOGITS, WEIGHTS) == pytest.approx((WEIGHTS * of_examples).mean())
    errors = np.square(OUTPUTS - VALUES).mean(axis=1)
    assert objective("regression").value(VALUES, OUTPUTS, WEIGHTS) == pytest.approx((WEIGHTS * errors).mean())


def test_balanced_weights_are_those_of_scikit_learn(objective):
    from sklearn.utils.class_weight import compute_sample_weight

    made = objective("classification", "class_weight=balanced")
    assert made.weights(LABELS, None) == pytest.approx(compute_sample_weight("balanced", LABELS))
    assert made.weights(LABELS, WEIGHTS) == pytest.approx(compute_sample_weight("balanced", LABELS) * WEIGHTS)
    assert made.weights(LABELS, None).dtype == np.float32


def test_class_weight_gives_the_step_of_keras(objective):
    made = objective("classification", class_weight={"c": 3.0, "a": 0.5, "b": 1.25})

    def after_one_step(**weights):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
        model.compile(keras.optimizers.SGD(0.5), made.loss, metrics=made.metrics())
        history = model.fit(LOGITS, LABELS, batch_size=4, verbose=0, **weights).history
        return model.get_weights(), history

    ours, history = after_one_step(sample_weight=made.weights(LABELS, None))
    theirs, expected = after_one_step(class_weight={0: 0.5, 1: 1.25, 2: 3.0})
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(other, rel=1e-6)
    assert history["loss"] == pytest.approx(expected["loss"])
    _, plain = after_one_step()
    assert history["accuracy"] == plain["accuracy"]  # weights change the loss, not the metrics
    assert history["loss"] != plain["loss"]


def test_weights_that_are_all_0_are_refused(objective):
    with pytest.raises(RequestError, match="the data: every training example has the weight 0"):
        objective("regression").weights(VALUES, np.zeros(4, np.float32))
    made = objective("classification", class_weight={"a": 1.0, "b": 0.0, "c": 0.0})
    with pytest.raises(RequestError, match=r"training\.class_weight: every training example has the weight 0"):
        made.weights(LABELS[[0, 2, 3]], None)


# -- regression -------------------------------------------------------------------------------------------------------


def huber(errors):
    return np.where(np.abs(errors) <= 1, errors**2 / 2, np.abs(errors) - 0.5)


@pytest.mark.parametrize(("loss", "of_errors"), [("mse", np.square), ("mae", np.abs), ("huber", huber)])
def test_losses_of_values_are_means_over_examples_and_targets(objective, loss, of_errors):
    made, errors = objective("regression", loss=Loss(loss)), OUTPUTS.astype(np.float64) - VALUES
    assert made.value(VALUES, OUTPUTS, None) == pytest.approx(of_errors(errors).mean(), rel=1e-6)
    assert measured(made, VALUES, OUTPUTS) == pytest.approx({"mae": np.abs(errors).mean()}, rel=1e-6)
    standardized = objective("regression", loss=Loss(loss), scale=Scale.of(VALUES))
    small = errors / VALUES.std(axis=0, dtype=np.float64)
    assert standardized.value(VALUES, OUTPUTS, None) == pytest.approx(of_errors(small).mean(), rel=1e-5)


def test_standardized_targets_have_mean_0_and_deviation_1_and_outputs_come_back_in_units(objective):
    made = objective("regression", scale=Scale.of(VALUES))
    small = made.targets(VALUES)
    assert small.dtype == np.float32
    assert small.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert small.std(axis=0) == pytest.approx([1, 1], rel=1e-6)
    assert made.in_units(small) == pytest.approx(VALUES, rel=1e-6)
    assert made.in_units(small).dtype == np.float32
    outputs = made.standardized(OUTPUTS)
    assert measured(made, VALUES, outputs) == pytest.approx({"mae": np.abs(OUTPUTS - VALUES).mean()}, rel=1e-5)


def test_constant_target_is_not_divided_by_0():
    assert Scale.of(np.array([[3.0, 1], [3, 2]])).deviation.tolist() == [1, 0.5]


def test_losses_in_different_units_have_different_definitions(objective):
    made = {
        "loss": objective("classification"),
        "loss (MSE)": objective("regression"),
        "loss (Huber)": objective("regression", loss=Loss.huber),
        "loss (MSE of standardised targets)": objective("regression", scale=Scale.of(VALUES)),
        "loss (log_cosh)": objective("regression", loss={"_target_": "keras.losses.log_cosh"}),
    }
    assert [each.info["label"] for each in made.values()] == list(made)
    assert len({each.info["definition"] for each in made.values()}) == len(made)
    long = {"_target_": "keras.losses.LogCosh", "name": "x" * 20_000}
    digest = hashlib.sha256(json.dumps(long).encode()).hexdigest()
    definition = objective("regression", loss=long, scale=Scale.of(VALUES)).info["definition"]
    assert definition == f"sha256:{digest} of standardised targets"
    of_classes = [objective("classification", f"loss={loss}").info for loss in ("cross_entropy", "mean_squared_error")]
    assert [info["definition"] for info in of_classes] == ["fitbench.loss"] * 2  # as version 0.1 records it


# -- losses of Keras's and of the user's ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "one_hot", "wanted"),
    [
        ("keras.losses.SparseCategoricalCrossentropy", False, lambda: -log_p()[np.arange(4), LABELS]),
        ("keras.losses.sparse_categorical_crossentropy", False, lambda: -log_p()[np.arange(4), LABELS]),
        ("keras.losses.CategoricalCrossentropy", True, lambda: -log_p()[np.arange(4), LABELS]),
        ("keras.losses.categorical_crossentropy", True, lambda: -log_p()[np.arange(4), LABELS]),
        ("keras.losses.mean_absolute_error", True, lambda: np.abs(LOGITS - np.eye(3)[LABELS]).mean(axis=1)),
    ],
)
def test_loss_of_keras_gets_logits_and_labels_or_rows_by_its_name(objective, target, one_hot, wanted):
    made = objective("classification", loss={"_target_": target})
    assert made.targets(LABELS).ndim == (2 if one_hot else 1)
    assert made.value(LABELS, LOGITS, None) == pytest.approx(wanted().mean(), rel=1e-5)
    assert made.value(LABELS, LOGITS, WEIGHTS) == pytest.approx((WEIGHTS * wanted()).mean(), rel=1e-5)
    assert measured(made, LABELS, LOGITS) == {"accuracy": 0.75}


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ({"_target_": "fitbench.models.losses.MaximumAPosteriori", "rubbish": 0.1}, True),
        ({"_target_": "fitbench.models.losses.MaximumAPosteriori", "rubbish": {"_target_": "os.getpid"}}, False),
        ({"_target_": "fitbench.models.losses.ops.ones"}, False),
        ({"_target_": "fitbench.losses.mine"}, False),
    ],
)
def test_losses_of_fitbench_are_known(section, known):
    assert own_loss.is_known(section) is known


def test_maximum_a_posteriori_takes_one_hot_rows(objective):
    made = objective("classification", loss={"_target_": "fitbench.models.losses.MaximumAPosteriori", "rubbish": 0.5})
    wanted = np.log(np.exp(LOGITS.astype(np.float64)).sum(axis=1) + np.exp(-0.5)) - LOGITS[np.arange(4), LABELS]
    assert made.value(LABELS, LOGITS, None) == pytest.approx(wanted.mean(), rel=1e-6)
    assert measured(made, LABELS, LOGITS) == {"accuracy": 0.75}
