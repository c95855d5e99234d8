"""Metrics besides the accuracy: what a run records, early stopping on them, adding them to finished runs."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
import sklearn.metrics

from fitbench import metrics
from fitbench.data.loading import load
from fitbench.data.split import split
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch import job
from fitbench.launch.command import launch
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result
from fitbench.training.added import evaluate_lacking
from fitbench.training.run import train

# dropout, a schedule, distortions, and early stopping that restores weights
OPTIONS = (
    "data=digits", "model=mlp", "model.dropout=0.2", "optimizer/schedule=cosine", "optimizer.learning_rate=0.01",
    "distortion=affine", "training.epochs=8", "training.early_stopping.patience=2",
)  # fmt: skip
USERS = """
import sklearn.metrics

def kappa(targets, outputs, weights=None):
    return sklearn.metrics.cohen_kappa_score(targets, outputs.argmax(axis=1), weights=weights)
"""
SELECTED = (
    "metrics=[macro_f1,accuracy,log_loss,roc_auc,top_3_accuracy]",
    "metrics.kappa={_target_: users_metrics.kappa, direction: max, low: -1, high: 1, weights: quadratic}",
    "metrics.top_2={_target_: keras.metrics.SparseTopKCategoricalAccuracy, direction: max, k: 2}",
)


def by_scikit_learn(labels, probabilities):
    predicted = probabilities.argmax(axis=1)
    return {
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities.astype(np.float64)),
        "roc_auc": sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "top_3_accuracy": sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=3),
        "kappa": sklearn.metrics.cohen_kappa_score(labels, predicted, weights="quadratic"),
        "top_2": sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=2),
    }


@pytest.fixture(scope="module")
def recorded(composer, tmp_path_factory):
    """Trains what the overrides ask for in a fresh outputs folder; gives the run's folder and its configuration."""

    def run(*overrides, outputs=None):
        outputs = outputs or tmp_path_factory.mktemp("outputs")
        config = composer.configuration([f"outputs={outputs}", "progress=false", *overrides])
        job.run(config)
        return folder_of(config), config

    return run


@pytest.fixture(scope="module")
def users_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("users")
    (folder / "users_metrics.py").write_text(USERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(scope="module")
def default_run(recorded):
    return recorded(*OPTIONS)


@pytest.fixture(scope="module")
def selected_run(recorded, users_module):
    return recorded(*OPTIONS, *SELECTED)


@pytest.fixture(scope="module")
def evaluated_run(recorded, users_module, tmp_path_factory):
    """A run that was finished without the selected metrics and then launched with them; gives both its results."""
    outputs = tmp_path_factory.mktemp("outputs")
    folder, _ = recorded(*OPTIONS, outputs=outputs)
    history = (folder / "history.jsonl").read_bytes()
    before = read_result(folder)
    _, config = recorded(*OPTIONS, *SELECTED, outputs=outputs)
    assert (folder / "history.jsonl").read_bytes() == history
    return before, read_result(folder), config


def weights_of(folder):
    return zipfile.ZipFile(folder / "model.keras").read("model.weights.h5")


def probabilities_of(folder, images):
    """What the saved model says of images, without any code of fitbench."""
    outputs = keras.saving.load_model(folder / "model.keras").predict(images, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(outputs))


def parts(config):
    """Images and labels of the training and of the validation part."""
    data, training = load(config.data), config.training
    rows = split(data.y_train, training.validation_split, training.validation, config.seed)
    return [(data.x_train[part], data.y_train[part]) for part in rows]


# -- what is recorded -------------------------------------------------------------------------------------------------


def test_further_metrics_change_no_bit_of_a_run(default_run, selected_run):
    (plain, _), (further, _) = default_run, selected_run
    assert plain.name == further.name
    assert weights_of(plain) == weights_of(further)
    assert np.array_equal(*(np.load(folder / "predictions.npz")["probabilities"] for folder in (plain, further)))
    for before, after in zip(read_history(plain), read_history(further), strict=True):
        assert {**before, "seconds": 0} == {**{key: after[key] for key in before}, "seconds": 0}
    values = read_result(further)["metrics"]
    assert read_result(plain)["metrics"] == {key: values[key] for key in read_result(plain)["metrics"]}


def test_test_values_are_those_of_scikit_learn_on_the_recorded_probabilities(selected_run):
    folder, _ = selected_run
    predictions = np.load(folder / "predictions.npz")
    assert set(predictions.files) == {"labels", "probabilities", "data_sha256"}
    for name, expected in by_scikit_learn(predictions["labels"], predictions["probabilities"]).items():
        assert read_result(folder)["metrics"][f"test_{name}"] == pytest.approx(expected, abs=1e-6), name


def test_values_of_training_and_validation_are_those_of_the_weights_that_are_kept(selected_run):
    folder, config = selected_run
    result, history = read_result(folder)["metrics"], read_history(folder)
    best = min(history, key=lambda epoch: epoch["val_loss"])
    for part, (images, labels) in zip(("train", "val"), parts(config), strict=True):
        expected = by_scikit_learn(labels, probabilities_of(folder, images))
        del expected["accuracy"]  # the step's own, which in training is the mean over the epoch
        for name, value in expected.items():
            assert result[f"{part}_{name}"] == pytest.approx(value, abs=1e-6), (part, name)
            assert result[f"val_{name}"] == best[f"val_{name}"]
    for part, key in (("train", "accuracy"), ("val", "val_accuracy")):
        recorded, examples = (
            result[f"{part}_accuracy"],
            len(dict(zip(("train", "val"), parts(config), strict=True))[part][1]),
        )
        assert recorded == round(recorded * examples) / examples  # the step's value is a 32-bit float
        assert np.float32(recorded) == np.float32(best[key])


def test_result_says_what_its_metrics_are(selected_run):
    folder, _ = selected_run
    result = read_result(folder)
    names = ["macro_f1", "accuracy", "log_loss", "roc_auc", "top_3_accuracy", "kappa", "top_2"]
    assert (result["primary"], list(result["metric_info"])) == ("macro_f1", [*names, "loss"])
    assert list(result["metrics"]) == [
        *(f"{part}_{name}" for part in ("train", "val", "test") for name in ("loss", *names)), "best_epoch", "epochs",
    ]  # fmt: skip
    assert result["metric_info"]["log_loss"] == metrics.get("log_loss").info()
    about = result["metric_info"]["kappa"]
    assert (about["direction"], about["range"]) == ("max", [-1, 1])
    assert about["definition"].startswith('users_metrics.kappa {"weights": "quadratic"} sha256:')
    assert list(result["config"]["metrics"]) == names


def test_history_has_the_validation_values_and_no_others_of_the_training_part(selected_run):
    folder, _ = selected_run
    names = ("loss", "accuracy", "macro_f1", "log_loss", "roc_auc", "top_3_accuracy", "kappa", "top_2")
    assert set(read_history(folder)[0]) == {
        "epoch", "seconds", "learning_rate", "loss", "accuracy", *(f"val_{name}" for name in names),
    }  # fmt: skip


def test_accuracy_that_is_not_selected_is_not_in_the_result(recorded):
    folder, _ = recorded("data=digits", "model=softmax", "training.epochs=1", "metrics=[macro_f1]")
    assert list(read_result(folder)["metric_info"]) == ["macro_f1", "loss"]
    assert "test_accuracy" not in read_result(folder)["metrics"]


def test_model_that_is_solved_and_a_run_without_validation_have_no_values_of_it(recorded):
    for options in (["model=nearest_mean"], ["model=softmax", "training.validation_split=0", "training.epochs=1",
                                             "training.early_stopping=null"]):  # fmt: skip
        folder, config = recorded("data=digits", *options, "metrics=[macro_f1,accuracy]")
        result = read_result(folder)["metrics"]
        images, labels = parts(config)[0]
        expected = by_scikit_learn(labels, probabilities_of(folder, images))
        assert result["train_macro_f1"] == pytest.approx(expected["macro_f1"], abs=1e-6)
        assert (result["val_macro_f1"], result["val_loss"], result["val_accuracy"]) == (None, None, None)


def test_users_module_that_is_missing_is_refused_before_the_data_are_read(composer, tmp_path):
    config = composer.configuration([
        "data=npz", "data.path=nowhere.npz", "task=classification", "progress=false", f"outputs={tmp_path}",
        "metrics.own={_target_: no_such_module.own, direction: max}",
    ])  # fmt: skip
    with pytest.raises(RequestError, match=r"metrics\.own\._target_ is no_such_module\.own, which cannot be loaded"):
        train(config, folder_of(config))


# -- early stopping ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["val_macro_f1", "val_log_loss"])
def test_early_stopping_follows_the_direction_of_its_metric_and_restores_the_best_weights(recorded, monitor):
    folder, config = recorded(
        "data=digits", "model=mlp", "optimizer.learning_rate=0.03", "training.epochs=60",
        f"training.early_stopping.monitor={monitor}", "training.early_stopping.patience=3",
    )  # fmt: skip
    values = [epoch[monitor] for epoch in read_history(folder)]
    best = int(np.argmax(values) if monitor == "val_macro_f1" else np.argmin(values))
    result = read_result(folder)["metrics"]
    assert len(values) == best + 1 + 3 < 60
    assert (result["best_epoch"], result["epochs"], result[monitor]) == (best + 1, len(values), values[best])
    images, labels = parts(config)[1]
    name = monitor.removeprefix("val_")  # which is recorded although it is not selected
    expected = by_scikit_learn(labels, probabilities_of(folder, images))[name]
    assert values[best] == pytest.approx(expected, abs=1e-6)
    assert list(read_result(folder)["metric_info"]) == ["accuracy", name, "loss"]


def test_value_that_is_undefined_in_every_epoch_is_null_and_never_an_improvement(composer, recorded, tmp_path):
    data = load(composer.configuration(["data=digits"]).data)
    order = np.argsort(data.y_train == 3, kind="stable")[::-1]  # no example of class 3 is held back
    arrays = {"x_train": data.x_train[order], "y_train": data.y_train[order]}
    np.savez(tmp_path / "sorted.npz", **arrays, x_test=data.x_test, y_test=data.y_test)
    folder, _ = recorded(
        "data=npz", f"data.path={tmp_path}/sorted.npz", "model=softmax", "training.epochs=20",
        "training.early_stopping.monitor=val_macro_f1", "training.early_stopping.patience=2",
    )  # fmt: skip
    history, result = read_history(folder), read_result(folder)["metrics"]
    assert [epoch["val_macro_f1"] for epoch in history] == [None, None]
    assert (result["best_epoch"], result["val_macro_f1"]) == (1, None)
    assert 0 < result["train_macro_f1"] <= 1
    assert 0 < result["test_macro_f1"] <= 1


# -- finished and interrupted runs ------------------------------------------------------------------------------------


def test_finished_run_gains_what_a_run_trained_with_it_records(evaluated_run, selected_run):
    _, result, _ = evaluated_run
    expected = read_result(selected_run[0])["metrics"]
    assert list(result["metrics"]) != []
    assert set(result["metrics"]) == set(expected)
    for key, value in expected.items():
        assert result["metrics"][key] == (value if key.startswith("test_") else pytest.approx(value, abs=1e-6)), key
    assert result["metric_info"] == read_result(selected_run[0])["metric_info"]
    assert result["primary"] == "macro_f1"


def test_accuracy_that_is_added_later_is_that_of_a_new_run(default_run, recorded, tmp_path):
    """The history has it: the mean over the last epoch. The saved model would say something else."""
    folder, _ = recorded(*OPTIONS, "metrics=[macro_f1]", outputs=tmp_path)
    recorded(*OPTIONS, "metrics=[macro_f1,accuracy]", outputs=tmp_path)
    added, expected = read_result(folder)["metrics"], read_result(default_run[0])["metrics"]
    assert {key: added[key] for key in expected} == expected


def test_evaluation_changes_nothing_else_of_the_result(evaluated_run):
    before, after, _ = evaluated_run
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"metrics", "metric_info", "primary", "code"}
    assert list(after["code"]) == ["users_metrics"]
    assert {key: after["metrics"][key] for key in before["metrics"]} == before["metrics"]


def test_run_that_lacks_nothing_is_not_evaluated_again(evaluated_run):
    _, _, config = evaluated_run
    stamp = (folder_of(config) / "result.json").stat().st_mtime_ns
    result, reused = job.run(config)
    assert reused
    assert result["primary"] == "macro_f1"
    assert (folder_of(config) / "result.json").stat().st_mtime_ns == stamp


def test_finished_run_with_another_definition_of_a_metric_is_refused(evaluated_run):
    _, result, config = evaluated_run
    changed = {**config.metrics, "kappa": {**config.metrics["kappa"], "weights": "linear"}}
    message = (
        r'is recorded with another definition: the metric kappa was users_metrics.kappa {"weights": "quadratic"} and '
        r'is users_metrics.kappa {"weights": "linear"} now; give .* another name, or train .* force=true'
    )
    with pytest.raises(RequestError, match=message):
        job.run(config.model_copy(update={"metrics": changed}))
    with pytest.raises(RequestError, match="is recorded with another definition"):  # as when it was recorded just now
        evaluate_lacking(config.model_copy(update={"metrics": changed | {"micro": None}}), folder_of(config))
    labelled = {**config.metrics, "kappa": {**config.metrics["kappa"], "label": "agreement"}}
    assert job.run(config.model_copy(update={"metrics": labelled})) == (result, True)


@pytest.mark.parametrize(
    "options",
    [
        ("data=digits", "data.preprocess=deskew", "model=logistic_ovr", "training.loss=binary_cross_entropy"),
        ("data=npz", "data.path={}/a.npz", "data.inputs=series", "data.standardize=channel", "model=time_cnn"),
    ],
    ids=["images", "series and sigmoids"],
)
def test_run_of_prepared_examples_is_evaluated_as_it_was_trained(recorded, tmp_path, options):
    x, y = np.random.default_rng(0).normal(3, 2, (60, 12, 2)).astype(np.float32), np.arange(60) % 3
    np.savez(tmp_path / "a.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    options = (*(option.format(tmp_path) for option in options), "training.epochs=2", "training.validation=stratified")
    late, _ = recorded(*options, outputs=tmp_path)
    recorded(*options, "metrics=[accuracy,macro_f1]", outputs=tmp_path)
    early, _ = recorded(*options, "metrics=[accuracy,macro_f1]")
    assert read_result(late)["metrics"] == pytest.approx(read_result(early)["metrics"], abs=1e-6)


def test_run_is_not_evaluated_with_other_data(composer, recorded, tmp_path):
    data = load(composer.configuration(["data=digits"]).data)
    arrays = {name: getattr(data, name)[:300] for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "made.npz", **arrays)
    options = ("data=npz", f"data.path={tmp_path}/made.npz", "model=softmax", "training.epochs=1")
    folder, _ = recorded(*options, outputs=tmp_path)
    content = (folder / "result.json").read_bytes()
    np.savez(tmp_path / "made.npz", **{**arrays, "y_train": arrays["y_train"][::-1]})
    with pytest.raises(RequestError, match="is recorded with other data"):
        recorded(*options, "metrics=[macro_f1]", outputs=tmp_path)
    assert (folder / "result.json").read_bytes() == content
    assert state_of(folder) is State.finished


def test_damaged_model_is_named_and_leaves_the_result_alone(recorded, tmp_path):
    options = ("data=digits", "model=softmax", "training.epochs=1")
    folder, _ = recorded(*options, outputs=tmp_path)
    (folder / "model.keras").write_bytes((folder / "model.keras").read_bytes()[:100])
    with pytest.raises(FitbenchError, match=r"model\.keras: the weights of .* cannot be read"):
        recorded(*options, "metrics=[macro_f1]", outputs=tmp_path)
    assert list(read_result(folder)["metric_info"]) == ["accuracy", "loss"]


def test_sweep_evaluates_finished_runs_and_trains_the_others(tmp_path, capsys):
    options = ["-m", "data=digits", "model=softmax", "training.epochs=1", f"outputs={tmp_path}"]
    assert launch([*options, "seed=0"]) == 0
    [folder] = (path for path in (tmp_path / "default").iterdir() if path.is_dir())
    model = (folder / "model.keras").stat().st_mtime_ns
    capsys.readouterr()
    assert launch([*options, "seed=0,1", "metrics=[macro_f1,accuracy]"], report_sweep=print) == 0
    out, err = capsys.readouterr()
    assert "2 finished" in out
    assert "finished runs that lack a metric and are evaluated, not trained: 1" in err
    results = [json.loads(path.read_text()) for path in sorted((tmp_path / "default").glob("*/result.json"))]
    assert [result["attempts"] for result in results] == [1, 1]
    assert all(0 < result["metrics"]["test_macro_f1"] <= 1 for result in results)
    assert (folder / "model.keras").stat().st_mtime_ns == model
    assert "evaluated its saved model for macro_f1" in (folder / "train.log").read_text()
    assert launch([*options, "seed=0,1", "metrics=[macro_f1]"], report_sweep=print) == 0
    assert "2 skipped, finished before" in capsys.readouterr().out


STOPS = """
import os
import keras

class Stops(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3 and os.environ.get("STOP"):
            raise RuntimeError("stopped")
"""


def test_run_that_is_resumed_with_further_metrics_has_their_values_of_its_weights(
    recorded, users_module, tmp_path, monkeypatch
):
    (tmp_path / "stops.py").write_text(STOPS)
    monkeypatch.syspath_prepend(tmp_path)
    options = ("data=digits", "model=mlp", "training.epochs=5", "training.early_stopping=null",
               "+training.callbacks.stops={_target_: stops.Stops}")  # fmt: skip
    monkeypatch.setenv("STOP", "1")
    kappa = "metrics.kappa={_target_: users_metrics.kappa, direction: max, weights: %s}"
    with pytest.raises(RuntimeError, match="stopped"):
        recorded(*options, kappa % "linear", outputs=tmp_path)
    with pytest.raises(RuntimeError, match="stopped"):  # its history keeps the values of the metric
        recorded(*options, outputs=tmp_path)
    monkeypatch.delenv("STOP")
    with pytest.raises(RequestError, match=r'interrupted with another definition: the metric kappa .*"linear"} and is'):
        recorded(*options, kappa % "quadratic", outputs=tmp_path)
    shutil.copytree(tmp_path / "default", tmp_path / "forced" / "default")
    anew, _ = recorded(*options, kappa % "quadratic", "force=true", outputs=tmp_path / "forced")
    assert ["val_kappa" in epoch for epoch in read_history(anew)] == [True] * 5
    folder, _ = recorded(*options, "metrics=[accuracy,macro_f1]", outputs=tmp_path)
    whole, _ = recorded(*options, "metrics=[accuracy,macro_f1]")
    assert ["val_macro_f1" in epoch for epoch in read_history(folder)] == [False] * 3 + [True] * 2
    assert read_result(folder)["metrics"] == read_result(whole)["metrics"]
