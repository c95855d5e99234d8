"""The schemas of the files of a run folder: what they accept and refuse. No file ends in a traceback."""

import copy
import json
import socket
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.record import claims, evaluations, reading, schemas
from fitbench.record.folder import State, state_of
from fitbench.record.schemas import Record, check

from ..fuzzing import fuzz
from ..run_folders import curves

RESULT: dict[str, Any] = {
    "schema": 2, "run_id": "digits-mlp-adam-11111111-s0", "config_id": "11111111", "seed": 0, "fold": None,
    "study": "default", "task": "classification", "primary": "accuracy",
    "config": {"data": {}, "model": {"_target_": "fitbench.models.mlp"}, "optimizer": {}, "training": {},
               "distortion": {}},
    "metrics": {f"{part}_{name}": 0.5 for part in metrics.PARTS for name in ("accuracy", "loss")}
    | {"best_epoch": 2, "epochs": 3},
    "metric_info": {name: metrics.get(name).info() for name in ("accuracy", "loss")},
    "timing": {"fit_seconds": 1.5, "seconds": 2, "examples_per_second": None},
    "parameters": 10, "data": {"name": "digits", "sha256": "ab" * 32, "train": 8, "validation": 2, "test": 5,
                               "classes": ["cat", "dog"]},
    "versions": {"keras": "3"}, "git": {"commit": None, "dirty": None}, "device": "cpu", "threads": 2, "attempts": 1,
    "environment": {}, "code": {}, "finished_at": "2026-01-02T03:04:05Z",
}  # fmt: skip
PRUNED: dict[str, Any] = {
    "schema": 2, "run_id": "digits-mlp-adam-11111111-s0", "trial": 3, "timing": {"fit_seconds": 1.5},
    "metrics": RESULT["metrics"], "metric_info": RESULT["metric_info"], "pruned_at": "2026-01-02T03:04:05Z",
}  # fmt: skip
EVALUATION: dict[str, Any] = {
    "schema": 1, "run_finished_at": RESULT["finished_at"], "evaluated_at": "2026-01-03T03:04:05Z",
    "data": {"name": "mine", "sha256": "cd" * 32, "part": "test", "count": 9},
    "metrics": {"loss": None, "accuracy": 0.5}, "accuracy_interval": [0.25, 0.75],
}  # fmt: skip
SEARCH: dict[str, Any] = {
    "schema": 1, "study": "default", "sampler": "tpe", "pruner": "none", "seed": 0,
    "objectives": [{"name": "val_accuracy", "direction": "maximize", "info": RESULT["metric_info"]["accuracy"]}],
    "space": {"model": {"kind": "choice", "values": ["mlp", 1, True]},
              "rate": {"kind": "float", "low": 1e-4, "high": 1, "log": True}},
    "trials": [{"number": 0, "state": "finished", "values": [0.5], "params": {"model": "mlp", "rate": 0.5},
                "run_ids": ["a"], "epochs": 3, "error": None, "began": 1.5, "ended": 2.5}],
    "best": [0], "importance": {"val_accuracy": {"rate": 0.75}},
}  # fmt: skip
FILES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (schemas.Result, RESULT), (schemas.Pruned, PRUNED), (schemas.Evaluation, EVALUATION), (schemas.Search, SEARCH),
]  # fmt: skip
by_file = pytest.mark.parametrize(("schema", "values"), FILES, ids=["result", "pruned", "evaluation", "search"])


def changed(values: dict[str, Any], path: str, to: Any) -> dict[str, Any]:
    """A copy in which the value at a dotted path is another; ... removes it."""
    copied: Any = copy.deepcopy(values)
    *sections, last = path.split(".")
    place = copied
    for key in sections:
        place = place[int(key) if isinstance(place, list) else key]
    if to is ...:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = to
    return copied


def message(schema: type[BaseModel], values: Any) -> str:
    with pytest.raises(FitbenchError) as caught:
        check(schema, values, "file: ")
    text = str(caught.value)
    assert text.startswith("file: ")
    assert text.isprintable()
    return text.removeprefix("file: ")


# -- what is accepted -------------------------------------------------------------------------------------------------


@by_file
def test_keys_that_a_later_version_may_write_are_allowed(schema, values):
    for key, section in [("later", values), *((f"{key}.later", values) for key in ("data", "timing") if key in values)]:
        check(schema, changed(section, key, {"a": [1]}))


def test_training_and_claims_write_what_the_schemas_describe(make_run, tmp_path):
    check(schemas.Result, json.loads((make_run() / "result.json").read_text()))
    check(schemas.Pruned, json.loads((make_run("seed=1", pruned=True, trial=0) / "pruned.json").read_text()))
    for epoch in curves(3):
        check(schemas.Epoch, epoch)
    with claims.claim(tmp_path):
        claim = check(schemas.Claim, json.loads((tmp_path / "claim.json").read_text()))
    assert claim.host == socket.gethostname()


def test_every_value_is_described():
    """The reference of the run folder is made of these texts."""
    kinds = [kind for kind in vars(schemas).values() if isinstance(kind, type) and issubclass(kind, Record)]
    assert len(kinds) > 20
    for kind in kinds:
        assert kind.__doc__, kind
        for name, field in kind.model_fields.items():
            is_section = any(kind in kinds for kind in (field.annotation, *get_args(field.annotation)))
            plain = name in ("kind", "direction", "state")
            assert field.description or is_section or plain, f"{kind.__name__}.{name}"


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("seed", 2**32, "seed is 4294967296; it must be a whole number from 0 to 4294967295"),
        ("seed", True, "seed is true; it must be a whole number from 0 to 4294967295"),
        ("parameters", 10**400, f"parameters is 1{'0' * 76}...; it must be a whole number from 0, below 2^53"),
        ("fold", -1, "fold is -1; it must be a whole number from 0, below 2^53, or null"),
        ("config", [], "config is []; it must be a section with keys of its own"),
        ("config.training", None, "config.training is null; it must be a section with keys of its own"),
        ("config.training", ..., "config.training is missing; it must be a section with keys of its own"),
        ("data.classes", ["one"], "data.classes is ['one']; it must be the names of two or more classes"),
        ("data.classes", ["one", 2], "data.classes is ['one', 2]; it must be the names of two or more classes"),
        ("timing.seconds", "2", "timing.seconds is '2'; it must be a number"),
        ("timing.seconds", float("inf"), "timing.seconds is inf; it must be a number"),
        ("metrics.val_loss", True, "metrics.val_loss is true; it must be a number, or null"),
        ("metrics.val_loss", ..., "metrics.val_loss is missing; it must be a number, or null"),
        ("metrics.more", [1], "metrics.more is [1]; it must be a number, or null"),
        ("metrics.\x1b[2J", "x", "metrics.\\x1b[2J is 'x'; it must be a number, or null"),
        ("metrics.best_epoch", 0, "metrics.best_epoch is 0; it must be a whole number from 1, below 2^53, or null"),
        ("git", [1], "git is [1]; it must be a section with keys of its own, or null"),
        ("git.dirty", 1, "git.dirty is 1; it must be true or false, or null"),
        ("versions.keras", 3, "versions.keras is 3; it must be text, or null"),
        ("metric_info.loss", [], "metric_info.loss is []; it must be a section with keys of its own"),
        ("metric_info.loss.direction", "up", "metric_info.loss.direction is 'up'; it must be one of max, min"),
        ("metric_info.loss.definition", "", "metric_info.loss.definition is ''; it must be text"),
        (
            "metric_info.loss.label",
            "x" * 81,
            f"metric_info.loss.label is '{'x' * 76}...; it must be text of at most 80",
        ),
        (
            "metric_info.loss.range",
            [0],
            "metric_info.loss.range is [0]; it must be [low, high], with null for an infin",
        ),
        ("metric_info.loss.range", [1, 1], "metric_info.loss.range is [1.0, 1.0]; it must be [low, high] with low bel"),
        ("metric_info.loss.proportion", True, "metric_info.loss.range is [0.0, None]; it must be [0, 1] for a propor"),
        ("metric_info.val_x", RESULT["metric_info"]["loss"], "metric_info.val_x: expected a name other than epoch"),
        ("primary", "nope", "primary is 'nope'; it must be the name of a metric in metric_info"),
        ("metric_info.f1", RESULT["metric_info"]["loss"], "metrics.train_f1 is missing; it must be a number, or null"),
    ],
)
def test_a_wrong_value_in_a_result_is_named_with_what_is_allowed(path, value, expected):
    assert message(schemas.Result, changed(RESULT, path, value)).startswith(expected)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("data.count", "9", "data.count is '9'; it must be a whole number from 0, below 2^53"),
        ("metrics.loss", ..., "metrics.loss is missing; it must be a number, or null"),
        ("metrics.macro_f1", "high", "metrics.macro_f1 is 'high'; it must be a number, or null"),
        ("accuracy_interval", [0.5], "accuracy_interval is [0.5]; it must be [low, high]"),
        ("accuracy_interval", None, "accuracy_interval is null; it must be [low, high]"),
        ("run_finished_at", None, "run_finished_at is null; it must be text"),
    ],
)
def test_a_damaged_evaluation_is_refused_by_its_path(tmp_path, path, value, expected):
    file = evaluations.path_of(tmp_path, "mine", "cd" * 32, "test")
    file.parent.mkdir()
    file.write_text(json.dumps(EVALUATION))
    assert evaluations.read(tmp_path, RESULT) == [EVALUATION]
    file.write_text(json.dumps(changed(EVALUATION, path, value)))
    with pytest.raises(FitbenchError) as caught:
        evaluations.read(tmp_path, RESULT)
    assert str(caught.value) == f"{file}: {expected}; evaluate it again"


# -- files of a stranger ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"schema": 2, "seed": ' + "9" * 5000 + "}", "not JSON"),
        ('{"schema": 2, "config": ' + "[" * 100_000, "nested too deeply"),
        (json.dumps(RESULT | {"threads": float("nan")}), "threads is nan"),
        (json.dumps(RESULT)[:-1] + ', "seed": -1}', "seed is -1"),
        (json.dumps(RESULT | {"study": "\ud800", "device": 1}), "device is 1"),
        (json.dumps(changed(RESULT, "metrics.\ud800", 1)), "metrics has the key '\\ud800'; it must be Unicode text"),
        (json.dumps(changed(RESULT, "versions.\ud800", 1)), "versions.\ufffd\ufffd\ufffd is 1; it must be text"),
        (json.dumps(RESULT | {"schema": True}), "schema True; this fitbench reads"),
        (json.dumps(RESULT | {"schema": json.loads("[" * 900 + "]" * 900)}), "nested more than 64 levels deep"),
        (json.dumps(RESULT | {"metric_info": json.loads("[" * 900 + "]" * 900)}), "nested more than 64 levels deep"),
    ],
    ids=[
        "digits",
        "deep",
        "NaN",
        "twice",
        "surrogate",
        "surrogate metric",
        "surrogate key",
        "schema",
        "deep schema",
        "deep value",
    ],
)
def test_a_hostile_result_is_refused_by_its_path(tmp_path, content, expected):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(FitbenchError) as caught:
        reading.read_result(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/result.json: {expected}")
    assert len(str(caught.value)) < 400


def json_values() -> st.SearchStrategy[Any]:
    """What `json.loads` can give, NaN, infinities, huge numbers and lone surrogates among it."""
    text = st.text(st.characters(exclude_categories=()), max_size=5)
    single = st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from([10**308, -(10**400)]) | text
    return st.recursive(
        single, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=5
    )


def places_in(values: Any) -> list[tuple[Any, ...]]:
    """The paths of all values in nested dictionaries and lists."""
    if not isinstance(values, dict | list):
        return []
    items = values.items() if isinstance(values, dict) else enumerate(values)
    return [(key, *rest) for key, value in items for rest in [(), *places_in(value)]]


def test_a_metric_info_that_is_nested_too_deeply_is_refused():
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    about = RESULT["metric_info"]["loss"]
    assert message(schemas.Result, changed(RESULT, "metric_info.loss", about | {"later": deep})).startswith(
        "metric_info"
    )


@by_file
@fuzz(150)
@given(data=st.data())
def test_any_value_in_any_place_is_accepted_or_named(schema, values, data):
    hostile: Any = copy.deepcopy(values)
    *sections, last = data.draw(st.sampled_from(places_in(values)))
    place = hostile
    for key in sections:
        place = place[key]
    if isinstance(place, dict) and data.draw(st.booleans()):
        last = data.draw(st.text(st.characters(exclude_categories=()), max_size=5))
    place[last] = data.draw(json_values())
    try:
        check(schema, hostile, "file: ")
    except FitbenchError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 800


@fuzz(150)
@given(values=json_values())
def test_a_file_that_holds_anything_is_refused(values):
    for schema, _ in FILES:
        assert message(schema, values)


CLAIM = {"host": "elsewhere", "pid": 7, "start": "1", "job": "here:12", "restarts": 0}


@fuzz(150)
@given(key=st.sampled_from([*CLAIM, "other"]), value=json_values())
def test_a_claim_with_any_value_ends_in_no_traceback(tmp_path_factory, key, value):
    folder = tmp_path_factory.mktemp("claim")
    (folder / "claim.json").write_text(json.dumps(CLAIM | {key: value}))
    assert state_of(folder) is State.running  # of a process elsewhere, or being written


@pytest.mark.parametrize("content", ["[" * 100_000, '{"pid": ' + "9" * 5000 + "}"])
def test_a_hostile_claim_counts_as_one_that_is_being_written(tmp_path, content):
    Path(tmp_path / "claim.json").write_text(content)
    assert state_of(tmp_path) is State.running


def test_a_host_whose_name_is_no_utf_8_holds_its_claim(tmp_path):
    Path(tmp_path / "claim.json").write_text(json.dumps(CLAIM | {"host": "b\udcfccher"}))
    with pytest.raises(claims.Claimed, match="pid 7 on "), claims.claim(tmp_path):
        pass
