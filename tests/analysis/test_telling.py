"""What tells runs apart: default keys, and values in short."""

import json
import random

import pytest

from fitbench.analysis.comparison import find
from fitbench.analysis.frame import load_runs
from fitbench.analysis.groups import also_differ, group
from fitbench.analysis.telling import default_keys, short_texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.15488664885345138, 0.0047818552862091655], ["0.155", "0.00478"]),
        ([0.15488664885345138, 0.1552], ["0.1549", "0.1552"]),
        ([1234.5, 0.99996, 2000.0], ["1234.5", "0.99996", "2000"]),
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
    for trial, (name, rate) in enumerate([("adam", 0.013), ("sgd", 0.0021), ("rmsprop", 0.07)]):
        folder = make_run(f"optimizer={name}", f"optimizer.learning_rate={rate}", trial=trial)
    assert default_keys(load_runs(tmp_path / "outputs")) == ["optimizer.name"]
    (folder.parent / "search.json").write_text(json.dumps(SEARCH))
    assert set(default_keys(load_runs(tmp_path / "outputs"))) >= {"optimizer.learning_rate", "optimizer.name"}
    (folder.parent / "search.json").write_text("{")
    assert default_keys(load_runs(tmp_path / "outputs")) == ["optimizer.name"]


def test_settings_of_another_section_that_vary_with_a_name_are_keys_up_to_three(make_run, tmp_path):
    """As `sweep.cases` and `sweep.zip` make them."""
    zipped = [("mlp", 0.01, 32, 5, 0.1), ("softmax", 0.001, 64, 6, 0.2)]
    names = ["optimizer.learning_rate", "training.batch_size", "training.epochs", "training.validation_split"]
    for model, *values in zipped:
        settings = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        make_run(f"model={model}", *settings[:2], "study=few")
        make_run(f"model={model}", *settings, "study=many")
    outputs = tmp_path / "outputs"
    assert default_keys(load_runs(outputs / "few")) == ["model.name", *names[:2]]  # model.hidden follows from the model
    many = load_runs(outputs / "many")
    assert default_keys(many) == ["model.name"]
    assert also_differ(group(many, ["model"], "test_accuracy"), ["model.name"]) == {
        name: list(values) for name, values in zip(names, zip(*(case[1:] for case in zipped), strict=True), strict=True)
    }
    without_name = also_differ(group(many, names, "test_accuracy"), names)
    assert {name: sorted(values) for name, values in without_name.items()} == {"model.name": ["mlp", "softmax"]}


def test_weights_by_class_are_one_key(make_run, tmp_path):
    for value in ("null", "balanced", "{common: 1, rare: 5}"):
        make_run(f"training.class_weight={value}")
    runs = load_runs(tmp_path / "outputs")
    assert default_keys(runs) == ["training.class_weight"]
    groups = group(runs, ["class_weight"], "test_accuracy")
    assert sorted(each.label for each in groups) == ["balanced", "null", "{common:1,rare:5}"]
    assert groups[find(groups, "class_weight=null")].label == "null"
    assert groups[find(groups, "class_weight={common: 1, rare: 5}")].label == "{common:1,rare:5}"


def test_a_setting_that_differs_between_groups_of_one_model_also_differs(make_run, tmp_path):
    """The name of a model stands for its settings only where it tells them apart."""
    for case in (["model=mlp", "model.hidden=[8]"], ["model=mlp", "model.hidden=[4]", "optimizer=sgd"]):
        make_run(*case, "study=confounded")
        make_run(*case[:2], "study=named")
    for study in ("confounded", "named"):
        make_run("model=softmax", f"study={study}")
    runs = load_runs(tmp_path / "outputs" / "confounded")
    keys = default_keys(runs)
    assert keys == ["model.name", "optimizer.name"]
    assert also_differ(group(runs, keys, "test_accuracy"), keys) == {"model.hidden": ["[8]", "[4]"]}
    assert also_differ(group(runs, ["optimizer"], "test_accuracy"), ["optimizer.name"]) == {}  # groups mix models
    two_models = runs[runs["model.hidden"] != "[4]"]
    assert also_differ(group(two_models, keys, "test_accuracy"), keys) == {}
    told = load_runs(tmp_path / "outputs" / "named")
    assert default_keys(told) == ["model.name", "model.hidden"]
    assert also_differ(group(told, default_keys(told), "test_accuracy"), default_keys(told)) == {}


def test_a_setting_of_a_choice_that_is_no_key_also_differs_where_the_choice_is_the_same(make_run, tmp_path):
    cases = [("[8]", "adam", 0.1), ("[4]", "adam", 0.01), ("[2]", "sgd", 0.5)]
    for hidden, optimizer, rate in cases:
        make_run("model=mlp", f"model.hidden={hidden}", f"optimizer={optimizer}", f"optimizer.learning_rate={rate}")
    groups = group(load_runs(tmp_path / "outputs"), ["hidden"], "test_accuracy")
    found = {name: sorted(values) for name, values in also_differ(groups, ["model.hidden"]).items()}
    assert found == {"optimizer.name": ["adam", "sgd"], "optimizer.learning_rate": [0.01, 0.1]}


def test_values_of_different_kinds_are_different_and_look_different(make_run, tmp_path):
    assert short_texts(["1", 1, "null", None, "true", True]) == ['"1"', "1", '"null"', "null", '"true"', "true"]
    assert short_texts(["1", "null", "relu"]) == ["1", "null", "relu"]
    assert short_texts(["1", None]) == ["1", "null"]
    for seed, (value, identity) in enumerate([(True, "0a"), (1, "0b"), (True, "0a"), ("1", "0c")]):
        folder = make_run(f"seed={seed}", "model=mlp")
        result = json.loads((folder / "result.json").read_text())
        result["config"]["model"]["gate"] = value
        (folder / "result.json").write_text(json.dumps(result | {"config_id": identity * 4}))
    runs = load_runs(tmp_path / "outputs")
    assert default_keys(runs) == ["model.gate"]
    groups = group(runs, ["model.gate"], "test_accuracy")
    assert sorted((each.label, each.summary.n) for each in groups) == [('"1"', 1), ("1", 1), ("true", 2)]
    assert default_keys(runs[runs["seed"] < 2]) == ["model.gate"]


def test_other_training_files_of_one_size_are_told_by_the_checksum(make_run, tmp_path):
    for seed in range(2):
        for data in ("0a", "0b"):
            folder = make_run(f"seed={seed}", f"study=of_{data}", sha256=data * 32)
            result = json.loads((folder / "result.json").read_text())
            result["data"] |= {"test_sha256": "1" * 64, "test_inputs_sha256": "2" * 64}
            (folder / "result.json").write_text(json.dumps(result))
    runs = load_runs(tmp_path / "outputs")
    assert default_keys(runs) == ["dataset.sha256"]
    assert sorted(each.label for each in group(runs, ["dataset.sha256"], "test_accuracy")) == ["0a" * 4, "0b" * 4]
