"""Editors check table.yaml by conf/table.schema.json: whether it is current, and what it finds wrong."""

import json

import pytest
import yaml
from jsonschema import Draft7Validator

from fitbench.composition import conf_folder
from fitbench.tables.json_schema import FILE, json_schema, main

from .conftest import DEFINITION

CONF = conf_folder()
TABLES = sorted((CONF.parent / "experiments").glob("*/table.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    schema = json.loads((CONF / FILE).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def test_schema_is_current(tmp_path):
    """If this fails, run `python -m fitbench.tables.json_schema`."""
    assert json.loads((CONF / FILE).read_text(encoding="utf-8")) == json_schema()
    main(str(tmp_path))
    assert (tmp_path / FILE).read_text() == (CONF / FILE).read_text()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_committed_table_is_valid_and_names_the_schema(validator, path):
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == (CONF / FILE).resolve()
    assert not list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8"))))


ROW = {"label": "a", "claimed": "1"}


@pytest.mark.parametrize(
    "changed",
    [
        {"titel": "x"}, {"unit": "per cent"}, {"seeds": 0}, {"seeds": "5"}, {"tolerance": -1}, {"rows": []},
        {"test_set": "abc"}, {"rows": [{**ROW, "claimed": 8.4}]}, {"rows": [{**ROW, "claimed": ["1"]}]},
        {"rows": [{**ROW, "claim": "1"}]}, {"rows": [{"label": "a"}]}, {"overrides": "model=mlp"},
    ],
    ids=str,
)  # fmt: skip
def test_mistake_is_found(validator, changed):
    assert validator.is_valid(DEFINITION)
    assert not validator.is_valid({**DEFINITION, **changed})
