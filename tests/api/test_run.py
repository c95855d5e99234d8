"""A run from Python: what its files say, and what its model says of new examples."""

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fitbench
from fitbench.data.builtin import read_builtin
from fitbench.inference.in_memory import inputs_in_memory, targets_in_memory
from fitbench.metrics import REGRESSION
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs

from ..inference.untrained import untrained


def test_what_the_files_say(make_run, tmp_path, monkeypatch):
    folder = make_run("study=one")
    monkeypatch.chdir(tmp_path)
    run = fitbench.Run("one/@best")
    result = json.loads((folder / "result.json").read_text())
    assert (run.folder, run.run_id, run.study, run.state) == (folder, folder.name, "one", "finished")
    assert run.metrics == run.result["metrics"] == result["metrics"]
    assert run.config["model"]["name"] == "mlp"
    assert run.names == ["cat", "dog", "owl"]
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert run.history.to_dict("records") == history
    again = fitbench.Run(folder)
    assert len({run, again, pickle.loads(pickle.dumps(run)), copy.deepcopy(run)}) == 1
    assert run != fitbench.Run(make_run("study=one", "seed=5")) != folder
    assert repr(run) == f"Run('{folder.name}', finished, test_accuracy {result['metrics']['test_accuracy']:.4g})"


def test_a_run_that_is_not_finished_has_a_configuration_and_a_history(make_run, tmp_path):
    folder = make_run("study=one", finished=False)
    run = fitbench.Run(folder)
    assert (run.state, run.metrics, run.config["study"]) == ("interrupted", {}, "one")
    assert run.history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert repr(run) == f"Run('{folder.name}', interrupted)"
    with pytest.raises(fitbench.FitbenchError, match="the run is interrupted; only a finished run has a model"):
        run.model()
    with pytest.raises(fitbench.RequestError, match="fits none of the 1 runs"):
        fitbench.Run("nothing", outputs=tmp_path / "outputs")
    pruned = fitbench.Run(make_run("study=two", pruned=True, trial=1))
    assert (pruned.state, pruned.metrics["epochs"]) == ("pruned", 5)


# -- the model --------------------------------------------------------------------------------------------------------


def test_the_model_says_what_training_recorded(trained):
    x = np.asarray(read_builtin("digits", "digits").x_test)
    with np.load(trained.folder / "predictions.npz") as recorded:
        labels, probabilities = recorded["labels"], recorded["probabilities"]
    outputs = trained.outputs(x)
    np.testing.assert_allclose(outputs, probabilities, atol=1e-6)
    for path in ("digit.png", Path("digit.png"), ["digit.png"]):
        with pytest.raises(
            fitbench.RequestError, match=r"^x is the text or path 'digit.png'; expected images in memory"
        ):
            trained.predict(path)
    predicted = trained.predict(x[..., 0].astype(float))
    assert predicted["label"].tolist() == [trained.names[best] for best in probabilities.argmax(axis=1)]
    np.testing.assert_allclose(predicted["probability"], probabilities.max(axis=1), rtol=1e-5)
    metrics = trained.evaluate(x, labels)
    assert metrics == pytest.approx({name: trained.metrics[f"test_{name}"] for name in ("loss", "accuracy")}, rel=1e-5)
    assert not (trained.folder / "evaluations").exists()
    own = trained.model()
    own.set_weights([np.zeros_like(weight) for weight in own.get_weights()])
    np.testing.assert_array_equal(trained.outputs(x), outputs)
    assert pickle.loads(pickle.dumps(trained)) == trained  # also while a model is loaded
    frame = pd.Series(labels)
    with pytest.raises(fitbench.DataError, match=r"^x and y have the same index in another order.*y\.loc\[x\.index\]"):
        trained.evaluate(pd.Series(list(x)), frame[::-1])
    assert np.argmax(trained.model()(x[:2]), axis=1).tolist() == outputs[:2].argmax(axis=1).tolist()


IMAGES = Inputs(kind="images", shape=(2, 2, 1), dtype="uint8")
SERIES = Inputs(kind="series", shape=(3, 1), dtype="float32")
TOKENS = Inputs(kind="tokens", shape=(2,), dtype="int32", vocabulary=5)
ARRAYS = Inputs(kind="arrays", shape=(2,), dtype="float32")
NUMBERS = (
    Column(name="size", kind="number", mean=1.0, deviation=1.0),
    Column(name="rooms", kind="number", mean=1.0, deviation=1.0),
)
TABLE = Inputs(kind="table", shape=(2,), dtype="float32", columns=NUMBERS)
NUMBERED = TABLE.model_copy(update={"columns": [Column(name=name, kind="number", mean=1.0) for name in "12"]})
CITY = Column(name="city", kind="category", vocabulary=["Aachen", "Bonn"])
WITH_CITY = Inputs(kind="table", shape=(2,), dtype="float32", columns=(NUMBERS[0], CITY))
IMAGE = np.array([[[0, 128], [255, 7]]])


def test_images_that_are_very_dark_have_a_note(capsys):
    note = "fitbench: x: the largest value is 16, but white is 255; if white is another value, scale it to 255\n"
    for dtype in (np.uint8, float):
        inputs_in_memory(np.full_like(IMAGE, 16, dtype), untrained(IMAGES))
        assert capsys.readouterr().err == note
    inputs_in_memory(np.full_like(IMAGE, 16), untrained(IMAGES, max_value=255))
    inputs_in_memory(np.full_like(IMAGE, 128), untrained(IMAGES))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("inputs", "data", "x", "taken"),
    [
        (IMAGES, {}, IMAGE, IMAGE[..., np.newaxis]),
        (IMAGES, {"max_value": 1}, IMAGE / 255, IMAGE[..., np.newaxis]),
        (SERIES, {}, [[1, 2, 3]], [[[1], [2], [3]]]),
        (SERIES, {"lengths": "linear"}, [[1, 3], [1, 2, 3]], [[[1], [2], [3]]] * 2),
        (SERIES, {}, np.ones((1, 3, 1)), np.ones((1, 3, 1))),
        (TOKENS, {}, [[0, 4]], [[0, 4]]),
        (ARRAYS, {}, [[0.5, 4]], [[0.5, 4]]),
        (TABLE, {}, [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (TABLE, {}, pd.DataFrame({"rooms": [2], "x": ["y"], "size": [1.5]}, index=[7]), [[1.5, 2]]),
        (WITH_CITY, {}, pd.DataFrame({"city": ["Bonn", "Ulm"], "size": [1, 2]}), [[1, 2], [2, 0]]),
    ],
)
def test_examples_are_taken_as_the_model_takes_them(inputs, data, x, taken):
    found = inputs_in_memory(x, untrained(inputs, **data))
    assert found.dtype == inputs.dtype
    np.testing.assert_array_equal(found, taken)


@pytest.mark.parametrize(
    ("inputs", "x", "message"),
    [
        (IMAGES, np.zeros((1, 3, 3)), r"x: an array of float64 \(1, 3, 3\); expected images of numbers \[N, 2, 2, 1\]"),
        (IMAGES, IMAGE / 255, "x holds fractions, up to 1; pixels of this run are whole numbers from 0 to 255"),
        (IMAGES, IMAGE * 2, "x holds values from 0 to 510; pixels of this run are from 0 to 255"),
        (IMAGES, IMAGE * np.nan, "x holds values from nan to nan; pixels of this run are from 0 to 255"),
        (IMAGES, np.ma.masked_greater(IMAGE, 200), "x has 1 masked values; expected an array without a mask"),
        (IMAGES, IMAGE[:0], "x has no examples; expected at least one"),
        (SERIES, np.ones((1, 4)), "x: .*expected numbers"),
        (SERIES, [[1, 2, 3], [1, 2]], r"x: example 1 \(counted from 0\): the number of steps is 2; the model takes 3"),
        (TOKENS, [[0, 5]], r"x: example 0 \(counted from 0\): value \[1\] is 5; expected a whole number from 0 to 4"),
        (TOKENS, [[0.5, 1]], "x: an array of float64"),
        (ARRAYS, [[1.0, 2.0], [1.0, np.nan]], r"x: example 1 \(counted from 0\): value \[1\] is nan"),
        (ARRAYS, [[1.0, 2.0], [1.0]], "x is no array"),
        (TABLE, pd.DataFrame({"size": [1]}), "x: lacks the column rooms"),
        (
            TABLE,
            pd.DataFrame([[1, 2, 3]], columns=["size", "rooms", "size"]),
            "x: 2 columns are named 'size'; give each",
        ),
        (NUMBERED, pd.DataFrame([[1, 2, 3]], columns=[1, "1", "2"]), "x: 2 columns are named '1'; give each another"),
        (TABLE, pd.DataFrame({"size": [1, 2], "rooms": [1, "?x"]}), r"x: example 1 \(counted from 0\): "),
        (WITH_CITY, [[1, 2]], "x: the run takes rows of a table; give a DataFrame with its 2 columns, such as size"),
    ],
)
def test_examples_that_the_model_does_not_take_are_refused(inputs, x, message):
    with pytest.raises((fitbench.DataError, fitbench.RequestError), match=f"^{message}"):
        inputs_in_memory(x, untrained(inputs))


@pytest.mark.parametrize(
    ("y", "taken"),
    [
        (["b", "a", "c"], [1, 0, 2]),
        (pd.Series([1, 0, 2], index=[5, 6, 7]), [1, 0, 2]),
        (np.eye(3)[[1, 0, 2]], [1, 0, 2]),
        ([[1], [0], [2]], [1, 0, 2]),
    ],
)
def test_classes_are_given_by_name_or_position(y, taken):
    assert targets_in_memory(y, 3, untrained(ARRAYS)).tolist() == taken


@pytest.mark.parametrize("dtype", [bool, object])
@pytest.mark.parametrize("names", [("0", "1"), ("False", "True"), ("cat", "dog")])
def test_booleans_are_classes_as_in_training(names, dtype):
    run = replace(untrained(ARRAYS), names=names)
    assert targets_in_memory(np.array([True, False], dtype), 2, run).tolist() == [1, 0]


def test_columns_of_targets_are_matched_by_name():
    run = untrained(ARRAYS)
    regression = replace(run, result=run.result | {"task": REGRESSION}, names=("price", "size"))
    y = pd.DataFrame({"size": [1.0, 2.0], "price": [7.0, 9.0]})
    assert targets_in_memory(y, 2, regression).tolist() == [[7, 1], [9, 2]]
    assert targets_in_memory(y.to_numpy(), 2, regression).tolist() == [[1, 7], [2, 9]]
    assert targets_in_memory(y.set_axis([0, 1], axis=1), 2, regression).tolist() == [[1, 7], [2, 9]]
    assert targets_in_memory(y, 2, replace(regression, names=("y_0", "y_1"))).tolist() == [[1, 7], [2, 9]]
    one_hot = pd.DataFrame({"c": [1, 0], "a": [0, 0], "b": [0, 1]})
    assert targets_in_memory(one_hot, 2, run).tolist() == [2, 1]
    with pytest.raises(
        fitbench.RequestError, match=r"^y has the columns size, cost; expected the outputs .*price, size"
    ):
        targets_in_memory(y.rename(columns={"price": "cost"}), 2, regression)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "d"], "y: the column y: row 2 is 'd'; the classes of the run are a, b, c"),
        ([0, 3], "y holds 3; expected a name of a class of the run, or its position from 0 to 2"),
        ([0], "y has 1 target; expected one for each of the 2 of x"),
        (np.ma.array([0, 1], mask=[0, 1]), "y has 1 masked values"),
        (None, r"y has the shape \(\); expected a target for each example"),
        ([[0, 1], [0, 1]], "y has 2 columns; the run has 3 classes"),
    ],
)
def test_targets_that_are_none_of_the_run_are_refused(y, message):
    with pytest.raises(fitbench.DataError, match=f"^{message}"):
        targets_in_memory(y, 2, untrained(ARRAYS))
