"""Data sets that are given as arrays."""

import numpy as np
import pandas as pd
import pytest

import fitbench
from fitbench.api.arrays import Arrays
from fitbench.api.request import Request
from fitbench.composition import Composer
from fitbench.data.loading import load

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(60, 3)), np.array(["no", "yes"])[np.arange(60) % 2]
PARTS = {"x_train": X[:40], "y_train": Y[:40], "x_test": X[40:], "y_test": Y[40:]}
MODEL = {"model": "mlp", "training": {"epochs": 1}}


def test_the_same_arrays_are_the_same_run(outputs, capsys):
    capsys.readouterr()
    run = fitbench.train(MODEL, data=PARTS | {"name": "mine"}, outputs=outputs, progress=False)
    assert "fitbench: data: y: 2 texts are taken as classes: no, yes" in capsys.readouterr().err.splitlines()
    sha256 = run.config["data"]["path"].rpartition("/")[2].removesuffix(".npz")
    assert run.config["data"]["name"] == f"mine_{sha256[:8]}"
    assert run.names == ["no", "yes"]
    with np.load(outputs / ".arrays" / f"{sha256}.npz") as written:
        assert {name: written[name].tolist() for name in written} == {
            name: part.tolist() for name, part in PARTS.items()
        }
    before = (run.folder / "result.json").stat().st_mtime_ns
    (outputs / ".arrays" / f"{sha256}.npz").unlink()  # it is written again, and has other times then
    frames = PARTS | {"x_train": pd.DataFrame(X[:40]), "y_train": pd.Series(Y[:40]), "y_test": Y[40:].tolist()}
    again = fitbench.train(MODEL, data=frames | {"name": "mine"}, outputs=outputs, progress=False)
    assert (again.folder, (again.folder / "result.json").stat().st_mtime_ns) == (run.folder, before)
    assert run.evaluate(X[40:], Y[40:])["accuracy"] == pytest.approx(run.metrics["test_accuracy"])
    weights = {"w_train": np.arange(40.0), "w_test": np.arange(20.0)}
    others = fitbench.sweep([MODEL], data=PARTS | weights, outputs=outputs, progress=False)
    assert others["data.name"][0].startswith("arrays_")
    weighted = fitbench.Run(others["folder"][0])
    capsys.readouterr()
    found = weighted.evaluate(pd.DataFrame(X[40:]), Y[40:])
    assert (found["loss"], found["accuracy"]) == (None, pytest.approx(weighted.metrics["test_accuracy"]))
    assert capsys.readouterr().err.splitlines() == [
        "fitbench: x: its columns are taken in their order, because the run has recorded no names of columns",
        "fitbench: y: lacks weights of examples in the loss; the loss is not computed",
    ]
    assert len(list(outputs.glob("default/*-s0"))) == len(list((outputs / ".arrays").iterdir())) == 2


def test_two_pairs_and_settings_are_taken(tmp_path):
    images = np.linspace(0, 1, 20 * 4 * 4).reshape(20, 4, 4)
    train, test = (images[8:], np.arange(12) % 2), (images[:8], np.arange(8) % 2)
    named = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
    assert Request.of([], None, (train, test), {}).arrays.sha256 == Arrays.of(named).sha256
    request = Request.of([], None, named | {"max_value": 1, "classes": ["a", "b"]}, {"outputs": tmp_path})
    assert request.arrays.arrays["classes"].tolist() == ["a", "b"]
    config = Composer().configuration([*request.words, "model=softmax"])
    assert config.data.max_value == 1
    request.arrays.write(config.outputs)
    data = load(config.data)
    assert (data.names, data.x_train.max(), data.x_test.shape) == (("a", "b"), 255, (8, 4, 4, 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x_train": X}, "data: has no y_train; found x_train"),
        ({"x_train": X, "y_train": Y[:5]}, "data: y_train has 5 examples, and its inputs have 60"),
        ({"x_train": [[1, 2], [3]], "y_train": [0, 1]}, "data: x_train is no array: "),
        ({"x_train": [["a"], ["b"]], "y_train": [0, 1]}, "data: x_train holds texts; expected numbers; a table with"),
        ({"x_train": X + 1j, "y_train": Y}, "data: x_train holds complex128; expected numbers"),
        ({"x_train": X, "y_train": [None, 1.5] * 30}, "data: y_train holds objects of the types NoneType, float"),
        ({"x_train": 5, "y_train": Y}, "data: x_train is 5; expected an array with an example in each row"),
        ({"x_train": X, "y_train": Y, "weights": X}, "data: no array of a data set is called 'weights'"),
        (PARTS | {"bogus": 1}, "data.bogus: there is no such key"),
        (PARTS | {"y_train": np.ones(40)}, "data: y_test holds texts, but the training part holds numbers"),
        (PARTS | {"x_test": X[40:, :2]}, "data: x_test"),
        ({"x_train": np.ma.masked_less(X, -1), "y_train": Y}, "data: x_train has "),
        ({"x_train": X, "y_train": np.ma.array(Y, mask=Y == "no")}, "data: y_train has 30 masked values; expected an"),
        (
            PARTS
            | {"x_train": pd.DataFrame(X[:40], columns=[*"abc"]), "x_test": pd.DataFrame(X[40:], columns=[*"acb"])},
            "data: x_test has the columns a, c, b, and data: x_train has a, b, c; expected the same columns",
        ),
        (
            {"x_train": pd.DataFrame(X).sample(frac=1, random_state=0), "y_train": pd.Series(Y)},
            "data: x_train and y_train have the same index in another order",
        ),
        (X, "data is a ndarray; expected the name of a data set, a dict of settings or of arrays"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(data, message, tmp_path):
    with pytest.raises(fitbench.FitbenchError) as caught:
        fitbench.train(MODEL, data=data, outputs=tmp_path / "outputs", progress=False)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("overrides", "data", "message"),
    [
        ([{"data": PARTS}], None, "data.x_train: arrays are given by the argument data of the call"),
        (["data=digits"], PARTS, "data=digits: the argument data is a data set of arrays already"),
    ],
)
def test_arrays_are_given_once_by_their_argument(overrides, data, message):
    with pytest.raises(fitbench.RequestError) as caught:
        fitbench.train(*overrides, data=data)
    assert str(caught.value).startswith(message)


def test_the_layout_in_memory_makes_no_other_data_set():
    sha256 = Arrays.of(PARTS).sha256
    others = (X.astype(">f8"), np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], np.ma.array(X), X.tolist())
    for same in others:
        assert Arrays.of(PARTS | {"x_train": same[:40]}).sha256 == sha256
    assert Arrays.of(PARTS | {"x_train": X[:40].astype("float32")}).sha256 != sha256
