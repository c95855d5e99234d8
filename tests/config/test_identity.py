import re
from copy import deepcopy
from enum import Enum
from typing import Any

import pytest

from fitbench.composition import conf_folder
from fitbench.config import Config, config_id, from_values, other_argument, plain, run_id
from fitbench.config.identity import FORMER, NEUTRAL

from .bases import BASES, leaves, with_changes

NO_PART_OF_THE_IDENTITY = {
    *("seed", "study", "outputs", "device", "threads", "force", "code", "progress", "metrics.default"),
    *("training.checkpoint_seconds", "training.steps_per_execution", "retry_failed", "fail_fast"),
    *("workers", "fold", "training.keep_state", "logger"),
}


def another(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, Enum):
        others = [member for member in type(value) if member is not value]
        return others[-1] if others else None  # an only one may be absent
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
        setattr(at, "target" if last == "_target_" else last, value)
    return config


@pytest.mark.parametrize("base", BASES)
def test_identity_depends_on_each_value_but_those_that_cannot_change_the_result(bases, base):
    config = bases[base]
    kept, renamed = set(), set()
    others = {  # what is watched is asked of them
        "training.early_stopping": bases["default"].training.early_stopping,
        "training.callbacks": bases["callback"].training.callbacks,
    }
    for key, value in leaves(config.model_dump()).items():
        other = others[key] if key in others and value in (None, {}) else another(value)
        same = config_id(put_in(config, key, other)) == config_id(config)
        (kept if same else renamed).add(key)
    paths = {key for key in ("data.path", "data.test_path") if hasattr(config.data, key.removeprefix("data."))}
    between_callbacks = {"training.steps_per_execution"} if config.training.callbacks else set()
    assert kept == (NO_PART_OF_THE_IDENTITY | paths) - between_callbacks
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


def test_arguments_of_a_function_that_returns_the_data_are_hashed_as_they_are(values, bases):
    def ids(*arguments: dict) -> set[str]:
        return {
            config_id(from_values(values("function", {f"data.{k}": v for k, v in each.items()}))) for each in arguments
        }

    different = [{"new": value} for value in (None, [], {}, 0, False, "", [None], {"deep": None}, {"deep": {}})]
    assert len(ids({}, *different)) == 1 + len(different)
    assert len(ids({"new": [1, {"deep": 2}]}, {"new": [1.0, {"deep": 2.0}]})) == 1
    assert run_id(bases["function"]) == "mine.load-mlp-adam-bc5aaaf7-s0"


SIGNED = {"_target_": "scores.kappa", "direction": "max", "factor": 1.0}


@pytest.mark.parametrize("monitor", ["training.early_stopping.monitor", "optimizer.schedule.monitor"])
def test_definition_of_a_users_metric_counts_where_it_is_watched(values, monitor):
    def config_ids(*entries: dict, **watched: str) -> list[str]:
        changes = [{"metrics": {"default": None, "signed": entry}, **watched} for entry in entries]
        return [config_id(from_values(values("averaged", change))) for change in changes]

    others = [SIGNED | change for change in ({"factor": -1.0}, {"direction": "min"}, {"_target_": "scores.f1"})]
    alike = [SIGNED | change for change in ({"label": "other"}, {"factor": 1}, {"digits": 2, "low": -1})]
    watching = {monitor: "val_signed"}
    assert len(set(config_ids(SIGNED, *others, **watching))) == 4
    assert len(set(config_ids(SIGNED, *alike, **watching))) == 1
    assert config_ids(SIGNED, *others, *alike) == [config_id(from_values(values("averaged", {})))] * 7


@pytest.mark.parametrize(("metric", "counts"), [("macro_f1", True), ("accuracy", False), ("loss", False)])
def test_metric_that_a_callback_watches_counts_unless_every_epoch_has_it(values, metric, counts):
    callback = {"_target_": "keras.callbacks.ReduceLROnPlateau", "monitor": f"val_{metric}"}
    chosen = [{"accuracy": None}, {"accuracy": None, "macro_f1": None}, {"macro_f1": None}]
    ids = [
        config_id(from_values(values("default", {"training.callbacks.plateau": callback, "metrics": names})))
        for names in chosen
    ]
    assert (ids[0] != ids[1]) == counts
    assert ids[1] == ids[2]


@pytest.mark.parametrize(("change", "recorded", "difference"), [
    ({"model.hidden": []}, {"model.hidden": None}, "model.hidden null in place of []"),
    ({}, {"model.hidden": None}, "model.hidden null in place of absent"),
    ({"model.hidden": {}}, {}, "model.hidden absent in place of {}"),
    ({"model.width": 3.0}, {"model.width": 3}, ""),
    ({"model.deep": {"a": 1, "b": None}}, {"model.deep": {"b": None, "a": 1.0}}, ""),
    ({"model.deep": {"a": 1}}, {"model.deep": {"a": 1, "b": []}}, 'model.deep {"a": 1, "b": []} in place of {"a": 1}'),
    (
        {"optimizer._target_": "mine.Optimizer", "optimizer.decays": None}, {"optimizer._target_": "mine.Optimizer"},
        "optimizer.decays absent in place of null",
    ),
    (
        {"training.loss": {"_target_": "mine.loss", "power": []}}, {"training.loss": {"_target_": "mine.loss"}},
        "training.loss.power absent in place of []",
    ),
    (
        {"training.callbacks.stop": {"_target_": "mine.Stop", "at": None}},
        {"training.callbacks.stop": {"_target_": "mine.Stop", "at": []}},
        "training.callbacks.stop.at [] in place of null",
    ),
])  # fmt: skip
def test_arguments_of_the_users_code_that_are_hashed_alike_are_told_apart(values, change, recorded, difference):
    now, before = (from_values(values("own", changes)) for changes in (change, recorded))
    assert config_id(now) == config_id(before)
    assert other_argument(now, plain(before)) == difference
    assert other_argument(now, plain(now)) == ""


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
    ("key", "value"), [("inputs", "series"), ("standardize", "channel"), ("vocabulary", 9), ("max_value", 15)]
)
def test_keys_of_arrays_that_are_newer_than_a_recorded_run_rename_it_only_where_they_say_something(values, key, value):
    recorded = values("npz", {"data.preprocess": None, "distortion": {"kind": "none"}})
    now = with_changes(deepcopy(recorded), {f"data.{key}": value})
    del recorded["data"][key]
    assert run_id(from_values(recorded)) == run_id(from_values(with_changes(deepcopy(now), {f"data.{key}": None})))
    assert run_id(from_values(now)) != run_id(from_values(recorded))


def test_series_are_of_the_same_run_without_the_key_of_their_length(values, bases):
    recorded, longer = values("series"), values("series", {"data.steps": 29})
    del recorded["data"]["steps"]
    assert run_id(from_values(recorded)) == run_id(bases["series"]) == "JapaneseVowels-fcn-adam-6287c00b-s0"
    assert run_id(from_values(longer)) != run_id(bases["series"])


@pytest.mark.parametrize(
    ("base", "names"), [("npz", "letters-lenet5-adagrad"), ("convnet", "mnist_5k-convnet-momentum")]
)
def test_run_id_is_made_of_names_config_id_and_seed(bases, base, names):
    config = put_in(bases[base], "seed", 41)
    assert run_id(config) == f"{names}-{config_id(config)}-s41"
    assert re.fullmatch("[0-9a-f]{8}", config_id(config))


# -- what version 0.1 recorded ----------------------------------------------------------------------------------------

RUN_IDS_OF_0_1 = [  # as version 0.1 gave them; they never change
    ((), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("data=digits",), "digits-lenet5-adam-59bf7021-s0"),
    (("data=fashion_mnist",), "fashion_mnist-lenet5-adam-363e7f26-s0"),
    (("data=idx", "data.path=sets/letters"), "letters-lenet5-adam-8b8c4f5c-s0"),
    (("data=image_folder", "data.path=sets/letters"), "letters-lenet5-adam-afe25dec-s0"),
    (("data=mnist",), "mnist-lenet5-adam-194da637-s0"),
    (("data=mnist_5k",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("data=npz", "data.path=sets/letters.npz"), "letters-lenet5-adam-7b81225e-s0"),
    (("model=conv_pool",), "mnist_5k-conv_pool-adam-75a1f510-s0"),
    (("model=convnet",), "mnist_5k-convnet-adam-e6a7560f-s0"),
    (("model=lenet1",), "mnist_5k-lenet1-adam-70087fba-s0"),
    (("model=lenet4",), "mnist_5k-lenet4-adam-99ca38f5-s0"),
    (("model=lenet5",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("model=lenet5_1998",), "mnist_5k-lenet5_1998-adam-52d67abc-s0"),
    (("model=lenet5_max",), "mnist_5k-lenet5_max-adam-ac36729f-s0"),
    (("model=logistic_ovr",), "mnist_5k-logistic_ovr-adam-bca59644-s0"),
    (("model=mlp",), "mnist_5k-mlp-adam-85362c88-s0"),
    (("model=nearest_mean",), "mnist_5k-nearest_mean-adam-2f61026c-s0"),
    (("model=simard",), "mnist_5k-simard-adam-a896ed6f-s0"),
    (("model=softmax",), "mnist_5k-softmax-adam-6be0428a-s0"),
    (("optimizer=adagrad",), "mnist_5k-lenet5-adagrad-991ab473-s0"),
    (("optimizer=adam",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("optimizer=adamw",), "mnist_5k-lenet5-adamw-23bdd0c4-s0"),
    (("optimizer=momentum",), "mnist_5k-lenet5-momentum-b4dcbfc4-s0"),
    (("optimizer=rmsprop",), "mnist_5k-lenet5-rmsprop-63e2927f-s0"),
    (("optimizer=sgd",), "mnist_5k-lenet5-sgd-a9a7d2a7-s0"),
    (("optimizer/schedule=constant",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("optimizer/schedule=cosine",), "mnist_5k-lenet5-adam-170df081-s0"),
    (("optimizer/schedule=step",), "mnist_5k-lenet5-adam-5eab0f83-s0"),
    (("distortion=affine",), "mnist_5k-lenet5-adam-1fa11132-s0"),
    (("distortion=elastic",), "mnist_5k-lenet5-adam-34e76469-s0"),
    (("distortion=lecun",), "mnist_5k-lenet5-adam-4fca24f8-s0"),
    (("distortion=none",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("training=default",), "mnist_5k-lenet5-adam-1b42f00c-s0"),
    (("training=full_batch",), "mnist_5k-lenet5-adam-a1894743-s0"),
    (("+experiment=tutorial_convnet",), "mnist-convnet-adam-d704ec27-s0"),
    (("+experiment=tutorial_lenet5",), "mnist-lenet5-adam-9d8e4f14-s0"),
    (("+experiment=tutorial_lenet5_max",), "mnist-lenet5_max-sgd-6a83868c-s0"),
    (("+experiment=tutorial_mlp",), "mnist-mlp-sgd-e28fe3c7-s0"),
    (("+experiment=tutorial_nearest_mean",), "mnist-nearest_mean-adam-1ac12f17-s0"),
    (("+experiment=tutorial_softmax",), "mnist-softmax-sgd-ce111937-s0"),
    (("data.preprocess=deskew",), "mnist_5k-lenet5-adam-3814ebdc-s0"),
    (("model=lenet5_1998", "model.output=softmax"), "mnist_5k-lenet5_1998-adam-a793297f-s0"),
    (
        (
            "model=mlp",
            "model.hidden=[300,100]",
            "model.activation=scaled_tanh",
            "model.output_activation=tanh",
            "training.loss=mean_squared_error",
            "training.targets=[-1,1]",
        ),
        "mnist_5k-mlp-adam-9d384cc2-s0",
    ),
    (
        ("data=image_folder", "data.path=sets/letters", "data.test_fraction=0.2", "data.color=true"),
        "letters-lenet5-adam-2f0d2864-s0",
    ),
    (
        ("backend=jax", "training.dtype_policy=mixed_bfloat16", "training.jit_compile=false"),
        "mnist_5k-lenet5-adam-a03559cf-s0",
    ),
    (
        ("+training.callbacks.board={_target_: keras.callbacks.TensorBoard, update_freq: 2}",),
        "mnist_5k-lenet5-adam-41210b02-s0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "name"), RUN_IDS_OF_0_1)
def test_run_keeps_the_id_that_0_1_gave_it(configure, overrides, name):
    assert run_id(configure(*overrides)) == name


@pytest.mark.parametrize("group", ["data", "model", "optimizer", "optimizer/schedule", "distortion", "training"])
def test_an_id_of_0_1_is_kept_for_each_choice(group):
    pinned = {word for overrides, _ in RUN_IDS_OF_0_1 for word in overrides}
    added_since_0_1 = {
        *("data=csv", "data=sklearn", "data=boston_housing", "data=auto_mpg"),
        *("data=signals", "data=ucr", "data=function", "data=divided_table", "optimizer=adadelta"),
        *("optimizer=nadam", "optimizer=lion", "optimizer/schedule=plateau", "optimizer/schedule=piecewise"),
        *("training=small", "training=least_loss", "training=stochastic"),
        *(f"model={name}" for name in ("linear", "fcn", "resnet1d", "time_cnn", "mlp_time", "lstm", "pretrained")),
    }
    choices = {f"{group}={file.stem}" for file in (conf_folder() / group).glob("*.yaml")}
    assert choices - added_since_0_1 <= pinned


@pytest.mark.parametrize(("current", "former"), FORMER.items())
def test_former_name_of_a_model_is_the_same_run(values, current, former):
    recorded, now = (values("own", {"model._target_": target}) for target in (former, current))
    assert run_id(from_values(recorded)) == run_id(from_values(now))
    assert from_values(recorded).model["_target_"] == current


def test_former_names_are_translated_in_composed_configurations_too(configure):
    old = configure(
        "model=nearest_mean",
        "model._target_=fitbench.training.models.nearest_mean",
        "model.solver=fitbench.training.models.solve_nearest_mean",
    )
    assert old == configure("model=nearest_mean")
    assert old.model["solver"] == "fitbench.models.dense.solve_nearest_mean"


def test_a_new_key_at_its_neutral_value_renames_no_run_and_may_be_absent(values, bases, monkeypatch):
    monkeypatch.setitem(NEUTRAL, "training.validation", "last")
    without = values("mlp")
    del without["training"]["validation"]
    stratified, last = (values("mlp", {"training.validation": value}) for value in ("stratified", "last"))
    assert run_id(from_values(without)) == run_id(from_values(last)) != run_id(from_values(stratified))
    assert from_values(without).training.validation == "last"
    assert run_id(from_values(without)) == run_id(put_in(bases["mlp"], "training.validation", None))


@pytest.mark.parametrize(("neutral", "value"), [(0, False), (1, True), (False, 0), (0, ""), ("auto", None)])
def test_only_the_neutral_value_itself_is_neutral(values, monkeypatch, neutral, value):
    monkeypatch.setitem(NEUTRAL, "model.width", neutral)
    at_neutral = config_id(from_values(values("own", {"model.width": neutral})))
    nothing_is_hashed = value is None
    assert (config_id(from_values(values("own", {"model.width": value}))) == at_neutral) == nothing_is_hashed
