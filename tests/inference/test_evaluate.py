import json
import shutil
import sys
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from PIL import Image

import fitbench
from fitbench.analysis.show import show
from fitbench.config.identity import plain
from fitbench.data.builtin import read_builtin
from fitbench.data.loading import load
from fitbench.data.table_file import read_table
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.inference import evaluate as evaluating
from fitbench.inference.comparison import compare, describe, difference
from fitbench.inference.evaluate import evaluate
from fitbench.inference.other_data import Wanted
from fitbench.inference.reader import Reader, configuration, open_run
from fitbench.inference.table_targets import targets_of
from fitbench.kinds import IMAGES
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION, get
from fitbench.record import evaluations
from fitbench.record.folder import State, state_of
from fitbench.record.inputs import Inputs
from fitbench.record.reading import output_names, read_predictions, read_result
from fitbench.record.result import write_result
from fitbench.tasks import task_of
from fitbench.training.run import clear

from .flats import flats, with_cell, write


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """Return a copy of the trained run."""
    return shutil.copytree(trained, tmp_path / "outputs" / "study" / trained.name)


@pytest.fixture
def evaluated(run, capsys):
    """Return a function that evaluates the run, and returns the output of --format json."""

    def call(data: str, *overrides: str, part: str = "test") -> dict:
        evaluate(str(run), Path("none"), data, overrides, part, "json", trust=False)
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def own_data(tmp_path):
    """Return a function that writes 300 test images with these classes to an .npz, and returns its override."""
    data = read_builtin("mnist_5k")

    def write(classes: list[str] | None = None, name: str = "own", shift: int = 0) -> str:
        images, labels = data.x_test[:300], (data.y_test[:300].astype(np.int64) + shift) % 10
        names = {}
        if classes and set(classes) == set(data.names):
            labels = np.array([classes.index(data.names[label]) for label in labels])
        if classes:
            labels = labels % len(classes)
            names = {"classes": np.array(classes)}
        path = tmp_path / f"{name}.npz"
        np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, **names)
        return f"data.path={path}"

    return write


def files(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "evaluations").iterdir())


def test_own_test_images_give_the_recorded_metrics(run, evaluated):
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    output = evaluated("mnist_5k")
    result = read_result(run)
    assert output["metrics"]["accuracy"] == result["metrics"]["test_accuracy"]
    assert output["metrics"]["loss"] == pytest.approx(result["metrics"]["test_loss"], rel=1e-5)
    assert output["data"]["sha256"] == result["data"]["sha256"]
    assert output["compared"] is None
    assert files(run) == ["mnist_5k-8f3bbc48-test.json", "mnist_5k-8f3bbc48-test.npz"]
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    path = run / "evaluations" / "mnist_5k-8f3bbc48-test.npz"
    with np.load(path) as evaluation, np.load(run / "predictions.npz") as recorded:
        assert np.abs(evaluation["probabilities"] - recorded["probabilities"]).max() < 1e-5
        assert np.array_equal(evaluation["labels"], recorded["labels"])
        assert str(evaluation["data_sha256"]) == output["data"]["sha256"]


def test_record_identifies_the_data_the_run_and_the_versions(run, evaluated, own_data):
    output = evaluated("npz", own_data())
    record = json.loads((run / "evaluations" / f"own-{output['data']['sha256'][:8]}-test.json").read_text())
    assert output == record | {key: output[key] for key in ("path", "compared", "per_class", "confusion")}
    assert (record["run_id"], record["run_finished_at"]) == (run.name, read_result(run)["finished_at"])
    assert record["data"] | {"sha256": "", "path": ""} == {
        "name": "own", "source": "npz", "path": "", "sha256": "", "part": "test", "count": 300,
        "classes": list("0123456789"), "matched": "name", "skipped": 0,
    }  # fmt: skip
    low, high = record["accuracy_interval"]
    assert low < record["metrics"]["accuracy"] < high
    with np.load(Path(output["path"]).with_suffix(".npz")) as file:
        labels, probabilities = file["labels"], file["probabilities"]
    assert record["metrics"]["accuracy"] == (probabilities.argmax(axis=1) == labels).mean()
    cross_entropy = -np.log(probabilities[np.arange(300), labels]).mean()
    assert record["metrics"]["loss"] == pytest.approx(cross_entropy, rel=1e-3)
    assert np.trace(output["confusion"]) == round(300 * record["metrics"]["accuracy"])
    assert record["versions"].keys() >= {"keras", "tensorflow", "fitbench"}
    assert record["device"].startswith(("cpu: ", "gpu:"))


def test_all_metrics_of_the_run_are_computed(run, evaluated, own_data, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_metric.py").write_text(
        "def errors(targets, outputs):\n    return (outputs.argmax(1) != targets).sum()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = read_result(run)
    result["config"]["metrics"] = {
        "macro_f1": None,
        "accuracy": None,
        "errors": {"_target_": "own_metric.errors", "direction": "min", "digits": 0},
    }
    info = {"label": "macro F1", "direction": "max", "range": [0, 1], "definition": "fitbench.macro_f1"}
    result["metric_info"]["macro_f1"] = info
    result["metrics"] |= {"test_macro_f1": 0.5, "val_macro_f1": None, "train_macro_f1": None}
    write_result(run, result | {"primary": "macro_f1"})
    output = evaluated("npz", own_data())
    assert "own_metric" not in sys.modules
    f1 = [score["f1"] for score in output["per_class"]]
    assert output["metrics"].keys() == {"loss", "accuracy", "macro_f1"}
    assert output["metrics"]["macro_f1"] == pytest.approx(np.mean(f1))
    assert output["compared"] == {
        "test_macro_f1": 0.5, "difference": pytest.approx(output["metrics"]["macro_f1"] - 0.5)
    }  # fmt: skip
    evaluate(str(run), Path("none"), "npz", [own_data()], "test", "table", trust=True)
    out, wrong = capsys.readouterr().out, round(300 * (1 - output["metrics"]["accuracy"]))
    assert f"\nmacro F1 {output['metrics']['macro_f1']:.4f}\nerrors {wrong}\n" in out
    assert "(mnist_5k): macro F1 0.5000\ndifference +0." in out


@pytest.mark.parametrize(
    "loss",
    [
        {"_target_": "subprocess.Popen", "args": "touch {mark}", "shell": True},
        {"_target_": "keras.losses.Huber", "name": {"_target_": "os.system", "command": "touch {mark}"}},
    ],
    ids=["loss", "setting"],
)
def test_loss_of_a_run_runs_code_only_with_trust(run, evaluated, own_data, tmp_path, loss, capsys):
    """A stranger's run may name any function."""
    mark, result = tmp_path / "mark", read_result(run)
    result["config"]["training"]["loss"] = json.loads(json.dumps(loss).replace("{mark}", str(mark)))
    write_result(run, result)
    evaluate(str(run), Path("none"), "npz", [own_data()], "test", "json", trust=False)
    printed = capsys.readouterr()
    assert not mark.exists()
    assert json.loads(printed.out)["metrics"]["loss"] is None
    assert f"without --trust, the loss {loss['_target_']} is left out" in printed.err


def test_loss_of_keras_needs_no_trust(run, evaluated, own_data):
    result = read_result(run)
    result["config"]["training"]["loss"] = {"_target_": "keras.losses.SparseCategoricalCrossentropy"}
    wanted = evaluated("npz", own_data())["metrics"]["loss"]
    write_result(run, result)
    assert evaluated("npz", own_data())["metrics"]["loss"] == pytest.approx(wanted)


def test_classes_are_matched_by_name(run, evaluated, own_data):
    numbered = evaluated("npz", own_data())
    reversed_classes = evaluated("npz", own_data(list("9876543210"), "turned"))
    assert reversed_classes["data"]["matched"] == "name"
    assert reversed_classes["metrics"] == numbered["metrics"]
    assert reversed_classes["confusion"] == numbered["confusion"]


def test_names_and_numbers_are_matched_by_position_with_a_notice(run, own_data, capsys):
    evaluate(str(run), Path("none"), "npz", [own_data(list("abcdefghij"))], "test", "json", trust=False)
    printed = capsys.readouterr()
    assert "classes are matched by position: own has a, b, c, .. j; the run has 0, 1, 2, .. 9\n" in printed.err
    assert json.loads(printed.out)["data"]["matched"] == "position"


def test_numbers_of_classes_that_overlap_are_not_matched_by_position(run, own_data):
    """The 1 of the classes 1 to 10 may be the 1 or the 0 of the run."""
    with pytest.raises(RequestError, match=r"1, 2, 3, \.\. 10 and those of the run, 0, 1, 2, \.\. 9, have only"):
        evaluate(str(run), Path("none"), "npz", [own_data(list(map(str, range(1, 11))))], "test", "table", trust=False)


def test_other_classes_are_refused(run, own_data):
    with pytest.raises(RequestError, match=r"own\.npz: has 3 classes \(a, b, c\); the run has 10 \(0, 1, 2, \.\. 9\)"):
        evaluate(str(run), Path("none"), "npz", [own_data(["a", "b", "c"])], "test", "table", trust=False)
    result = read_result(run)
    result["data"]["classes"] = list("zyxwvutsrq")
    write_result(run, result)
    with pytest.raises(
        RequestError, match=r"its classes a, b, c, \.\. j are not classes of the run \(z, y, x, \.\. q\)"
    ):
        evaluate(str(run), Path("none"), "npz", [own_data(list("abcdefghij"))], "test", "table", trust=False)
    assert not (run / "evaluations").exists()


def test_images_of_another_shape_are_refused(run, tmp_path):
    with pytest.raises(RequestError, match=r"images are 8x8x1; the model of the run takes 28x28x1$"):
        evaluate(str(run), Path("none"), "digits", [], "test", "table", trust=False)
    for label in range(10):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (28, 28), 200 + label).save(tmp_path / "photos" / str(label) / f"{number}.png")
    folder = [f"data.path={tmp_path / 'photos'}", "data.test_fraction=0.5"]
    with pytest.raises(RequestError, match=r"10x12x1; .* add 'data\.image_size=\[28,28\]' data\.color=false"):
        evaluate(str(run), Path("none"), "image_folder", [*folder, "data.image_size=[10,12]"], "test", "table", False)
    evaluate(str(run), Path("none"), "image_folder", folder, "train", "table", trust=False)
    assert files(run)[0].startswith("photos-")


@pytest.mark.parametrize(
    ("data", "overrides", "part", "format", "message"),
    [
        ("mnits", [], "test", "table", "data=mnits: there is no such choice; .* Did you mean mnist"),
        ("mnist_5k", ["data.sorce=x"], "test", "table", "data.sorce: there is no such key. Did you mean data.source"),
        ("mnist_5k", ["model=mlp"], "test", "table", "model=mlp: only overrides data.KEY=VALUE are allowed"),
        ("mnist_5k", ["data.preprocess=deskew"], "test", "table", "the model prepares its examples itself"),
        ("mnist_5k", [], "validation", "table", "--part is 'validation'; it must be test or train"),
        ("mnist_5k", [], "test", "xml", "--format is 'xml'"),
    ],
)
def test_wrong_request_is_refused(run, data, overrides, part, format, message):
    with pytest.raises(RequestError, match=message) as caught:
        evaluate(str(run), Path("none"), data, overrides, part, format, trust=False)
    assert str(caught.value).count("\n") <= 1
    assert not (run / "evaluations").exists()


def test_evaluating_again_replaces_the_record(run, evaluated, own_data):
    evaluated("npz", own_data())
    evaluated("npz", own_data())
    assert len(files(run)) == 2


def test_evaluation_of_a_run_that_is_trained_again_meanwhile_is_refused(run, evaluated, own_data, monkeypatch):
    def retrain(folder, trust):
        reader = open_run(folder, trust)
        write_result(run, read_result(run) | {"finished_at": "2030-01-01T00:00:00Z"})
        return reader

    monkeypatch.setattr(evaluating, "open_run", retrain)
    with pytest.raises(FitbenchError, match="the run was trained again meanwhile; evaluate it again"):
        evaluated("npz", own_data())
    assert not (run / "evaluations").exists()


# -- output -----------------------------------------------------------------------------------------------------------


def test_summary_compares_with_the_test_images_of_the_run(run, own_data, capsys):
    def summary(part: str, data: str, *overrides: str) -> str:
        evaluate(str(run), Path("none"), data, overrides, part, "table", trust=False)
        return capsys.readouterr().out

    out = summary("test", "npz", own_data())
    accuracy = read_result(run)["metrics"]["test_accuracy"]
    assert out.startswith(f"{run.name} on the 300 test images of own\naccuracy ")
    assert f"on its own 1,000 test images (mnist_5k): accuracy {accuracy:.4f}, 95% interval " in out
    assert ": not significant" in out
    assert out.splitlines()[-1].startswith(str(run / "evaluations" / "own-"))
    out = summary("test", "npz", own_data(name="wrong", shift=1))
    assert "difference -0." in out
    assert ": significant" in out
    assert "these are the run's own test images" in summary("test", "mnist_5k")
    trained, held_back = (read_result(run)["data"][part] for part in ("train", "validation"))
    assert trained + held_back == 4000
    assert (
        f"the model was trained on {trained:,} of these images, so the metrics do not apply to new ones; the other "
        f"{held_back:,} are the validation part"
    ) in summary("train", "mnist_5k")


def test_outputs_of_nan_leave_no_metrics_and_are_counted(run, evaluated, own_data, capsys, monkeypatch):
    def outputs(reader, inputs):
        found = original(reader, inputs)
        found[:7] = np.nan
        return found

    original = Reader.outputs
    monkeypatch.setattr(Reader, "outputs", outputs)
    record = evaluated("npz", own_data())
    assert set(record["metrics"].values()) == {None}
    assert "per_class" not in record
    assert "confusion" not in record
    evaluate(str(run), Path("none"), "npz", (own_data(),), "test", "table", trust=False)
    text = capsys.readouterr().out
    assert "the model gave NaN for 7 of 300 images: the metrics are undefined" in text
    assert "accuracy -" in text


def test_difference_equals_an_example_of_newcombe():
    """Newcombe (1998), table II, method 10: 56/70 - 48/80."""
    estimate, (low, high) = difference(56, 70, 48, 80)
    assert (round(estimate, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)


def test_evaluations_are_listed_until_the_run_is_trained_again(run, evaluated, own_data, capsys):
    runs = fitbench.load_runs(run.parents[1])
    show(str(run), Path("none"), "table")
    assert "Evaluated on" not in capsys.readouterr().out
    output = evaluated("npz", own_data())
    (run / "evaluations" / ".1.new.own.json").write_text("{")  # of a killed process
    show(str(run), Path("none"), "table")
    heading = capsys.readouterr().out.partition("Evaluated on\n")[2].splitlines()
    assert heading[1].split()[:3] == ["own", "test", f"{output['metrics']['accuracy']:.4f}"]
    show(str(run), Path("none"), "json")
    [evaluation] = json.loads(capsys.readouterr().out)["evaluations"]
    assert evaluation["metrics"] == output["metrics"]
    assert fitbench.load_runs(run.parents[1]).equals(runs)
    assert state_of(run) is State.finished
    assert evaluations.read(run, read_result(run) | {"finished_at": "2030-01-01T00:00:00Z"}) == []
    clear(run)
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 2}', '{"schema": 1, "data": {"name": "x"}}'])
def test_error_names_a_damaged_evaluation(run, content):
    (run / "evaluations").mkdir()
    (run / "evaluations" / "x.json").write_text(content)
    with pytest.raises(FitbenchError, match=r"evaluations/x\.json: "):
        evaluations.read(run, read_result(run))


def test_evaluation_is_not_written_through_a_link(evaluated, run, own_data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / "evaluations").symlink_to(elsewhere)
    with pytest.raises(FitbenchError, match=r"evaluations: a link to .*elsewhere, which is outside of .*outputs"):
        evaluated("npz", own_data())
    assert not list(elsewhere.iterdir())


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def evaluated_table(table_runs, tmp_path, capsys):
    """Return a function that evaluates a copy of the run of a task, and returns the output of --format json."""

    def call(task: str, data: str, *overrides: str, part: str = "test") -> dict:
        folder = tmp_path / "outputs" / "study" / task
        if not folder.exists():
            shutil.copytree(table_runs[task], folder)
        evaluate(str(folder), Path("none"), data, overrides, part, "json", trust=False)
        return json.loads(capsys.readouterr().out)

    return call


@pytest.mark.parametrize("task", [REGRESSION, CLASSIFICATION, MULTILABEL])
def test_own_test_rows_give_the_recorded_metrics(table_runs, evaluated_table, flats_csv, task):
    result = read_result(table_runs[task])
    own = ["boston_housing"] if task == REGRESSION else ["csv", f"data.path={flats_csv}"]
    output = evaluated_table(task, *own)
    recorded = {name: result["metrics"][f"test_{name}"] for name in result["metric_info"]}
    assert output["metrics"] == pytest.approx(recorded, rel=1e-6)
    assert output["data"]["sha256"] == result["data"]["sha256"]
    assert output["compared"] is None
    assert output["data"][task_of(task).names_key] == output_names(result)


def test_all_rows_of_a_new_table_are_encoded_as_those_of_the_run(table_runs, evaluated_table, tmp_path):
    """Its own vocabulary is Berlin, Köln: other codes than in the run. Its own mean of the sizes is another, too."""
    lines = [line for line in flats(60, seed=4) if not line.startswith(("Aachen", "Bonn,,"))]
    large = [line.replace("Bonn", "Berlin", 1) for line in lines if not line.startswith("Köln,,")]
    output = evaluated_table(CLASSIFICATION, "csv", f"data.path={write(tmp_path / 'new.csv', large)}")
    reader = open_run(table_runs[CLASSIFICATION])
    cells = [line.split(",") for line in large[1:]]
    codes = {"Berlin": 0, "Köln": 3}
    inputs = [[codes[city], float(size), int(rooms), 1 + (flag == "True")] for city, size, rooms, flag, *_ in cells]
    predicted = reader.predictions(np.array(inputs, np.float32)).argmax(axis=1)
    right = [reader.names[i] == row[4] for i, row in zip(predicted, cells, strict=True)]
    assert output["metrics"]["accuracy"] == np.mean(right)
    assert (output["data"]["part"], output["data"]["count"], output["data"]["name"]) == ("all", len(cells), "new")
    assert output["compared"]["difference"] == output["metrics"]["accuracy"] - output["compared"]["test_accuracy"]
    [path] = (tmp_path / "outputs/study" / CLASSIFICATION / "evaluations").glob("new-*-all.npz")
    with np.load(path) as arrays:
        assert arrays["labels"].tolist() == [reader.names.index(row[4]) for row in cells]


def test_losses_of_standardised_targets_have_the_scale_of_training(table_runs, evaluated_table, tmp_path):
    from .test_tables import boston

    result = read_result(table_runs[REGRESSION])
    data = load(configuration(result, table_runs[REGRESSION]).data)
    rows = np.column_stack([data.x_test, data.y_test])[:30]
    path = boston(tmp_path / "new.csv", rows, [*(column.name for column in data.columns), "MEDV"])
    output = evaluated_table(REGRESSION, "csv", f"data.path={path}")
    values = read_predictions(table_runs[REGRESSION], result).outputs[:30]
    errors = values - data.y_test[:30]
    assert output["metrics"]["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    scaled = errors / data.y_train.std(dtype=np.float64)
    assert output["metrics"]["loss"] == pytest.approx((scaled**2).mean(), rel=1e-5)
    assert not [key for key in output if key.endswith("_interval")]
    path.write_text(path.read_text().replace("MEDV", "price"))
    renamed = evaluated_table(REGRESSION, "csv", f"data.path={path}", "data.target=price")
    assert (output["data"]["matched"], renamed["data"]["matched"]) == ("name", "position")
    assert renamed["metrics"] == output["metrics"]


def test_columns_of_labels_are_matched_by_name(evaluated_table, tmp_path):
    lines = flats(40, seed=7)
    path = write(tmp_path / "new.csv", lines)
    output = evaluated_table(MULTILABEL, "csv", f"data.path={path}")
    assert evaluated_table(MULTILABEL, "csv", f"data.path={path}", "data.target=[central,large]") == output | {
        "evaluated_at": ANY
    }
    for text, expected in (("2", "2; expected 0 or 1"), ("yes", "'yes'; expected a finite number")):
        write(path, [*lines[:3], with_cell(lines[3], "large", text)])
        with pytest.raises(DataError, match=f"row 3: large is {expected}"):
            evaluated_table(MULTILABEL, "csv", f"data.path={path}")


def test_the_loss_of_a_run_with_weights_has_those_of_the_file_or_is_null(table_runs, tmp_path, capsys):
    folder = shutil.copytree(table_runs[CLASSIFICATION], tmp_path / "outputs" / "study" / "run")
    result = read_result(folder)
    result["config"]["data"]["weight"] = "importance"
    write_result(folder, result)

    def evaluated(lines: list[str]) -> tuple[dict, str]:
        new = write(tmp_path / "new.csv", lines)
        evaluate(str(folder), Path("none"), "csv", [f"data.path={new}"], "test", "json", trust=False)
        printed = capsys.readouterr()
        return json.loads(printed.out), printed.err

    lines, weights = flats(30, seed=9), np.arange(30) % 4
    weighted, _ = evaluated([f"{lines[0]},importance", *map("{},{}".format, lines[1:], weights)])
    with np.load(Path(weighted["path"]).with_suffix(".npz")) as arrays:
        losses = -np.log(arrays["probabilities"][np.arange(30), arrays["labels"]])
    assert weighted["metrics"]["loss"] == pytest.approx((weights * losses).mean(), rel=1e-5)
    without, err = evaluated(lines)
    assert without["metrics"] == weighted["metrics"] | {"loss": None}
    assert "new.csv: lacks the column importance with the weights in the loss; the loss is not computed\n" in err
    with pytest.raises(DataError, match=r"new\.csv: all weights in the column importance are 0; expected one above 0"):
        evaluated([f"{lines[0]},importance", *(f"{line},0" for line in lines[1:])])


def test_summary_of_a_table_names_rows(table_runs, evaluated_table, flats_csv, tmp_path, capsys):
    folder = shutil.copytree(table_runs[MULTILABEL], tmp_path / "outputs" / "study" / "run")
    path = write(tmp_path / "new.csv", flats(50, seed=5))
    evaluate(str(folder), Path("none"), "csv", [f"data.path={path}"], "test", "table", trust=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder.name} on all 50 rows of new".replace("run", read_result(folder)["run_id"], 1)
    assert [line.split(" ")[0] for line in lines[1:4]] == ["loss", "micro", "macro"]
    assert any(line.startswith("on its own 48 test rows (flats): micro F1") for line in lines)


@pytest.mark.parametrize(
    ("task", "request_", "message"),
    [
        (CLASSIFICATION, ["csv", "data.path=none.csv"], r"none\.csv: there is no such file"),
        (
            CLASSIFICATION,
            ["csv", "data.path='~nobody-here/a.csv'"],
            "the home folder is not known; write the whole path",
        ),
        (CLASSIFICATION, ["csv", "data.path={new}", "data.target=typ"], r"lacks the column typ; did you mean"),
        (CLASSIFICATION, ["csv", "data.path={new}", "data.target=large"], "row 1 is '.*'; the classes of the run are"),
        (CLASSIFICATION, ["csv", "data.path={new}", "data.drop=[x]"], r"data\.drop: not allowed here; a table is read"),
        (CLASSIFICATION, ["sklearn", "data.name=iris"], "its classes setosa, versicolor, virginica are not classes"),
        (CLASSIFICATION, ["mnist_5k"], "has images; the run takes rows of a table"),
        (
            MULTILABEL,
            ["csv", "data.path={new}", "data.target=[large,rooms]"],
            r"expected the outputs .*, large, central",
        ),
        (
            MULTILABEL,
            ["csv", "data.path={new}", "data.target=large"],
            r"data\.target is large; expected the outputs of",
        ),
        (REGRESSION, ["csv", "data.path={new}"], r"lacks the columns CRIM, .*, AGE, DIS and 6 more"),
    ],
)
def test_tables_that_do_not_fit_the_run_are_refused(table_runs, tmp_path, task, request_, message):
    new = write(tmp_path / "new.csv", flats(20, seed=6))
    data, *overrides = (text.format(new=new) for text in request_)
    with pytest.raises((RequestError, DataError), match=message):
        evaluate(str(table_runs[task]), Path("none"), data, overrides, "test", "table", trust=False)
    assert not (table_runs[task] / "evaluations").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.test_fraction=0.9"], r"data\.test_fraction: not allowed here; a table is read as the run read its own"),
        (["data.missing=null", "data.target=kind"], r"data\.missing: not allowed here"),
        (["data.target=large"], r"data\.target is large, and .* is the file of the run, whose target is kind; leave"),
        (["data.target=city"], r"data\.target is city, which is an input of the model; name a target"),
    ],
)
@pytest.mark.parametrize("path", [None, "own"])
def test_keys_that_say_how_a_table_is_read_are_refused_for_the_own_file_too(
    table_runs, flats_csv, path, overrides, message
):
    own = [f"data.path={flats_csv}"] if path else []
    with pytest.raises(RequestError, match=message):
        evaluate(str(table_runs[CLASSIFICATION]), Path("none"), "csv", [*own, *overrides], "test", "table", trust=False)


def test_the_own_file_may_be_named_with_the_target_of_the_run(table_runs, evaluated_table, flats_csv):
    same = [f"data.path={flats_csv}", "data.target=[large,central]", "data.name=again"]
    record = evaluated_table(MULTILABEL, "csv", *same)
    result = read_result(table_runs[MULTILABEL])
    assert (record["data"]["name"], record["data"]["part"], record["data"]["count"]) == ("again", "test", 48)
    assert record["data"]["sha256"] == result["data"]["sha256"]
    assert record["metrics"]["micro_f1"] == pytest.approx(result["metrics"]["test_micro_f1"], rel=1e-6)


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("kind", "", r"new\.csv: the target 'kind' is missing in 1 row, such as row 4\. Leave these rows out"),
        ("large", "NA", r"new\.csv: the target 'large' is missing in 1 row, such as row 4\. Leave"),
        ("large", "2", r"new\.csv: row 4: large is 2; expected 0 or 1"),
        ("large", "1e99", r"new\.csv: row 4: large is '1e\+99'; expected a finite number below 3\.4e38"),
        ("large", "-inf", r"new\.csv: row 4: large is '-inf'; expected a finite number below 3\.4e38"),
        ("large", "much", r"new\.csv: row 4: large is 'much'; expected a finite number below 3\.4e38"),
    ],
)
def test_a_target_that_is_missing_or_no_number_is_named(table_runs, tmp_path, column, text, message):
    lines = flats(9, seed=6)
    lines[4] = with_cell(lines[4], column, text)
    new, run = write(tmp_path / "new.csv", lines), table_runs[CLASSIFICATION if column == "kind" else MULTILABEL]
    with pytest.raises(DataError, match=message):
        evaluate(str(run), Path("none"), "csv", [f"data.path={new}"], "test", "table", trust=False)


@pytest.mark.parametrize(
    ("names", "values", "classes"),
    [
        (["UNKNOWN", "false", "true"], "TRUE FALSE UNKNOWN", "2 1 0"),
        (["UNKNOWN", "false", "true"], "TRUE FALSE TRUE", "2 1 2"),  # read as booleans
        (["False", "True"], "TRUE FALSE true", "1 0 1"),
        (["1", "2", "x"], "01 2.0 x", "0 1 2"),
        (["01", "1", "x"], "01 1 x", "0 1 2"),
        (["1", "2"], "1.0 2.0 2", "0 1 1"),
    ],
)
def test_classes_of_a_table_have_the_names_of_training(tmp_path, names, values, classes):
    frame = read_table(write(tmp_path / "new.csv", ["kind", *values.split()]))
    assert targets_of(frame, ["kind"], task_of(CLASSIFICATION), names, "new.csv").tolist() == [
        *map(int, classes.split())
    ]


@pytest.mark.parametrize(("row", "found"), [("0,0,0", "none"), ("0,1,1", "2")])
def test_rows_of_several_columns_name_one_class(tmp_path, row, found):
    names = ["a", "b", "c"]
    frame = read_table(write(tmp_path / "new.csv", ["a,b,c", "0,0,1", "1,0,0", row]))
    assert targets_of(frame[:2], names, task_of(CLASSIFICATION), names, "new.csv").tolist() == [2, 0]
    with pytest.raises(DataError, match=f"^new.csv: row 3: {found} of the columns a, b, c are 1; expected a 1 in"):
        targets_of(frame, names, task_of(CLASSIFICATION), names, "new.csv")


def test_differences_have_as_many_digits_as_tables():
    record = {"metrics": {"mae": 16334.91}, "data": {"sha256": "b", "part": "all", "count": 9}}
    result = {"metrics": {"test_mae": 19588.6203}, "data": {"sha256": "a", "test": 50, "name": "own"}}
    lines = describe(compare(result, record, get("mae")), result, get("mae"), "row")
    assert lines == ["on its own 50 test rows (own): MAE 19,588.6", "difference -3,253.71"]


def test_a_table_that_is_not_the_data_of_the_run_has_no_parts(table_runs, tmp_path):
    new = write(tmp_path / "new.csv", flats(20))
    with pytest.raises(RequestError, match=r"--part train: .*new\.csv is not the data of the run, and has no parts"):
        evaluate(str(table_runs[MULTILABEL]), Path("none"), "csv", [f"data.path={new}"], "train", "table", trust=False)


# -- the data set of the run with other parts ----------------------------------------------------------------------


@pytest.fixture
def wanted(configure):
    """Return a function that returns what a run can be evaluated on after a training on this data set."""

    def trained_on(*overrides: str) -> Wanted:
        config = configure("model=mlp", *overrides)
        data = load(config.data, config.task)
        return Wanted(
            config,
            task_of(data.task),
            data.names,
            data.inputs,
            {"data": {"sha256": data.sha256}, "config": plain(config)},
        )

    return trained_on


@pytest.fixture
def photos(tmp_path) -> Path:
    """Return an image folder with two classes of ten images each."""
    for number in range(20):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * number).save(path)
    return tmp_path / "photos"


def test_data_set_may_be_a_file_of_the_users_own(wanted, tmp_path):
    (tmp_path / "own" / "data").mkdir(parents=True)
    (tmp_path / "own" / "data" / "mine.yaml").write_text("defaults: [sklearn]\nname: breast_cancer\nsplit_seed: 3\n")
    table = wanted("data=sklearn", "data.name=breast_cancer", "data.split_seed=3")
    assert table.read("mine", [], "test", [tmp_path / "own"]).about["matched"] == "name"
    with pytest.raises(RequestError, match=r"data/mine\.yaml of your own is found in the folder of --config-dir"):
        table.read("mine", [], "test")


def test_other_parts_of_the_data_set_of_the_run_are_refused(wanted, photos):
    """Rows and images of the training part would be in the test part."""
    table = wanted("data=sklearn", "data.name=breast_cancer", "data.split_seed=3")
    assert table.read("sklearn", ["data.name=breast_cancer", "data.split_seed=3"], "test").about["matched"] == "name"
    with pytest.raises(RequestError, match=r"trained with data\.split_seed=3; with data\.split_seed=9, its parts may"):
        table.read("sklearn", ["data.name=breast_cancer", "data.split_seed=9"], "test")
    with pytest.raises(RequestError, match="has 3 classes"):
        table.read("sklearn", ["data.name=wine"], "test")
    own = [f"data.path={photos}", "data.image_size=[8,8]"]
    images = wanted("data=image_folder", *own, "data.test_fraction=0.2")
    assert images.read("image_folder", [*own, "data.test_fraction=0.2"], "test").about["count"] == 4
    for path in (photos, photos / ".." / "photos"):
        with pytest.raises(RequestError, match=r"with data\.test_fraction=0\.2; with data\.test_fraction=0\.5, its"):
            request = [f"data.path={path}", "data.image_size=[8,8]", "data.test_fraction=0.5"]
            images.read("image_folder", request, "test")


def test_the_file_of_the_run_is_refused_if_it_has_changed(wanted, tmp_path):
    path = write(tmp_path / "flats.csv", flats(150))
    of_file = wanted("data=csv", f"data.path={path}", "data.target=kind", "data.missing=mean")
    (tmp_path / "link.csv").symlink_to(path)
    for own in (path, tmp_path / "link.csv"):
        assert of_file.read("csv", [f"data.path={own}"], "test").about["part"] == "test"
    write(path, flats(300))
    for own in (path, tmp_path / "link.csv"):
        with pytest.raises(RequestError, match=r"flats\.csv: has changed since the run was trained, so that its parts"):
            of_file.read("csv", [f"data.path={own}"], "test")


def test_series_of_other_lengths_are_refused_where_the_run_has_no_lengths(wanted, tmp_path):
    """The advice of training, data.lengths, cannot be followed here: the key of the run applies."""
    rows = ["1\t1\t2\t3\n2\t3\t2\t1\n"] * 10
    (tmp_path / "a.tsv").write_text("".join(rows))
    (tmp_path / "b.tsv").write_text("".join(rows) + "1\t1\t2\n")
    run = wanted("data=signals", f"data.path={tmp_path}/a.tsv")
    with pytest.raises(DataError, match=r"b\.tsv: the 21 series have 2 to 3 steps; expected 3, .* without data\.len"):
        run.read("signals", [f"data.path={tmp_path}/b.tsv"], "test")
    assert run.read("signals", [f"data.path={tmp_path}/a.tsv"], "test").about["part"] == "test"


def test_labels_of_images_are_matched_by_name(configure, tmp_path):
    labels = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]])
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "new.npz", **arrays, classes=np.array(["cat", "dog", "bird"]))
    images = Inputs(kind=IMAGES, shape=(), dtype="uint8")
    wanted = Wanted(configure(), task_of(MULTILABEL), ["bird", "cat", "dog"], images, {"data": {"sha256": ""}})
    other = wanted.read("npz", [f"data.path={tmp_path / 'new.npz'}"], "test")
    np.testing.assert_array_equal(other.targets, labels[:, [2, 0, 1]])
    assert other.about["matched"] == "name" and other.about["labels"] == ["cat", "dog", "bird"]


@pytest.mark.parametrize("interval", [[0.5], [0.1, None], "x", [True, 1]])
def test_intervals_of_a_damaged_evaluation_are_refused(run, evaluated, own_data, interval):
    evaluated("npz", own_data())
    [path] = (run / "evaluations").glob("*.json")
    record = json.loads(path.read_text())
    assert [each["accuracy_interval"] for each in evaluations.read(run, read_result(run))] == [
        record["accuracy_interval"]
    ]
    path.write_text(json.dumps(record | {"accuracy_interval": interval}))
    with pytest.raises(FitbenchError, match=r"accuracy_interval is .*; it must be \[low, high\]"):
        evaluations.read(run, read_result(run))
