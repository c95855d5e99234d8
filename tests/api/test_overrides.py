"""Values of Python as overrides of Hydra: what is read again is what was given."""

from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from fitbench.api.overrides import sets_of, varied, words_of
from fitbench.composition import read_overrides
from fitbench.composition.overrides import in_grammar
from fitbench.errors import RequestError


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *((value, value) for value in (None, True, False, 0, -3, 1e-3, 1e300, "", "mlp", "a b", "a,b", "it's", '"')),
        *((value, value) for value in ("null", "True", "1", "1e-3", "${seed}", "a=b", "[1]", "x: y", "\\", "a\\'")),
        *((value, value) for value in ([], [1, "a,b", None], [[300, 100], []], {"a": 1, "b": {"c": [True]}})),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.float32(0.1), 0.1),
        (np.array([0.1, 1e-3], "float32"), [0.1, 1e-3]),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.array([[1, 2]]), [[1, 2]]),
        (Path("/tmp/a b.csv"), "/tmp/a b.csv"),
        (Colour.RED, "red"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_was_given(value, read):
    [override] = read_overrides([f"key={in_grammar(value)}"])
    assert not override.is_sweep_override()
    found = override.value()
    as_text = getattr(found, "text", found)  # Hydra keeps the marks of a quoted text
    assert (as_text, type(as_text)) == (read, type(read))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("model=mlp", ["model=mlp"]),
        ({"model": "mlp", "training.epochs": 5}, ["model=mlp", "training.epochs=5"]),
        ({"model": "mlp", "training": {"epochs": 5}}, ["model=mlp", "training.epochs=5"]),
        (["seed=1", {"study": "a b"}], ["seed=1", "study='a b'"]),
        ({"model": {"name": "mlp", "hidden": [30, 20]}}, ["model=mlp", "model.hidden=[30,20]"]),
        ({"model": {"name": "mine"}}, ["model.name=mine"]),
        ({"data": {"source": "csv", "path": Path("a.csv")}}, ["data=csv", "data.path=a.csv"]),
        (
            {"data": {"_target_": "mine.load", "rows": 5}},
            ["data=function", "++data._target_=mine.load", "++data.rows=5"],
        ),
        ({"model": {"_target_": "my.net", "width": 5}}, ["~model", "++model={name:net,_target_:my.net,width:5}"]),
        ({"optimizer": {"name": "sgd", "+momentum": 0.9}}, ["optimizer=sgd", "+optimizer.momentum=0.9"]),
        ({"optimizer/schedule": "cosine"}, ["optimizer/schedule=cosine"]),
        ({"experiment": "x", "+continue": "RUN"}, ["+experiment=x", "+continue=RUN"]),
        ({"training": {"early_stopping": {"patience": 2}}}, ["++training.early_stopping={patience:2}"]),
    ],
)
def test_dictionaries_and_texts_become_overrides(given, words):
    assert words_of([given], {"seed": 1}, []) == [*words, "seed=1"]


def test_a_file_of_the_user_can_be_chosen_by_its_name(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").touch()
    assert words_of([{"model": {"name": "mine"}}], {}, [tmp_path]) == ["model=mine"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "5: expected overrides: a text KEY=VALUE, a dict, or a list of these"),
        ({1: 2}, "1: a key of a dict of overrides is a text, such as 'training.epochs'"),
        (
            {"seed": 1j},
            "1j is a complex; expected None, a boolean, a number, a text, a path, or a list or dict of these",
        ),
    ],
)
def test_what_is_no_override_is_refused(given, message):
    with pytest.raises(RequestError, match=f"^{message}$"):
        words_of([given], {}, [])


def test_lists_of_a_sweep_are_choices():
    several, single = varied({"seed": range(2), "model": ["mlp", "a b"], "study": "x", "training": {"epochs": 1}})
    assert several == ["seed=choice(0,1)", "model=choice(mlp,'a b')"]
    assert single == {"study": "x", "training": {"epochs": 1}}
    sets = ["model=mlp", ["seed=1", {"model": "softmax"}], {"seed": 2}]
    assert sets_of(sets, []) == [["model=mlp"], ["seed=1", "model=softmax"], ["seed=2"]]
    assert sets_of("model=mlp", []) == [["model=mlp"]]
    assert sets_of(None, []) == []
    assert sets_of(({"seed": seed} for seed in (0, 1)), []) == [["seed=0"], ["seed=1"]]
    for wrong, message in (([], "the list of sets is empty"), (5, "5: expected a list of sets")):
        with pytest.raises(RequestError, match=message):
            sets_of(wrong, [])
