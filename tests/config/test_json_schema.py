"""Editors check YAML files by conf/config.schema.json: whether it is current, and what it finds wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from omegaconf import OmegaConf

from fitbench.composition import conf_folder
from fitbench.config.json_schema import FILE, json_schema, main

from .bases import with_changes

CONF = conf_folder()
WITHOUT_SCHEMA = ("hydra", "search")
FILES = [path.relative_to(CONF) for path in sorted(CONF.rglob("*.yaml"))]
FILES = [path for path in FILES if path.parts[0] not in WITHOUT_SCHEMA]
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+?)(?:#/definitions/(\w+))?")


def validator(file: Path) -> Draft7Validator:
    """What an editor checks a file by, from the comment in its first or second line."""
    lines = (CONF / file).read_text(encoding="utf-8").splitlines()
    line = lines[1] if lines[0].startswith("# @package") else lines[0]  # Hydra looks for the package in the first line
    match = MODELINE.fullmatch(line)
    assert match is not None, f"{file} begins with {line}"
    path = (CONF / file).parent / match[1]
    assert path.resolve() == (CONF / FILE).resolve()
    schema = json.loads(path.read_text(encoding="utf-8"))
    if match[2]:
        schema = {**schema["definitions"][match[2]], "definitions": schema["definitions"]}
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def content(file: Path) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.load(CONF / file))
    assert isinstance(values, dict)
    return values


def takes_further_keys(file: Path) -> bool:
    """Whether the other keys of a file are arguments of what it names."""
    return file.parent == Path("optimizer") or file in (Path("data/function.yaml"), Path("data/divided_table.yaml"))


def test_schema_is_current():
    """If this fails, run `python -m fitbench.config.json_schema`."""
    assert json.loads((CONF / FILE).read_text(encoding="utf-8")) == json_schema(CONF)


def test_schema_is_written_where_it_is_asked_for(tmp_path):
    (tmp_path / "model").mkdir()
    main(str(tmp_path))
    assert "training" in json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["properties"]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_shipped_file_is_valid(file):
    assert [error.message for error in validator(file).iter_errors(content(file))] == []


@pytest.mark.parametrize("file", [file for file in FILES if not takes_further_keys(file)], ids=str)
def test_misspelt_key_is_found(file):
    assert not validator(file).is_valid({**content(file), "naem": 1})


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("config.yaml", "training.epoch", 3),
        ("config.yaml", "training.epochs", "many"),
        ("config.yaml", "model", {"_target_": "fitbench.models.dense.mlp", "hiden": [3]}),
        ("config.yaml", "optimizer.schedule.kind", "linear"),
        ("training/default.yaml", "validation_split", 1),
        ("training/default.yaml", "early_stopping.patiense", 3),
        ("model/mlp.yaml", "activation", "rectify"),
        ("model/logistic_ovr.yaml", "model.penalty", "l3"),
        ("optimizer/adam.yaml", "learning_rate", "fast"),
        ("optimizer/schedule/cosine.yaml", "final_fraction", 2),
        ("data/image_folder.yaml", "image_size", [28]),
        ("distortion/affine.yaml", "sigma", 4.0),
        ("experiment/tutorial_mlp.yaml", "training.batchsize", 3),
    ],
)
def test_mistake_is_found(file, key, value):
    assert not validator(Path(file)).is_valid(with_changes(content(Path(file)), {key: value}))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("training/default.yaml", "epochs", "${oc.env:EPOCHS}"),
        ("training/default.yaml", "batch_size", "???"),
        ("training/default.yaml", "defaults", ["default", "_self_"]),
        ("model/mlp.yaml", "_target_", "mine.net"),
        ("optimizer/adam.yaml", "clipnorm", None),
        ("experiment/tutorial_mlp.yaml", "distortion.rotation", 3),
    ],
)
def test_what_a_file_may_hold_is_valid(file, key, value):
    assert validator(Path(file)).is_valid(with_changes(content(Path(file)), {key: value}))


def test_settings_of_a_users_model_are_free():
    assert validator(Path("model/mlp.yaml")).is_valid({"_target_": "mine.net", "name": "mine", "width": 3})
