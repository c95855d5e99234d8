import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fitbench.analysis.diff import diff
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.record.history import write_history
from fitbench.record.result import write_result

from ..run_folders import KAPPA, record_metrics


@pytest.fixture
def said(capsys):
    """What `fitbench diff` prints of two folders: the text, or the object of --format json."""

    def print_diff(a: Path, b: Path, format: str = "table", err: str = ""):
        diff(str(a), str(b), Path("outputs"), format=format)
        captured = capsys.readouterr()
        assert (err in captured.err) if err else captured.err == ""
        return json.loads(captured.out) if format == "json" else captured.out

    return print_diff


def change(folder: Path, **sections: object) -> None:
    """Write the result anew, with some keys of its sections changed."""
    result = json.loads((folder / "result.json").read_text())
    for name, value in sections.items():
        result[name] = result[name] | value if isinstance(value, dict) else value
    write_result(folder, result)


def cells(text: str, name: str) -> list[str]:
    """The cells of the one row of this name, without it."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line.removeprefix(name).split()


def write_weights(folder: Path, content: bytes) -> None:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("metadata.json", str(folder))  # as Keras, which writes when it was saved
        archive.writestr("model.weights.h5", content)


# -- configuration and environment ------------------------------------------------------------------------------------


def test_the_configuration_that_differs(make_run, said, tmp_path):
    a = make_run("optimizer=adam", "model.hidden=[300,100]")
    other = ("study=other", "training.checkpoint_seconds=60", "progress=false")
    b = make_run("optimizer=sgd", "model.hidden=[8]", "seed=3", *other, outputs=tmp_path / "two")
    text = said(a, b)
    assert cells(text, "optimizer.name") == ["adam", "sgd"]
    assert cells(text, "optimizer.beta_1") == ["0.9", "-"]
    assert cells(text, "model.hidden") == ["[300,", "100]", "[8]"]
    assert cells(text, "seed") == ["0", "3"]
    assert cells(text, "study *") == ["default", "other"]
    assert cells(text, "training.checkpoint_seconds *")[1] == "60"
    assert "* no part of a run's identity" in text
    names = [line.split(" ")[0] for line in text.splitlines()]
    assert not {"model.name", "training.epochs", "outputs"} & set(names)
    assert names.index("model.hidden") < names.index("optimizer.name") < names.index("seed") < names.index("study")

    rows = {row.pop("key"): row for row in said(a, b, "json")["config"]}
    assert rows["model.hidden"] == {"a": [300, 100], "b": [8], "identity": True}
    assert rows["optimizer.beta_1"] == {"a": 0.9, "b": None, "identity": True}
    assert rows["seed"]["identity"] is True
    assert rows["study"]["identity"] is False
    assert rows["optimizer._target_"]["b"] == "keras.optimizers.SGD"
    assert "model.name" not in rows


def test_what_identity_counts_as_the_same_does_not_differ(make_run, said, tmp_path):
    a, b = make_run("model.dropout=0.0"), make_run("model.dropout=0.0", outputs=tmp_path / "two")
    config = reading.read_result(a)["config"]
    change(b, config={"model": config["model"] | {"dropout": 0, "init_stddev": None, "extra": []}})
    assert said(a, b, "json")["config"] == []
    change(b, config={"model": config["model"] | {"dropout": "0"}})
    assert [row["key"] for row in said(a, b, "json")["config"]] == ["model.dropout"]


def test_a_target_is_shown_where_the_name_does_not_tell(make_run, said, tmp_path):
    a, b = make_run(), make_run(outputs=tmp_path / "two")
    change(b, config={"model": reading.read_result(b)["config"]["model"] | {"_target_": "my.mlp"}})
    assert cells(said(a, b), "model._target_") == ["fitbench.models.dense.mlp", "my.mlp"]


def test_the_environment_that_differs(make_run, said, tmp_path):
    a, b = make_run(), make_run(outputs=tmp_path / "two", sha256="cd" * 32)
    change(a, git={"commit": "1" * 40, "dirty": True}, versions={"keras": "3.15.1", "numpy": "2.4.6"})
    change(b, git={"commit": "2" * 40, "dirty": False}, versions={"keras": "3.14.0", "jax": "0.9"}, device="gpu: H100")
    text = said(a, b)
    assert "Nothing differs in the configuration.\n" in text
    assert cells(text, "git.commit") == ["1" * 12, "2" * 12]
    assert cells(text, "git.dirty") == ["true", "false"]
    assert cells(text, "versions.keras") == ["3.15.1", "3.14.0"]
    assert cells(text, "versions.jax") == ["-", "0.9"]
    assert "gpu: H100" in text
    assert cells(text, "dataset.sha256") == ["ab" * 6, "cd" * 6]
    assert "test images" not in text  # these were other images
    assert said(a, b, "json")["same"]["predictions"] is None
    rows = {row["key"]: row for row in said(a, b, "json")["environment"]}
    assert rows["git.commit"]["b"] == "2" * 40


def test_changes_that_no_commit_records_are_pointed_out(make_run, said, tmp_path):
    a, b = make_run(), make_run(outputs=tmp_path / "two")
    for folder in (a, b):
        change(folder, git={"commit": "1" * 40, "dirty": True})
    text = said(a, b)
    assert "Nothing differs in the configuration or the environment." in text
    assert "a source tree with changes that no commit records" in text


# -- results ----------------------------------------------------------------------------------------------------------


def test_results_stand_side_by_side(make_run, said):
    a, b = make_run(), make_run("seed=1")
    change(a, metrics={"test_accuracy": 0.95, "test_loss": 0.2}, timing={"seconds": 100.0}, parameters=1000)
    change(
        b, metrics={"test_accuracy": 0.96, "test_loss": 0.15, "val_loss": None}, timing={"seconds": 50.5}, attempts=2
    )
    text = said(a, b)
    assert cells(text, "test_accuracy") == ["0.9500", "0.9600", "+0.0100", "B"]
    assert cells(text, "test_loss") == ["0.2000", "0.1500", "-0.0500", "B"]
    assert cells(text, "val_loss") == ["0.7000", "-"]
    assert cells(text, "train_loss") == ["0.4000", "0.4000", "same"]
    assert cells(text, "seconds") == ["100.0", "50.5", "-49.5", "(x0.51)"]
    assert cells(text, "parameters") == ["1,000", "12,345", "+11,345", "(x12.35)"]
    assert cells(text, "attempts") == ["1", "2", "+1"]
    rows = {row.pop("key"): row for row in said(a, b, "json")["results"]}
    assert rows["test_accuracy"] == {"a": 0.95, "b": 0.96, "difference": pytest.approx(0.01), "better": "b"}
    assert rows["val_loss"] == {"a": pytest.approx(0.7), "b": None, "difference": None, "better": None}


def test_a_small_difference_is_not_shown_as_none(make_run, said):
    a, b = make_run(), make_run("seed=1")
    change(a, metrics={"test_loss": 0.5})
    change(b, metrics={"test_loss": 0.500001})
    assert cells(said(a, b), "test_loss") == ["0.5000", "0.5000", "+1.0e-06", "A"]
    change(b, metrics={"test_loss": 0.0})
    assert cells(said(a, b), "test_loss") == ["0.5000", "0.0000", "-0.5000", "B"]
    change(a, timing={"seconds": 2.0})
    change(b, timing={"seconds": 1.98})
    assert cells(said(a, b), "seconds") == ["2.0", "2.0", "-0.02", "(x0.99)"]


@pytest.mark.parametrize("value", [10**300, -1.7e308, 0])
def test_numbers_out_of_all_bounds_are_shown(make_run, said, value):
    a, b = make_run(), make_run("seed=1")
    change(a, metrics={"test_loss": value})
    change(
        b, metrics={"test_loss": 1.7e308}, timing={"seconds": value}, parameters=2**53 - 1 if value == 10**300 else 0
    )
    said(a, b)
    said(b, a)
    assert said(a, b, "json")["results"]


def test_predictions_are_compared(make_run, said):
    labels, probabilities = make_run.predictions(60, 3)
    other = probabilities.copy()
    other[:7] = np.roll(other[:7], 1, axis=1)
    a = make_run(labels=labels, probabilities=probabilities)
    b = make_run("seed=1", labels=labels, probabilities=other)
    assert "fitbench compare with these two runs tests which one is better." in said(a, b)
    assert said(a, b, "json")["same"]["predictions"] is False


def test_predictions_for_the_same_test_examples_are_compared_where_other_columns_are_read(make_run, said):
    labels, probabilities = make_run.predictions(60, 3)
    a = make_run(labels=labels, probabilities=probabilities)
    b = make_run("seed=1", labels=labels, probabilities=np.roll(probabilities, 1, axis=1), sha256="cd" * 32)
    assert said(a, b, "json")["same"]["predictions"] is None
    for folder, digit in ((a, "1"), (b, "2")):
        change(folder, data={"test_sha256": "a" * 64, "test_inputs_sha256": digit * 64})
    assert "fitbench compare with these two runs tests which one is better." in said(a, b)
    assert said(a, b, "json")["same"]["predictions"] is False


def test_predictions_of_another_size_are_not_compared(make_run, said):
    labels, probabilities = make_run.predictions(61, 3)
    a, b = make_run(), make_run("seed=1", labels=labels, probabilities=probabilities)
    same = said(a, b, "json")["same"]
    assert same["predictions"] is None


# -- metrics that fitbench does not supply ----------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "better"), [("max", "B"), ("min", "A")])
def test_the_direction_of_a_metric_says_which_run_is_better(make_run, said, direction, better):
    info = KAPPA | {"direction": direction}
    a = record_metrics(make_run(), {"kappa": info}, {"test_kappa": -0.2, "val_kappa": 0.5})
    b = record_metrics(make_run("seed=1"), {"kappa": info}, {"test_kappa": -0.1, "val_kappa": 0.5})
    text = said(a, b)
    assert cells(text, "test_kappa") == ["-0.200", "-0.100", "+0.100", better]
    assert cells(text, "val_kappa") == ["0.500", "0.500", "same"]
    assert "train_kappa" not in text  # null in both
    rows = {row["key"]: row for row in said(a, b, "json")["results"]}
    assert rows["test_kappa"]["better"] == better.lower()


def test_a_metric_that_one_run_lacks_is_a_dash(make_run, said):
    a, b = record_metrics(make_run(), {"kappa": KAPPA}, {"test_kappa": 0.25}), make_run("seed=1")  # schema 1
    assert cells(said(a, b), "test_kappa") == ["0.250", "-"]
    assert cells(said(b, a), "test_kappa") == ["-", "0.250"]
    assert cells(said(b, a), "test_loss") == ["0.5000", "0.5000", "same"]


def test_different_definitions_under_one_name_are_not_compared(make_run, said):
    a = record_metrics(make_run(), {"kappa": KAPPA}, {"test_kappa": 0.25})
    other = KAPPA | {"definition": "mine.weighted_kappa"}
    b = record_metrics(make_run("seed=1"), {"kappa": other}, {"test_kappa": 0.75})
    text = said(a, b)
    (line,) = [line for line in text.splitlines() if line.startswith("test_kappa  ")]
    assert line.split() == ["test_kappa", "0.250", "0.750", "not", "compared"]
    assert "test_kappa has different definitions: " in text
    assert "mine.weighted_kappa" in text
    rows = {row["key"]: row for row in said(a, b, "json")["results"]}
    assert (rows["test_kappa"]["difference"], rows["test_kappa"]["better"]) == (None, None)
    assert len(rows["test_kappa"]["definitions"]) == 2


def test_epochs_of_unfinished_runs_have_every_recorded_column(make_run, said):
    a = record_metrics(make_run(), {"kappa": KAPPA}, epochs={"val_kappa": [0.1] * 5})
    history = [epoch | {"val_kappa": 0.3, "val_macro_f1": 0.5} for epoch in make_run.curves(3)]
    b = make_run("seed=1", finished=False, history=history)
    below = said(a, b).partition("Epoch 3")[2]
    assert cells(below, "val_kappa") == ["0.100", "0.300", "+0.200", "B"]
    assert cells(below, "val_macro_f1") == ["-", "0.5000"]


# -- the same to the last bit -----------------------------------------------------------------------------------------


@pytest.fixture
def twins(make_run, tmp_path):
    folders = make_run(), make_run(outputs=tmp_path / "two")
    for folder in folders:
        write_weights(folder, b"weights" * 1_000_000)
    return folders


def test_the_same_results_are_said_to_be_so(twins, said):
    a, b = twins
    history = [epoch | {"seconds": 9.0} for epoch in reading.read_history(b)]  # how long it took is no result
    write_history(b, history)
    change(b, timing={"seconds": 1.0})
    text = said(a, b)
    assert "Nothing differs in the configuration or the environment." in text
    assert (
        "The same results, to the last bit: metrics, the history of 5 epochs, "
        "the predictions for 60 test examples and the weights." in text
    )
    assert said(a, b, "json")["same"] == {
        "metrics": True, "history": True, "predictions": True, "weights": True, "epochs": 5,
    }  # fmt: skip


def test_one_epoch_is_one(make_run, said, tmp_path):
    a, b = (make_run(history=make_run.curves(1), outputs=tmp_path / name) for name in ("one", "two"))
    assert "the history of 1 epoch and" in said(a, b)


def test_what_is_not_there_is_not_said_to_be_the_same(twins, said):
    a, b = twins
    (b / "model.keras").unlink()
    assert "to the last bit: metrics, the history of 5 epochs and the predictions for 60 test examples." in said(a, b)
    assert said(a, b, "json")["same"]["weights"] is None


def test_one_bit_of_the_history(twins, said):
    a, b = twins
    history = reading.read_history(b)
    history[3]["loss"] = float(np.nextafter(history[3]["loss"], 1))
    write_history(b, history)
    text = said(a, b)
    assert "The same configuration and seed gave other results." in text
    assert "The histories agree to the last bit through epoch 3 of 5." in text
    same = said(a, b, "json")["same"]
    assert (same["history"], same["predictions"], same["epochs"]) == (False, True, 3)


def test_histories_that_differ_from_the_first_epoch(twins, said):
    a, b = twins
    history = reading.read_history(b)
    history[0]["loss"] = 9.0
    write_history(b, history)
    assert "agree to the last bit" not in said(a, b)
    assert said(a, b, "json")["same"]["epochs"] == 0


def test_one_bit_of_the_predictions(make_run, said, tmp_path):
    labels, probabilities = make_run.predictions(60, 3)
    other = probabilities.copy()
    other[59, 2] = np.nextafter(other[59, 2], 1)
    a = make_run(labels=labels, probabilities=probabilities)
    b = make_run(outputs=tmp_path / "two", labels=labels, probabilities=other)
    assert said(a, b, "json")["same"]["predictions"] is False
    assert "gave other results" in said(a, b)


def test_one_bit_of_the_weights(twins, said):
    a, b = twins
    write_weights(b, b"weights" * 999_999 + b"weightt")
    assert said(a, b, "json")["same"]["weights"] is False
    assert "gave other results" in said(a, b)


def test_the_same_run_twice(make_run, said, tmp_path):
    folder = make_run()
    (tmp_path / "link").symlink_to(folder)
    for other in (folder, tmp_path / "link"):
        assert said(folder, other) == f"Both are the run {folder}: nothing can differ.\n"
    content = said(folder, folder, "json")
    assert content["config"] == content["environment"] == []
    assert content["same"]["history"] is True


# -- runs that have not finished --------------------------------------------------------------------------------------


def test_an_unfinished_run_has_what_it_has(make_run, said):
    a, b = make_run(), make_run("seed=1", "training.epochs=9", finished=False, history=make_run.curves(3))
    history = reading.read_history(b)
    history[2]["val_accuracy"] = 0.95
    write_history(b, history)
    text = said(a, b)
    assert "interrupted after 3 of 9 epochs" in text
    assert cells(text, "training.epochs")[1] == "9"
    assert "recorded when a run finishes; B has not." in text
    assert "Environment" not in text
    assert "environment" not in text
    assert cells(text, "test_loss") == ["0.5000", "-"]
    assert "\nEpoch 3, the last that both have\n" in text
    below = text[text.index("Epoch 3") :]
    assert cells(below, "val_accuracy") == ["0.9000", "0.9500", "+0.0500", "B"]
    assert cells(below, "learning_rate") == ["0.001", "0.001", "same"]
    assert "The histories agree to the last bit through epoch 2 of 5." in text
    content = said(a, b, "json")
    assert content["environment"] is None
    assert content["b"] == {
        "run_id": b.name, "folder": str(b), "state": "interrupted", "epochs": 3, "finished_at": None,
    }  # fmt: skip
    assert content["last_common_epoch"]["epoch"] == 3
    assert content["same"]["metrics"] is None


def test_two_runs_without_an_epoch(make_run, said):
    a = make_run(finished=False, history=[])
    b = make_run("seed=1", finished=False, history=[])
    (b / "error.txt").write_text("Traceback\nValueError: no\n")
    text = said(a, b)
    assert "interrupted after 0 of" in text
    assert "failed after 0 of" in text
    assert "error.txt says why" in text
    assert "A and B have not." in text
    assert "Results" not in text
    assert "Epoch" not in text
    assert cells(text, "seed") == ["0", "1"]
    assert said(a, b, "json")["last_common_epoch"] is None


def test_a_run_without_validation(make_run, said):
    history = make_run.curves(4, validation=False)
    a, b = (make_run(f"seed={seed}", finished=False, history=history) for seed in (0, 1))
    assert "val_" not in said(a, b).partition("Epoch 4")[2]


def test_models_without_epochs(make_run, said, tmp_path):
    a, b = (make_run("model=nearest_mean", history=[], outputs=tmp_path / name) for name in ("one", "two"))
    text = said(a, b)
    assert "to the last bit: metrics and the predictions" in text
    assert "best_epoch" not in text
    (b / "predictions.npz").unlink()
    assert "\nThe same results, to the last bit: metrics.\n" in said(a, b)


# -- bad input --------------------------------------------------------------------------------------------------------


def test_an_ambiguous_run_names_the_candidates(make_run, tmp_path):
    a, b = make_run(), make_run("seed=1")
    with pytest.raises(RequestError, match="fits 2 runs") as caught:
        diff("mlp", str(b), tmp_path / "outputs", format="table")
    assert a.name.removeprefix("mnist_5k-mlp-adam-") in str(caught.value)
    assert b.name.removeprefix("mnist_5k-mlp-adam-") in str(caught.value)


def test_nan_in_a_configuration_is_shown_and_is_json(make_run, said):
    a, b = make_run(), make_run("seed=1")
    change(a, config={"model": reading.read_result(a)["config"]["model"] | {"dropout": 0.5}})
    text = (b / "result.json").read_text()
    (b / "result.json").write_text(text.replace('"dropout": 0.0', '"dropout": NaN'))
    assert cells(said(a, b), "model.dropout") == ["0.5", "nan"]
    assert said(a, b, "json")["config"][0]["b"] == "nan"


def test_an_unknown_format_is_refused(make_run):
    with pytest.raises(RequestError, match="table or json"):
        diff(str(make_run()), str(make_run("seed=1")), Path("outputs"), format="yaml")


def test_a_damaged_result_is_an_error_that_names_it(make_run):
    a, b = make_run(), make_run("seed=1")
    (b / "result.json").write_text("{")
    with pytest.raises(FitbenchError, match=str(b / "result.json")):
        diff(str(a), str(b), Path("outputs"), format="table")
    change(a, versions=None)
    with pytest.raises(FitbenchError, match=r"result\.json: versions is null"):
        diff(str(a), str(a), Path("outputs"), format="table")


def test_a_result_that_is_nested_too_deeply_or_no_file_is_an_error(make_run):
    a, b = make_run(), make_run("seed=1")
    text = (b / "result.json").read_text()
    for depth in (600, 100_000):
        (b / "result.json").write_text(text.replace('"dropout": 0.0', f'"dropout": {"[" * depth}{"]" * depth}'))
        with pytest.raises(FitbenchError, match="nested"):
            diff(str(a), str(b), Path("outputs"), format="table")
    (a / "history.jsonl").unlink()
    (a / "history.jsonl").mkdir()
    with pytest.raises(FitbenchError, match=r"history\.jsonl: a folder, not a regular file"):
        diff(str(a), str(b), Path("outputs"), format="table")


@pytest.mark.parametrize("name", ["predictions.npz", "model.keras"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", None])
def test_other_damaged_files_are_named_and_left_out(twins, said, name, content):
    a, b = twins
    path = b / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    text = said(a, b, err=str(path))
    assert "to the last bit" in text
    assert {"predictions.npz": "predictions", "model.keras": "weights"}[name] not in text
    assert cells(text, "parameters") == ["12,345", "12,345", "same"]


def test_weights_that_are_damaged_inside_are_left_out(twins, said):
    a, b = twins
    for folder in (a, b):
        with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.weights.h5", np.random.default_rng(0).bytes(100_000))
    content = bytearray((b / "model.keras").read_bytes())
    content[5000:5100] = bytes(100)
    (b / "model.keras").write_bytes(content)
    text = said(a, b, err="model.keras")
    assert "60 test examples.\n" in text


def test_names_of_a_stranger_stay_text(make_run, said):
    a, b = make_run(), make_run("seed=1")
    change(b, run_id="[red]run\x1b[2J[/]", device="dev\nice\u202e", config={"mo\x07re": "[bold]\x1b[1m"})
    text = said(a, b)
    for expected in ("[red]run\\x1b[2J[/]", "dev\\nice\\u202e", "mo\\x07re", "[bold]\\x1b[1m"):
        assert expected in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
