import json
from pathlib import Path

import numpy as np
import pytest

from fitbench import metrics, quantities
from fitbench.config import config_id, from_values
from fitbench.errors import FitbenchError
from fitbench.record import reading


def test_a_complete_run_is_read(make_run):
    folder = make_run()
    result = reading.read_result(folder)
    assert result["data"]["classes"] == ["cat", "dog", "owl"]
    assert reading.read_config(folder) == result["config"]
    assert len(reading.read_predictions(folder, result).targets) == 60


# -- schema 1, as fitbench 0.1 wrote it -------------------------------------------------------------------------------

SCHEMA_1 = Path(__file__).parent / "schema_1"  # a run that fitbench 0.1 recorded
PRUNED_1 = {
    "schema": 1, "run_id": "digits-mlp-adam-11111111-s0", "trial": 3, "timing": {"fit_seconds": 1.5},
    "metrics": {"train_loss": 1.0, "train_accuracy": 0.5, "val_loss": 1.1, "val_accuracy": 0.4, "best_epoch": 2,
                "epochs": 2},
    "pruned_at": "2026-01-02T03:04:05Z",
}  # fmt: skip


def test_result_of_schema_1_is_read_in_the_shape_of_schema_2(make_run):
    written = json.loads((SCHEMA_1 / "result.json").read_text())
    result = reading.read_result(SCHEMA_1)
    assert set(result) == set(reading.read_result(make_run()))
    assert {key: result[key] for key in ("schema", "task", "primary", "fold", "threads", "environment", "code")} == {
        "schema": 2, "task": "classification", "primary": "accuracy", "fold": None, "threads": None,
        "environment": {}, "code": {},
    }  # fmt: skip
    assert result["metrics"] == written["metrics"]
    assert result["metric_info"] == quantities.of_schema_1()
    assert result["timing"]["examples_per_second"] == written["timing"]["images_per_second"] > 0
    assert "images_per_second" not in result["timing"]
    assert config_id(from_values(result["config"])) == result["config_id"]


def test_pruned_run_of_schema_1_is_read_in_the_shape_of_schema_2(tmp_path):
    (tmp_path / "pruned.json").write_text(json.dumps(PRUNED_1))
    assert reading.read_pruned(tmp_path) == PRUNED_1 | {"schema": 2, "metric_info": quantities.of_schema_1()}


@pytest.mark.parametrize("key", ["timing.images_per_second", "metrics.test_accuracy", "metrics.val_loss"])
def test_a_key_that_schema_1_has_and_a_result_of_it_lacks_is_named(tmp_path, key):
    result = json.loads((SCHEMA_1 / "result.json").read_text())
    section, _, name = key.partition(".")
    del result[section][name]
    (tmp_path / "result.json").write_text(json.dumps(result))
    with pytest.raises(FitbenchError, match=f"{key} is missing"):
        reading.read_result(tmp_path)


# -- damaged and incomplete files -------------------------------------------------------------------------------------


def test_a_truncated_result_names_its_file(make_run):
    path = make_run() / "result.json"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FitbenchError, match=r"result\.json: not JSON"):
        reading.read_result(path.parent)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metrics.test_loss", "0.5"), ("metrics.test_loss", float("nan")), ("metrics.epochs", None), ("timing", []),
        ("metrics.epochs", 10**400),
        ("data.classes", ["one"]), ("data.classes", [1, 2]), ("parameters", True), ("config.model", "mlp"),
        ("device", 3), ("metrics.train_accuracy", True), ("primary", None), ("metric_info", ["accuracy"]),
        ("threads", 2.5), ("fold", "0"),
    ],
)  # fmt: skip
def test_an_odd_value_in_a_result_is_named(make_run, key, value):
    path = make_run() / "result.json"
    result = json.loads(path.read_text())
    section, _, name = key.rpartition(".")
    (result[section] if section else result)[name] = value
    path.write_text(json.dumps(result))
    with pytest.raises(FitbenchError) as caught:
        reading.read_result(path.parent)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)


def test_a_missing_key_in_a_result_is_named(make_run):
    path = make_run() / "result.json"
    result = json.loads(path.read_text())
    del result["timing"]["seconds"]
    path.write_text(json.dumps(result))
    with pytest.raises(FitbenchError, match=r"timing\.seconds is missing"):
        reading.read_result(path.parent)


def test_a_metric_without_a_value_on_a_part_is_named(make_run):
    path = make_run() / "result.json"
    result = json.loads(path.read_text())
    result["metric_info"]["macro_f1"] = metrics.get("macro_f1").info()
    result["metrics"] |= {"train_macro_f1": 0.5, "val_macro_f1": None}
    path.write_text(json.dumps(result))
    with pytest.raises(FitbenchError, match=r"metrics\.test_macro_f1 is missing"):
        reading.read_result(path.parent)
    result["metrics"]["test_macro_f1"] = 0.25
    path.write_text(json.dumps(result))
    assert reading.read_result(path.parent)["metrics"]["test_macro_f1"] == 0.25


@pytest.mark.parametrize("content", ["a: [1, 2", "- a\n- b\n", "data: 3\n", "a: ${\n", "\x00"])
def test_a_damaged_config_names_its_file(tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(FitbenchError, match=r"config\.yaml"):
        reading.read_config(tmp_path)


def test_nothing_in_a_config_is_resolved(make_run, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    path = make_run(finished=False) / "config.yaml"
    path.write_text(path.read_text().replace("study: default", "study: ${oc.env:SECRET}"))
    assert reading.read_config(path.parent)["study"] == "${oc.env:SECRET}"


def test_what_is_no_finite_number_in_a_history_is_null(make_run):
    folder = make_run()
    (folder / "history.jsonl").write_text(
        '{"epoch": 1, "loss": NaN, "accuracy": "high", "val_loss": 0.5, "val_accuracy": 1%s}\n' % ("0" * 400)
        + '{"epoch": 0, "loss": 1}\n{"epoch": 1%s}\n{"epoch": 2, "lo' % ("0" * 400)
    )
    expected = {"epoch": 1, "loss": None, "accuracy": None, "val_loss": 0.5, "val_accuracy": None}
    assert reading.read_history(folder) == [expected]


def damage(path: Path, how: str) -> None:
    arrays = dict(np.load(path))
    match how:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-50])
            return
        case "empty":
            path.write_bytes(b"")
            return
        case "no zip":
            np.save(path.with_suffix(".npy"), arrays["labels"])
            path.with_suffix(".npy").rename(path)
            return
        case "no labels":
            del arrays["labels"]
        case "pickled":
            arrays["labels"] = np.array([{"a": 1}] * 60, dtype=object)
        case "too few":
            arrays["labels"] = arrays["labels"][:-1]
        case "floats":
            arrays["labels"] = arrays["labels"].astype(float)
        case "label out of range":
            arrays["labels"][0] = 3
        case "classes":
            arrays["probabilities"] = arrays["probabilities"][:, :2]
        case "other data":
            arrays["data_sha256"] = np.array("cd" * 32)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    "how",
    ["truncated", "empty", "no zip", "no labels", "pickled", "too few", "floats", "label out of range", "classes",
     "other data"],
)  # fmt: skip
def test_predictions_that_are_damaged_or_of_another_run_name_their_file(make_run, how):
    folder = make_run()
    damage(folder / "predictions.npz", how)
    with pytest.raises(FitbenchError, match=r"predictions\.npz: "):
        reading.read_predictions(folder, reading.read_result(folder))


def test_a_run_without_a_test_part_has_no_predictions_of_it(make_fold):
    folder = make_fold()
    with pytest.raises(FitbenchError, match=r"the run has no test part \(data.test is 0 in result.json\)"):
        reading.read_predictions(folder, reading.read_result(folder))
    assert len(reading.read_validation_predictions(folder, reading.read_result(folder)).targets) == 30


# -- the validation part of a run with folds ---------------------------------------------------------------------------

FOLD_1 = ("training.validation=kfold", "training.folds=4", "fold=1")


def test_validation_part_of_a_fold_is_read_with_its_rows_of_the_training_arrays_and_of_the_file(make_run):
    folder = make_run(*FOLD_1)
    result = reading.read_result(folder)
    read = reading.read_validation_predictions(folder, result)
    assert (read.targets.shape, read.outputs.shape, read.data_sha256) == ((30,), (30, 3), "ab" * 32)
    assert read.examples.tolist() == read.places.tolist() == list(range(1, 120, 4))
    assert (read.rows, read.place_name) == (None, "example")
    arrays = dict(np.load(folder / "predictions.npz"))
    np.savez(folder / "predictions.npz", **arrays, validation_file_rows=np.arange(30, 0, -1))
    read = reading.read_validation_predictions(folder, result)
    assert read.rows.tolist() == read.places.tolist() == list(range(30, 0, -1))
    assert reading.read_predictions(folder, result).examples is None


def test_validation_part_of_a_run_without_folds_is_refused(make_run):
    folder = make_run()
    with pytest.raises(FitbenchError, match=r"is of no fold, .*; expected a run with training.validation=kfold"):
        reading.read_validation_predictions(folder, reading.read_result(folder))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("validation_labels", lambda labels: labels[:-1], r"its validation part: labels are int32 \(29,\)"),
        ("validation_labels", lambda labels: labels + 1, r"its validation part: labels are not all from 0 to 2"),
        ("validation_probabilities", lambda shares: shares[:, :2], r"probabilities are float32 \(30, 2\)"),
        ("validation_rows", lambda rows: None, r"has no array validation_rows"),
        ("validation_rows", lambda rows: rows[::-1], r"are not ascending rows of the 120 training examples"),
        ("validation_rows", lambda rows: rows - 2, r"are not ascending rows of the 120 training examples"),
        ("validation_rows", lambda rows: rows + 3, r"are not ascending rows of the 120 training examples"),
        ("validation_rows", lambda rows: rows.astype(float), r"are float64 \(30,\); expected int64 \(30,\)"),
        ("validation_rows", lambda rows: rows.astype(object), r"Object arrays cannot be loaded"),
        ("validation_file_rows", lambda _: np.zeros(30, int), r"validation_file_rows begin at 0; expected"),
        ("validation_file_rows", lambda _: np.ones((30, 2)), r"file_rows are float64 \(30, 2\); expected 30"),
        ("data_sha256", lambda _: np.array("cd" * 32), r"made with other data"),
    ],
)  # fmt: skip
def test_validation_part_that_is_damaged_or_of_another_run_is_refused(make_run, name, change, message):
    folder = make_run(*FOLD_1)
    arrays = dict(np.load(folder / "predictions.npz"))
    changed = change(arrays.get(name))
    arrays = {key: array for key, array in (arrays | {name: changed}).items() if array is not None}
    np.savez(folder / "predictions.npz", **arrays)
    with pytest.raises(FitbenchError, match=rf"predictions\.npz: .*{message}"):
        reading.read_validation_predictions(folder, reading.read_result(folder))
