"""Runs of folds without a test part: what they record, and that one fold knows nothing of another."""

import contextlib
import io
import json

import keras
import numpy as np
import pandas as pd
import pytest

from fitbench.data import loading
from fitbench.data.folds import fold_sha256
from fitbench.data.loading import load
from fitbench.data.split import training_rows
from fitbench.errors import RequestError
from fitbench.inference import agreement
from fitbench.inference.evaluate import evaluate
from fitbench.inference.export import export
from fitbench.metrics import get
from fitbench.record import dataset
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_predictions, read_result, read_validation_predictions
from fitbench.tasks import task_of
from fitbench.training import networks, notes
from fitbench.training.added import evaluate_lacking
from fitbench.training.run import train

FOLDS = ("training.validation=kfold", "training.folds=2", "data.test_fraction=0")
QUICK = ("model=mlp", "model.hidden=[16]", "optimizer.learning_rate=0.01", "training.epochs=3", "progress=false")
CLASSES = ("data.target=kind", "data.drop=[price]", "training.class_weight=balanced")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(90, 3)), columns=list("abc"))
    frame["price"] = 1000 + 50 * frame["a"] + random.normal(size=90)
    frame["kind"] = np.repeat(["ant", "bee", "cow"], [46, 30, 14])
    path = tmp_path_factory.mktemp("table") / "houses.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def recorded(composer, table, tmp_path_factory):
    """Trains one fold of a table; gives the run's folder and its configuration."""

    def run(*overrides, outputs=None):
        outputs = outputs or tmp_path_factory.mktemp("outputs")
        words = [*QUICK, *FOLDS, "data=csv", f"data.path={table}", f"outputs={outputs}", *overrides]
        config = composer.configuration(words)
        train(config, folder_of(config))
        return folder_of(config), config

    return run


@pytest.fixture(scope="module")
def folds(recorded, tmp_path_factory):
    """Both folds, trained one after the other by one process, what it wrote, and how often it read the table."""
    outputs, written, reads = tmp_path_factory.mktemp("outputs"), io.StringIO(), []
    read = loading.read_table
    networks.forget()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(written):
        patch.setattr(notes, "_written", set())
        patch.setattr(loading, "read_table", lambda path: reads.append(path) or read(path))
        runs = [recorded(*CLASSES, f"fold={fold}", outputs=outputs) for fold in range(2)]
    return runs, written.getvalue(), len(reads)


def test_a_fold_is_recorded_without_a_test_part(folds):
    runs, _, _ = folds
    for number, (folder, _) in enumerate(runs):
        result = read_result(folder)
        assert folder.name.endswith(f"-s0-f{number}")
        assert (result["fold"], result["data"]["test"]) == (number, 0)
        assert result["data"]["train"] + result["data"]["validation"] == 90
        assert (result["metrics"]["test_accuracy"], result["metrics"]["test_loss"]) == (None, None)
        assert result["metrics"]["epochs"] == 3
        with np.load(folder / "predictions.npz") as arrays:
            assert (arrays["labels"].shape, arrays["probabilities"].shape) == ((0,), (0, 3))


def test_the_validation_parts_of_all_folds_are_the_examples_with_their_rows_of_the_file(folds, table):
    runs, _, _ = folds
    kinds, examples = pd.read_csv(table)["kind"].to_numpy(), []
    for folder, config in runs:
        result, data = read_result(folder), load(config.data, config.task)
        read = read_validation_predictions(folder, result)
        assert [result["data"]["classes"][label] for label in read.targets] == list(kinds[read.rows - 1])
        assert (data.rows_train[read.examples] == read.rows).all()
        outputs = keras.saving.load_model(folder / "model.keras").predict(data.x_train[read.examples], verbose=0)
        assert np.allclose(task_of("classification").recorded(outputs), read.outputs, atol=1e-6)
        assert result["metrics"]["val_accuracy"] == pytest.approx((read.outputs.argmax(axis=1) == read.targets).mean())
        examples += read.examples.tolist()
    assert sorted(examples) == list(range(90))


def test_a_fold_records_which_rows_and_targets_it_held_back_whatever_the_columns(folds, table, tmp_path):
    [(folder, config), *others], _, _ = folds
    recorded = read_result(folder)["data"]["fold_sha256"]
    assert recorded not in {read_result(other)["data"]["fold_sha256"] for other, _ in others}
    frame = pd.read_csv(table)
    swapped = frame.assign(kind=frame["kind"].map({"ant": "bee", "bee": "ant", "cow": "cow"}))
    variants = {"same": frame, "columns": frame.drop(columns="c"), "rows": frame[::-1], "labels": swapped}
    found = {}
    for name, variant in variants.items():
        variant.to_csv(tmp_path / f"{name}.csv", index=False)
        settings = config.data.model_copy(update={"path": str(tmp_path / f"{name}.csv")})
        data = load(settings, config.task)
        _, held_back = training_rows(data, config.training, config.seed, config.fold)
        found[name] = fold_sha256(data, held_back)
    assert found["same"] == found["columns"] == recorded
    assert recorded not in (found["rows"], found["labels"])


def test_folds_of_one_process_read_the_data_once_and_note_once_that_early_stopping_is_off(folds):
    _, written, reads = folds
    assert reads == 1
    assert written.count("early stopping is off, because it would choose the epoch by the fold that is measured") == 1


def test_a_fold_that_takes_over_the_network_of_another_is_trained_as_if_alone(folds, recorded):
    [(other, _), (folder, _)], _, _ = folds
    networks.forget()
    alone, _ = recorded(*CLASSES, "fold=1")
    histories = [[line | {"seconds": 0} for line in read_history(each)] for each in (folder, alone, other)]
    assert histories[0] == histories[1] != histories[2]
    results = [read_result(each) for each in (folder, alone)]
    read, again = (read_validation_predictions(*pair) for pair in zip((folder, alone), results, strict=True))
    assert np.array_equal(read.outputs, again.outputs)
    assert results[0]["metrics"] == results[1]["metrics"]


def test_a_metric_that_a_fold_lacks_is_added_for_its_validation_part(folds):
    [(folder, config), *_], _, _ = folds
    config = config.model_copy(update={"metrics": {"accuracy": None, "macro_f1": None}})
    result = evaluate_lacking(config, folder)
    read = read_validation_predictions(folder, result)
    expected = task_of("classification").score([get("macro_f1")], read.targets, read.outputs)
    assert result["metrics"]["val_macro_f1"] == pytest.approx(expected["macro_f1"])
    assert result["metrics"]["test_macro_f1"] is None


def test_a_fold_without_a_test_part_is_evaluated_and_exported_with_its_training_part(
    folds, tmp_path, capsys, monkeypatch
):
    [_, (folder, config)], _, _ = folds
    same = [f"data.path={config.data.path}"]
    with pytest.raises(RequestError, match=r"has no test part; expected one \(--part train takes the training part\)"):
        evaluate(str(folder), tmp_path, "csv", same, "test", "json", trust=False)
    evaluate(str(folder), tmp_path, "csv", same, "train", "json", trust=False)
    assert json.loads(capsys.readouterr().out)["data"]["count"] == 90
    evaluate(str(folder), tmp_path, "csv", same, "train", "table", trust=False)
    remark = (
        "was trained on 45 of these rows, so the metrics do not apply to new ones; the other 45 are fold 1, which the"
    )
    assert remark in capsys.readouterr().out
    monkeypatch.setattr(agreement, "_run", lambda _, inputs, reader, forbidden: reader.outputs(inputs))  # in a process
    export(str(folder), tmp_path, "keras", tmp_path / "exported", trust=False)
    assert "checked on all 90 training rows of houses against the original" in capsys.readouterr().out


def test_values_of_a_fold_are_in_the_units_of_their_targets_beside_a_test_part(recorded, table):
    values = ("data.target=price", "data.drop=[kind]", "data.test_fraction=0.2", "training.standardize_targets=true")
    folder, _ = recorded(*values, "fold=1", "training.fold_order=consecutive")
    result = read_result(folder)
    read, prices = read_validation_predictions(folder, result), pd.read_csv(table)["price"].to_numpy()
    assert np.allclose(read.targets[:, 0], prices[read.rows - 1])
    assert np.abs(read.outputs - read.targets).mean() == pytest.approx(result["metrics"]["val_mae"], rel=1e-5)
    tested = read_predictions(folder, result)
    assert read.rows.min() > 90 / 3  # the second half of what is not in the test part
    assert not set(read.rows) & set(tested.rows)


# -- what must not leak -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jumps(tmp_path_factory):
    """A table whose second half has targets of another scale than the first."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(24, 2)), columns=list("ab"))
    frame["y"] = (5 + frame["a"] + random.normal(size=24)) * np.where(np.arange(24) < 12, 1, 1000)
    path = tmp_path_factory.mktemp("jumps") / "jumps.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def standardized(recorded, jumps):
    """Trains a fold of this table on standardised targets; gives its folder and its configuration."""
    values = (f"data.path={jumps}", "data.target=y", "task=regression", "training.standardize_targets=true")
    return lambda *overrides, **kwargs: recorded(*values, "training.fold_order=consecutive", *overrides, **kwargs)


@pytest.fixture(scope="module")
def jump(standardized):
    """Its two folds, one after the other, and the second one alone."""
    networks.forget()
    swept = [standardized(f"fold={fold}") for fold in range(2)]
    networks.forget()
    return [*swept, standardized("fold=1")]


def test_targets_are_standardised_by_the_rows_that_are_trained_on(jump, jumps):
    y = pd.read_csv(jumps)["y"].to_numpy()
    for (folder, _), kept in zip(jump, (y[12:], y[:12], y[:12]), strict=True):
        [target] = dataset.read(folder).targets
        assert (target.mean, target.deviation) == pytest.approx((kept.mean(), kept.std()), rel=1e-5)
        units = keras.saving.load_model(folder / "model.keras").get_layer("units")
        assert [*units.offset, *units.scale] == pytest.approx([target.mean, target.deviation])


def test_a_sweep_of_folds_has_the_metrics_of_each_fold_alone(jump):
    """Both folds have 12 rows, so the second one could take over the network of the first."""
    swept, alone = (read_result(folder)["metrics"] for folder, _ in jump[1:])
    assert swept == alone


def test_a_metric_that_is_added_to_a_fold_is_in_the_units_of_its_targets(jump):
    folder, config = jump[2]
    result = evaluate_lacking(config.model_copy(update={"metrics": {"mae": None, "rmse": None}}), folder)
    read = read_validation_predictions(folder, result)
    expected = np.sqrt(np.mean((read.outputs - read.targets) ** 2))
    assert result["metrics"]["val_rmse"] == pytest.approx(expected, rel=1e-5)
