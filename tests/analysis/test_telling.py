"""What tells runs apart: default keys, and values in short."""

import json
import random

import pytest

from fitbench.analysis.frame import load_runs
from fitbench.analysis.telling import default_keys, short_texts
from fitbench.config import NOT_IDENTITY
from fitbench.config.files import keys_of_files


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.15488664885345138, 0.0047818552862091655], ["0.155", "0.00478"]),
        ([0.15488664885345138, 0.1552], ["0.1549", "0.1552"]),
        ([0.1552, 0.15488664885345138, 0.5123456], ["0.1552", "0.1549", "0.512"]),
        ([0.001, 0.01, 1.0, 3e-05], ["0.001", "0.01", "1", "3e-05"]),
        ([0.1, 0.1 + 2**-56, 0.2], ["0.1", "0.10000000000000002", "0.2"]),
        ([1, 0.99999, None], ["1", "0.99999", "null"]),
        ([128, 1234567, "relu", True, None], ["128", "1234567", "relu", "true", "null"]),
        (["ab" * 32, "cd" * 32], ["abababab", "cdcdcdcd"]),
    ],
)
def test_fractions_have_the_digits_that_tell_them_apart(values, texts):
    assert short_texts(values) == texts


def test_short_texts_are_as_different_as_the_values():
    draw = random.Random(0)
    values = [draw.choice((1, 10)) * round(draw.random(), draw.randint(1, 17)) for _ in range(2_000)]
    assert len(set(short_texts(values))) == len(set(values))


def test_paths_are_no_columns():
    assert {"data.path", "data.test_path"} <= keys_of_files() <= set(NOT_IDENTITY)


def test_files_of_different_size_are_told_by_their_number_of_training_examples(make_run, tmp_path):
    for examples in (50, 100):
        for seed in range(2):
            folder = make_run(f"seed={seed}", f"study=of_{examples}", sha256=f"{examples:03}0" * 16)
            result = json.loads((folder / "result.json").read_text())
            result["data"]["train"] = examples
            (folder / "result.json").write_text(json.dumps(result))
    assert default_keys(load_runs(tmp_path / "outputs")) == ["dataset.train"]
    assert default_keys(load_runs(tmp_path / "outputs" / "of_50")) == ["model.name", "optimizer.name"]


SEARCH = {
    "schema": 1, "study": "default", "objectives": [{"name": "val_loss", "direction": "minimize", "label": "loss"}],
    "space": {
        "optimizer.learning_rate": {"kind": "float", "low": 0.0001, "high": 0.1, "log": True, "step": None},
        "training.batch_size": {"kind": "choice", "values": ["32", "64"]},
        "optimizer.epsilon (optimizer=adam)": {"kind": "float", "low": 0.1, "high": 1, "log": False, "step": None},
        "optimizer/schedule": {"kind": "choice", "values": ["constant", "cosine"]},
    },
    "sampler": "tpe", "pruner": "median", "seed": 0, "seeds": 1, "versions": {}, "trials": [], "best": [],
    "importance": {"val_loss": {}},
}  # fmt: skip


def test_a_search_has_all_that_it_searched_as_keys(make_run, tmp_path):
    for trial, (rate, size) in enumerate([(0.013, 32), (0.0021, 64), (0.07, 32)]):
        folder = make_run(f"optimizer.learning_rate={rate}", f"training.batch_size={size}", trial=trial)
    assert default_keys(load_runs(tmp_path / "outputs")) == ["optimizer.learning_rate"]
    (folder.parent / "search.json").write_text(json.dumps(SEARCH))
    assert default_keys(load_runs(tmp_path / "outputs")) == ["optimizer.learning_rate", "training.batch_size"]
    (folder.parent / "search.json").write_text("{")
    assert default_keys(load_runs(tmp_path / "outputs")) == ["optimizer.learning_rate"]
