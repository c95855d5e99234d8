import re
from copy import deepcopy
from enum import Enum
from typing import Any

import pytest

from fitbench.config import Config, config_id, from_values, plain, run_id

from .bases import BASES, leaves

NO_PART_OF_THE_IDENTITY = {
    *("seed", "study", "outputs", "device", "threads", "force", "progress"),
    *("data.path", "training.checkpoint_seconds", "training.steps_per_execution", "retry_failed", "fail_fast"),
}


def another(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, Enum):
        return next((member for member in type(value) if member is not value), None)  # an only one may be absent
    for kind, change in (
        (bool, lambda: not value),
        (int | float, lambda: value + 1),
        (str, lambda: value + "x"),
        (list, lambda: [*value, 7]),
    ):
        if isinstance(value, kind):
            return change()
    return {"new": 1} if value == {} else 7  # of an empty section, and of null


def put_in(config: Config, key: str, value: Any) -> Config:
    """A copy of a configuration with one value changed, whatever the checks would say."""
    config = deepcopy(config)
    at: Any = config
    *sections, last = key.split(".")
    for section in sections:
        at = at[section] if isinstance(at, dict) else getattr(at, section)
    if isinstance(at, dict):
        at[last] = value
    else:
        setattr(at, last, value)
    return config


@pytest.mark.parametrize("base", BASES)
def test_identity_depends_on_each_value_but_those_that_cannot_change_the_result(bases, base):
    config = bases[base]
    kept, renamed = set(), set()
    for key, value in leaves(config.model_dump()).items():
        same = config_id(put_in(config, key, another(value))) == config_id(config)
        (kept if same else renamed).add(key)
    assert kept == NO_PART_OF_THE_IDENTITY - (set() if hasattr(config.data, "path") else {"data.path"})
    assert {"data.name", "data.source", "model._target_", "optimizer.learning_rate", "training.epochs"} <= renamed
    assert "backend" in renamed


@pytest.mark.parametrize("base", BASES)
def test_key_order_is_no_part_of_the_identity(bases, base):
    def backwards(value: Any) -> Any:
        return {k: backwards(value[k]) for k in reversed(value)} if isinstance(value, dict) else value

    nested = backwards(plain(bases[base]))
    assert list(nested) != list(plain(bases[base]))
    assert config_id(from_values(nested)) == config_id(bases[base])


@pytest.mark.parametrize(
    ("base", "key", "one", "other"),
    [
        ("default", "optimizer.learning_rate", 1, 1.0),
        ("default", "model.pixel_range", [0, 255], [0.0, 255.0]),
        ("mlp", "distortion.rotation", 15, 15.0),
        ("own", "model.width", 3, 3.0),
    ],
)
def test_one_and_one_point_zero_are_the_same_setting(values, base, key, one, other):
    first, second = (config_id(from_values(values(base, {key: value}))) for value in (one, other))
    assert first == second


@pytest.mark.parametrize("nothing", [None, {}, []])
def test_new_key_that_says_nothing_renames_no_run(values, bases, nothing):
    assert config_id(from_values(values("own", {"model.new": nothing}))) == config_id(bases["own"])


def test_zero_and_false_are_said(values):
    ids = [config_id(from_values(values("own", {"model.new": value}))) for value in (None, 0, False, "")]
    assert len(set(ids)) == 4


def test_run_of_the_default_configuration_keeps_its_name(bases):
    """Recorded runs are found by these names: they change only together with what a run does."""
    assert run_id(bases["default"]) == "mnist_5k-lenet5-adam-1b42f00c-s0"


@pytest.mark.parametrize(("base", "key"), [("default", "training.targets"), ("mlp", "model.output_activation")])
def test_run_recorded_before_a_key_was_there_is_read(values, bases, base, key):
    recorded = values(base)
    section, name = key.split(".")
    del recorded[section][name]
    assert run_id(from_values(recorded)) == run_id(bases[base])


@pytest.mark.parametrize(
    ("base", "names"), [("npz", "letters-lenet5-adagrad"), ("convnet", "mnist_5k-convnet-momentum")]
)
def test_run_id_is_made_of_names_config_id_and_seed(bases, base, names):
    config = put_in(bases[base], "seed", 41)
    assert run_id(config) == f"{names}-{config_id(config)}-s41"
    assert re.fullmatch("[0-9a-f]{8}", config_id(config))
