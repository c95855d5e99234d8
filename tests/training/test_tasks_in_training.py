"""Runs of values and of several labels: what they record is what NumPy and scikit-learn make of their outputs."""

import json
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from fitbench.data.loading import load
from fitbench.data.split import training_rows
from fitbench.errors import RequestError
from fitbench.metrics import get
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import lacking, read_result
from fitbench.tasks import best_threshold, sigmoid
from fitbench.training import networks
from fitbench.training.added import evaluate_lacking
from fitbench.training.run import train

QUICK = ("model=mlp", "model.hidden=[16]", "optimizer.learning_rate=0.01", "training.epochs=4", "progress=false")
VALUES = ("data.target=[price,rent]", "data.drop=[warm,wet,kind]")
LABELS = ("data.target=[warm,wet]", "data.drop=[price,rent,kind]")
CLASSES = ("data.target=kind", "data.drop=[price,rent,warm,wet]")
USERS = """
from keras import ops

def cubes(targets, outputs, power=3):
    return ops.mean(ops.abs(targets - outputs) ** power, axis=-1)
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with two numbers, two labels and a class to predict, and weights of its rows."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(240, 3))
    frame = pd.DataFrame(rows, columns=list("abc")).assign(
        price=1000 + 50 * rows[:, 0] + random.normal(size=240),
        rent=5 + rows[:, 1] * rows[:, 2],
        warm=(rows[:, 0] + 0.3 * random.normal(size=240) > 1).astype(int),
        wet=(rows[:, 1] > 0.5).astype(int),
        kind=np.where(rows[:, 2] > 0.8, "rare", "usual"),
        weight=random.uniform(0.5, 2, 240).round(3),
    )
    path = tmp_path_factory.mktemp("table") / "houses.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def recorded(composer, table, tmp_path_factory):
    """Trains what the overrides ask for; gives the run's folder, result, configuration and data."""
    outputs = tmp_path_factory.mktemp("outputs")

    def run(*overrides):
        config = composer.configuration(
            [*QUICK, "data=csv", f"data.path={table}", "data.weight=weight", f"outputs={outputs}", *overrides]
        )
        folder = folder_of(config)
        return folder, train(config, folder), config, load(config.data, config.task)

    return run


@pytest.fixture(scope="module")
def regression(recorded):
    options = ("training.standardize_targets=true", "metrics=[mae,rmse,r2,mse]")
    return recorded(*VALUES, *options, "training.early_stopping.monitor=val_mae")


@pytest.fixture(scope="module")
def multilabel(recorded):
    metrics = "metrics=[subset_accuracy,micro_f1,macro_f1]"  # the threshold is the best for micro F1 in any case
    return recorded(*LABELS, "training.threshold=auto", metrics)


def saved(folder, inputs):
    """The outputs of the saved model, as plain Keras gives them."""
    return keras.saving.load_model(folder / "model.keras").predict(inputs, verbose=0)


# -- regression -------------------------------------------------------------------------------------------------------


def test_metrics_of_a_regression_are_in_the_units_of_its_targets(regression):
    folder, result, config, data = regression
    parts = {"test": (data.x_test, data.y_test)}
    for part, rows in zip(("train", "val"), training_rows(data, config.training, config.seed, None), strict=True):
        parts[part] = data.x_train[rows], data.y_train[rows]
    for part, (inputs, targets) in parts.items():
        values = saved(folder, inputs)
        mae = sklearn.metrics.mean_absolute_error(targets, values)
        assert result["metrics"][f"{part}_mae"] == pytest.approx(mae, rel=1e-4)
        mse = sklearn.metrics.mean_squared_error(targets, values)
        assert result["metrics"][f"{part}_mse"] == pytest.approx(mse, rel=1e-4)
        assert result["metrics"][f"{part}_r2"] == pytest.approx(sklearn.metrics.r2_score(targets, values), abs=1e-4)
    with np.load(folder / "predictions.npz") as predictions:
        assert predictions["values"] == pytest.approx(saved(folder, data.x_test), rel=1e-6)
        assert np.array_equal(predictions["targets"], data.y_test)
        assert np.array_equal(predictions["rows"], data.rows_test)


def test_loss_of_a_regression_is_that_of_weighted_standardized_targets_and_says_so(regression):
    folder, result, config, data = regression
    deviation = data.y_train.std(axis=0, dtype=np.float64)
    _, held_back = training_rows(data, config.training, config.seed, None)
    for part, inputs, targets, weights in (
        ("test", data.x_test, data.y_test, data.w_test),
        ("val", data.x_train[held_back], data.y_train[held_back], data.w_train[held_back]),
    ):
        errors = ((saved(folder, inputs) - targets) / deviation) ** 2
        assert result["metrics"][f"{part}_loss"] == pytest.approx((weights * errors.mean(axis=1)).mean(), rel=1e-4)
    assert result["metric_info"]["loss"]["label"] == "loss (MSE of standardised targets)"
    targets = json.loads((folder / "dataset.json").read_text())["targets"]
    assert [(target["name"], target["deviation"]) for target in targets] == [
        (name, pytest.approx(of)) for name, of in zip(("price", "rent"), deviation, strict=True)
    ]


def test_history_of_a_regression_begins_with_what_the_steps_measure(regression):
    keys = ["epoch", "seconds", "learning_rate", "loss", "mae", "val_loss", "val_mae", "val_rmse", "val_r2", "val_mse"]
    assert [list(epoch) for epoch in read_history(regression[0])] == [keys] * 4


def test_early_stopping_on_an_error_keeps_the_epoch_with_the_smallest(regression):
    folder, result, _, _ = regression
    history = read_history(folder)
    best = min(history, key=lambda epoch: epoch["val_mae"])
    assert result["metrics"]["best_epoch"] == best["epoch"]
    assert result["metrics"]["val_mae"] == best["val_mae"]


def test_saved_model_undoes_what_its_inner_model_was_trained_on(regression):
    folder, _, _, data = regression
    inner = keras.saving.load_model(folder / "model.keras").layers[1]
    small = (saved(folder, data.x_test) - data.y_train.mean(axis=0)) / data.y_train.std(axis=0)
    assert inner.predict(data.x_test, verbose=0) == pytest.approx(small, abs=1e-3)


def test_next_seed_of_weighted_standardized_targets_shares_the_network(recorded):
    same = (*VALUES, "training.standardize_targets=true", "training.epochs=1")
    recorded(*same, "seed=1")
    first = networks._kept[0]
    recorded(*same, "seed=2")
    assert networks._kept == [first]
    recorded(*VALUES, "training.epochs=1", "seed=2")
    assert networks._kept != [first]


def test_seed_that_trains_on_another_number_of_examples_builds_its_own_schedule(recorded, table, tmp_path):
    path = tmp_path / "streets.csv"
    frame = pd.read_csv(table).assign(street=lambda rows: np.sqrt(rows.index).astype(int))
    frame.to_csv(path, index=False)
    options = (*VALUES, f"data.path={path}", "data.group=street", "training.validation=random")
    options += (
        "optimizer/schedule=cosine",
        "training.batch_size=2",
        "training.epochs=2",
        "training.early_stopping=null",
    )
    _, first, _, _ = recorded(*options, "seed=0")
    _, after, _, _ = recorded(*options, "seed=3")
    assert first["data"]["train"] != after["data"]["train"]
    networks.forget()
    _, alone, _, _ = recorded(*options, "seed=3", "force=true")
    assert alone["metrics"] == after["metrics"]


def test_saved_model_of_a_table_holds_no_optimizer(recorded):
    folder, _, _, _ = recorded(*VALUES)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        assert json.loads(archive.read("config.json")).get("compile_config") in (None, {})


def test_loss_of_the_users_is_trained_on_and_is_part_of_the_runs_code(recorded, tmp_path, monkeypatch):
    (tmp_path / "users_losses.py").write_text(USERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    folder, result, _, data = recorded(*VALUES, "training.loss={_target_: users_losses.cubes, power: 1.5}")
    of_examples = (np.abs(saved(folder, data.x_test) - data.y_test) ** 1.5).mean(axis=1)
    assert result["metrics"]["test_loss"] == pytest.approx((data.w_test * of_examples).mean(), rel=1e-4)
    assert list(result["code"]) == ["users_losses"]
    assert result["metric_info"]["loss"]["label"] == "loss (cubes)"
    assert networks._kept == []  # a user's code may depend on anything


# -- several labels ---------------------------------------------------------------------------------------------------


def test_threshold_of_labels_is_the_best_on_the_validation_part(multilabel):
    folder, result, config, data = multilabel
    _, held_back = training_rows(data, config.training, config.seed, None)
    probabilities = sigmoid(saved(folder, data.x_train[held_back]))
    assert result["threshold"] == best_threshold(get("micro_f1"), data.y_train[held_back], probabilities)
    for part, targets, outputs in (
        ("val", data.y_train[held_back], probabilities),
        ("test", data.y_test, sigmoid(saved(folder, data.x_test))),
    ):
        decided = outputs >= result["threshold"]
        for average in ("micro", "macro"):
            f1 = sklearn.metrics.f1_score(targets, decided, average=average, zero_division=0)
            assert result["metrics"][f"{part}_{average}_f1"] == pytest.approx(f1)
        assert result["metrics"][f"{part}_subset_accuracy"] == pytest.approx((decided == targets).all(axis=1).mean())
    best = read_history(folder)[result["metrics"]["best_epoch"] - 1]
    assert result["metrics"]["val_micro_f1"] == best["val_micro_f1"]


def test_fixed_threshold_is_recorded_and_decides(recorded):
    folder, result, _, data = recorded(*LABELS, "training.threshold=0.2", "metrics=[subset_accuracy]")
    assert result["threshold"] == 0.2
    decided = sigmoid(saved(folder, data.x_test)) >= np.float32(0.2)
    assert result["metrics"]["test_subset_accuracy"] == pytest.approx((decided == data.y_test).all(axis=1).mean())


def test_metric_that_a_finished_run_lacks_is_scored_with_its_threshold(recorded, multilabel):
    folder, result, config, data = multilabel
    more = config.model_copy(update={"metrics": {**config.metrics, "hamming_loss": None}})
    assert lacking(more, read_result(folder)) == ["hamming_loss"]
    added = evaluate_lacking(more, folder)
    wrong = (sigmoid(saved(folder, data.x_test)) >= result["threshold"]) != data.y_test
    assert added["metrics"]["test_hamming_loss"] == pytest.approx(wrong.mean())
    assert added["threshold"] == result["threshold"]


# -- classes, and the task that the data decide -----------------------------------------------------------------------


def test_class_weights_change_the_loss_of_training_alone(recorded):
    folder, result, _, data = recorded(*CLASSES, "training.class_weight={rare: 5, usual: 1}", "training.epochs=1")
    logits = saved(folder, data.x_test).astype(np.float64)
    of_examples = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), data.y_test]
    assert result["metrics"]["test_loss"] == pytest.approx((data.w_test * of_examples).mean(), rel=1e-4)
    assert result["metrics"]["test_accuracy"] == (logits.argmax(axis=1) == data.y_test).mean()
    _, plain, _, _ = recorded(*CLASSES, "training.epochs=1")
    assert result["metrics"]["train_loss"] > 1.3 * plain["metrics"]["train_loss"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*CLASSES, "metrics=[rmse]"), "metrics: rmse is a metric of regression, but the task is classification"),
        ((*VALUES, "metrics=[accuracy]"), "metrics: accuracy is a metric of classification, but the task is regressi"),
        ((*CLASSES, "training.loss=huber"), "training.loss is huber, but the task is classification; it must be auto"),
        ((*LABELS, "training.class_weight=balanced"), "training.class_weight is for the task classification, but the"),
        ((*CLASSES, "training.class_weight={rare: 1}"), "training.class_weight lacks usual; it must have a weight for"),
        ((*CLASSES, "training.class_weight={odd: 1}"), "training.class_weight names odd, which is no class; it must"),
    ],
)
def test_what_does_not_go_with_the_task_that_the_data_decide_is_refused(recorded, overrides, message):
    with pytest.raises(RequestError) as refused:
        recorded(*overrides, "seed=9")
    assert message in str(refused.value)
    assert refused.value.exit_status == 2


def test_refused_run_has_failed_and_counts_no_attempt(recorded):
    same = (*VALUES, "training.batch_size=17", "training.epochs=1")
    with pytest.raises(RequestError):
        recorded(*same, "metrics=[accuracy]")
    folder, result, config, _ = recorded(*same)
    assert config.known_task is None
    assert (result["task"], result["attempts"], state_of(folder)) == ("regression", 1, State.finished)


def test_metric_of_another_task_is_not_added_to_a_finished_run(regression):
    folder, _, config, _ = regression
    with pytest.raises(RequestError, match="accuracy is a metric of classification, but the task is regression"):
        evaluate_lacking(config.model_copy(update={"metrics": {"accuracy": None}}), folder)
