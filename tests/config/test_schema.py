import math
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fitbench.composition import conf_folder
from fitbench.config import (
    Section,
    Source,
    config_id,
    from_hydra,
    from_values,
    optimizer_section,
    plain,
    run_id,
    schema,
    training_section,
)
from fitbench.config.builders import check_takes
from fitbench.errors import RequestError
from fitbench.kinds import IMAGES
from fitbench.tasks import task_of

from .bases import BASES, leaves

GROUPS = ("data", "training", "model", "optimizer", "optimizer/schedule", "distortion")
PATHS = {"npz": "sets/letters.npz", "idx": "sets/letters", "image_folder": "sets/letters"}


def refusal(nested: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as caught:
        from_hydra(OmegaConf.create(nested))
    assert caught.value.exit_status == 2
    return str(caught.value)


# -- what conf/ holds -------------------------------------------------------------------------------------------------


def choices(group: str) -> list[str]:
    return [file.stem for file in sorted((conf_folder() / group).glob("*.yaml"))]


def test_no_group_of_conf_is_left_out_here():
    folders = {file.parent.relative_to(conf_folder()).as_posix() for file in conf_folder().rglob("*.yaml")}
    assert {folder for folder in folders if not folder.startswith("hydra")} == {
        ".",
        "experiment",
        "logger",
        "search",
        "sweep",
        *GROUPS,
    }


OF_NO_IMAGES = {
    "csv": ("mlp", ["data.path=sets/houses.csv", "data.target=price"]),
    "sklearn": ("mlp", ["data.name=wine"]),
    "divided_table": ("mlp", ["data.table=wine", "data.test_rows=36"]),
    "boston_housing": ("mlp", []),
    "auto_mpg": ("mlp", []),
    "signals": ("fcn", ["data.path=sets/beats_TRAIN.ts"]),
    "ucr": ("fcn", ["data.name=GunPoint"]),
    "function": ("mlp", ["data._target_=mine.load"]),
}


def takes_images(model: str) -> bool:
    section = OmegaConf.load(conf_folder() / "model" / f"{model}.yaml")
    try:
        check_takes({"name": model, **section.get("model", section)}, IMAGES, "a")
    except RequestError:
        return False
    return True


def rows() -> list[dict[str, str]]:
    """The first choice of every group, then the second of every group, and so on; what is not for images on its own."""
    of_series = [model for model in choices("model") if not takes_images(model)]
    groups = [[name for name in choices(group) if name not in (*OF_NO_IMAGES, *of_series)] for group in GROUPS]
    of_images = [dict(zip(GROUPS, row, strict=True)) for row in zip_longest(*groups)]
    others = [(data, model) for data, (model, _) in OF_NO_IMAGES.items()] + [("ucr", model) for model in of_series]
    return [*of_images, *({"data": data, "model": model, "distortion": "none"} for data, model in others)]


@pytest.mark.parametrize("chosen", rows(), ids=lambda chosen: "-".join(filter(None, chosen.values())))
def test_every_choice_in_conf_passes_the_checks(configure, chosen):
    overrides = [f"{group}={name}" for group, name in chosen.items() if name] + OF_NO_IMAGES.get(
        chosen["data"], ("", [])
    )[1]
    config = configure(*overrides, *(f"data.path={PATHS[name]}" for name in PATHS if chosen["data"] == name))
    found = {
        "data": chosen["data"] if chosen["data"] == "divided_table" else config.data.source.value,  # it is a function
        "model": config.model["name"],
        "optimizer": config.optimizer["name"],
        "optimizer/schedule": config.optimizer["schedule"]["kind"],
        "distortion": config.distortion.kind,
    }
    assert found == found | {group: name for group, name in chosen.items() if name and group != "training"}
    assert (config.training.batch_size is None) == (chosen.get("training") == "full_batch")


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_experiment_passes_the_checks(configure, name):
    config = configure(f"+experiment={name}")
    group, _, model = name.partition("_")
    assert config.study == {"tutorial": "tutorials", "series": "time_series"}[group]
    assert model in config.model["name"]


def test_every_default_is_in_yaml_and_not_in_the_schema():
    names = [name for module in (schema, optimizer_section, training_section) for name in vars(module).values()]
    sections = {item for item in names if isinstance(item, type) and issubclass(item, Section)}
    assert len(sections) > 10
    for section in sections:
        for name, field in section.model_fields.items():  # None: the key need not be there
            assert field.is_required() or field.default is None, f"{section.__name__}.{name}"


def test_numbers_in_scientific_notation_are_numbers(bases):
    assert bases["default"].optimizer["epsilon"] == 1e-7


@pytest.mark.parametrize("base", BASES)
def test_recorded_values_give_the_same_configuration_again(bases, base):
    again = from_values(plain(bases[base]))
    assert again == bases[base]
    assert run_id(again) == run_id(bases[base])


# -- impossible values ------------------------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf
IMPOSSIBLE = [  # base, key, values, what is allowed
    ("default", "seed", (-1, 2**32), "from 0 to 4294967295"),
    ("default", "study", ("", "a/b", "..", "two words", "a\n"), "a name of letters, digits"),
    ("default", "data.name", ("", "../up"), "a name of letters, digits"),
    ("default", "model.name", ("x/y",), "a name of letters, digits"),
    ("default", "optimizer.name", (None, 5, "a/b"), "a name of letters, digits"),
    ("default", "device", ("tpu", "gpu:", "cpu:0"), "auto, cpu, gpu or gpu:N"),
    ("folder", "data.image_size", ([28], [0, 28], [28, 5000]), "[height, width], each from 1 to 4096"),
    ("folder", "data.test_fraction", (-0.1, 1.0, NAN), "a number from 0 and below 1, or null"),
    ("series", "data.steps", (0, 1, 2**31), "a whole number from 2"),
    (
        "default",
        "model._target_",
        (None, 5, "softmax", [1], "a..b", "a b.c", ".a", "a\0.b"),
        "the dotted name of a function",
    ),
    ("default", "model.pixel_range", ([0], [1, 0], [0, 0], [0, 1, 2], [0, INF]), "[low, high] with low"),
    ("default", "threads", (0, 1025, 1_000_000), "auto or a whole number from 1 to 1024"),
    ("default", "workers", (0, 1025), "from 1 to 1024"),
    ("mlp", "model.hidden", ([64, 0], [10**12]), "a list of positive numbers"),
    ("convnet", "model.filters", ([0],), "a list of one or more positive numbers"),
    ("mlp", "model.dropout", (-0.1, 1.0, NAN), "at least 0 and below 1"),
    ("convnet", "model.dropout", (1.5,), "at least 0 and below 1"),
    ("mlp", "model.activation", ("rectify", "softmax"), "one of relu, "),
    ("mlp", "model.init_stddev", (0.0, -1.0, INF), "above 0, or null"),
    ("mlp", "model.output_activation", ("softmax", "relu"), "one of scaled_tanh, "),
    ("lenet1", "model.output_activation", ("softmax",), "one of scaled_tanh, "),
    ("lenet4", "model.hidden_units", (0, 2**31), "from 1 to 2147483647"),
    ("lenet5", "model.output", ("tanh", ""), "one of rbf, softmax"),
    ("simard", "model.activation", ("rectify",), "one of relu, "),
    ("conv_pool", "model.kernel_size", (0,), "from 1 to 2147483647"),
    ("logistic", "model.C", (0.0, -1.0, INF), "above 0"),
    ("logistic", "model.penalty", ("l3",), "one of l1, l2"),
    ("conv_pool", "training.targets", ([], [0], [1, -1], [0, 1, 2], [0, INF]), "[wrong, right] with wrong below"),
    ("default", "optimizer._target_", (None, "Adam"), "the dotted name of an optimizer"),
    ("default", "optimizer.learning_rate", (0, -0.1, NAN, INF, None, "fast", True, [0.1]), "a number above 0"),
    ("convnet", "optimizer.momentum", (-0.1, 1, "much"), "at least 0 and below 1"),
    ("default", "optimizer.beta_1", (1.0, NAN), "at least 0 and below 1"),
    ("default", "optimizer.beta_2", (-1, 2), "at least 0 and below 1"),
    ("folder", "optimizer.rho", (1.0, None), "at least 0 and below 1"),
    ("default", "optimizer.epsilon", (0, -1e-7, "1e-7"), "above 0"),
    ("default", "optimizer.clipnorm", (0.0,), "above 0"),
    ("default", "optimizer.clipvalue", (-1.0,), "above 0"),
    ("default", "optimizer.global_clipnorm", (NAN,), "above 0"),
    ("mlp", "optimizer.weight_decay", (-0.1, INF), "at least 0"),
    ("npz", "optimizer.initial_accumulator_value", (-0.1,), "at least 0"),
    ("averaged", "optimizer.ema_momentum", (1.0, -0.1, "0.9"), "at least 0 and below 1"),
    ("averaged", "optimizer.ema_overwrite_frequency", (0, 1.5), "from 1 to 2147483647, or null"),
    ("averaged", "optimizer.use_ema", (1, "yes", None), "true or false"),
    ("averaged", "optimizer.gradient_accumulation_steps", (0, 1, 2.5, 4.0), "a whole number from 2, or null"),
    ("averaged", "optimizer.schedule.factor", (0, 1, 1.5, NAN), "above 0 and below 1"),
    ("averaged", "optimizer.schedule.patience", (0, -1, 1.5), "from 1 to 2147483647"),
    ("averaged", "optimizer.schedule.min_delta", (-1, INF), "at least 0"),
    ("averaged", "optimizer.schedule.min_learning_rate", (-1, NAN), "at least 0"),
    ("default", "optimizer.schedule.kind", (None, "linear", 1, ["step"]), "one of constant, cosine, step"),
    ("mlp", "optimizer.schedule.warmup_epochs", (-1,), "at least 0"),
    ("mlp", "optimizer.schedule.warmup_epochs", (20, 21), "at least 0 and below training.epochs, which is 20"),
    ("mlp", "optimizer.schedule.final_fraction", (-0.1, 1.1, NAN), "from 0 to 1"),
    ("convnet", "optimizer.schedule.every_epochs", (0, -1.0, NAN), "above 0"),
    ("convnet", "optimizer.schedule.factor", (0.0, 1.1), "above 0 and at most 1"),
    ("default", "training.epochs", (0,), "at least 1"),
    ("default", "training.epochs", (-1, 2**31), "from 0 to 2147483647"),
    ("solved", "training.epochs", (1,), "0 for a model that is computed by its solver"),
    ("default", "training.batch_size", (0, 10**20), "from 1 to 2147483647, or null"),
    ("default", "training.validation_split", (1.0, -0.1, NAN), "at least 0 and below 1"),
    ("solved", "training.validation_split", (0.2,), "0 for a model that is computed by its solver"),
    ("default", "training.label_smoothing", (-0.1, 1.0, NAN), "at least 0 and below 1"),
    ("default", "training.loss", (None, 5, "hinge", {"delta": 1}, {"_target_": "a b"}), "a section with a _target_"),
    ("iris", "training.class_weight", ("many", {}, {"setosa": -1}, {"setosa": "much"}), "a weight for each class"),
    ("default", "training.threshold", (0, 1, "best", NAN), "auto or a number above 0 and below 1"),
    ("default", "task", (None, "ranking"), "one of auto, classification, regression, multilabel"),
    ("csv", "data.target", (None, "", [], [""]), "the name of a column or a list of names of columns"),
    ("default", "training.checkpoint_seconds", (-1.0, INF), "at least 0"),
    ("default", "training.jit_compile", ("yes", None, 1, 0, [True]), "auto, true or false"),
    ("default", "training.steps_per_execution", (0, 2**31, 2.5, True, "all", None), "auto or a whole number"),
    ("default", "training.callbacks.board", (5, {"log_dir": "x"}, {"_target_": 5}), "a section with a _target_"),
    ("default", "training.early_stopping.patience", (-1, 2**31), "from 0 to 2147483647"),
    ("default", "training.early_stopping.start_from_epoch", (-1, 2.5), "from 0 to 2147483647"),
    ("default", "training.early_stopping.baseline", (NAN, INF), "a number, or null"),
    ("default", "training.early_stopping.min_delta", (-0.1, NAN), "at least 0"),
    ("default", "distortion.kind", (None, "shear", 1, {}), "one of none, affine"),
    ("mlp", "distortion.rotation", (-1.0, 181.0, NAN), "from 0 to 180 degrees"),
    ("mlp", "distortion.translation", (-0.1, 1.0), "at least 0 and below 1"),
    ("mlp", "distortion.zoom", (-0.1, 1.0), "at least 0 and below 1"),
    ("folder", "distortion.shift", (-0.1, 1.0), "at least 0 and below 1"),
    ("folder", "distortion.scale", (-0.1, 1.0), "at least 0 and below 1"),
    ("folder", "distortion.compression", (-0.1, 1.0), "at least 0 and below 1"),
    ("folder", "distortion.skew", (-0.1, NAN), "at least 0"),
    ("npz", "distortion.sigma", (0.0, -1.0, 1001.0, NAN), "above 0 and at most 1000"),
    ("npz", "distortion.alpha", (-1.0, NAN), "at least 0"),
    ("default", "data.source", (None, "imagenet", 5, ["mnist"]), "one of mnist_5k, mnist, "),
    ("npz", "data.path", ("",), "the path of"),
    ("default", "outputs", ("",), "the path of a folder"),
]


@pytest.mark.parametrize(
    ("base", "key", "value", "allowed"),
    [(base, key, value, allowed) for base, key, bad, allowed in IMPOSSIBLE for value in bad],
)
def test_impossible_value_is_refused_with_key_and_what_is_allowed(values, base, key, value, allowed):
    said = refusal(values(base, {key: value}))
    assert said.startswith(f"{key} is ")
    assert allowed in said.partition("it must be ")[2]
    assert "\n" not in said


@pytest.mark.parametrize("base", ["own", "default", "callback"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_number_that_json_cannot_hold_is_refused_in_sections_with_free_keys_too(values, base, value):
    key = {"own": "model.deep.rate", "default": "optimizer.ema", "callback": "training.callbacks.board.rate"}[base]
    assert key in refusal(values(base, {key: value}))


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        ("default", "seed", 2**32 - 1),
        ("default", "study", "lr-sweep_2.1+b"),
        ("default", "device", "gpu:12"),
        ("folder", "data.image_size", [1, 4096]),
        ("folder", "data.test_fraction", 0.2),
        ("default", "model.pixel_range", [-1, 1]),
        ("mlp", "model.init_stddev", None),
        ("mlp", "model.activation", "scaled_tanh"),
        ("mlp", "model.output_activation", "tanh"),
        ("conv_pool", "training.targets", None),
        ("default", "optimizer.clipnorm", None),
        ("mlp", "optimizer.weight_decay", 0),
        ("mlp", "optimizer.schedule.warmup_epochs", 0),
        ("convnet", "optimizer.schedule.factor", 1.0),
        ("default", "training.batch_size", None),
        ("default", "training.early_stopping", None),
        ("default", "training.early_stopping.patience", 0),
        ("default", "training.label_smoothing", 0.1),
        ("default", "training.jit_compile", False),
        ("default", "training.steps_per_execution", 32),
        ("default", "training.checkpoint_seconds", 0),
        ("mlp", "distortion.rotation", 180),
        ("folder", "distortion.skew", 2.5),
        ("npz", "distortion.alpha", 0),
        ("npz", "data.preprocess", None),
        ("own", "model.anything", {"nested": [1, "two", None]}),
        ("default", "training.loss", {"_target_": "keras.losses.CategoricalFocalCrossentropy", "gamma": 1.5}),
        ("iris", "training.class_weight", {"setosa": 0.0, "versicolor": 2.5, "virginica": 1.0}),
        ("csv", "data.target", ["price", "rooms"]),
        ("series", "data.steps", 29),
    ],
)
def test_value_at_the_limit_is_taken(values, base, key, value):
    found = leaves({"all": plain(from_hydra(OmegaConf.create(values(base, {key: value}))))})
    assert found.get(f"all.{key}", value) == value


# -- wrong types, unknown and missing keys ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        ("default", "seed", 1.5),
        ("default", "seed", True),
        ("default", "seed", None),
        ("default", "force", "maybe"),
        ("default", "outputs", None),
        ("default", "backend", "torch"),
        ("default", "training.epochs", "many"),
        ("default", "training.epochs", 2.5),
        ("default", "training.batch_size", "auto"),
        ("default", "training.validation", "first"),
        ("default", "training.loss", "hinge"),
        ("conv_pool", "training.targets", 1),
        ("lenet4", "model.hidden_units", 2.5),
        ("lenet5", "model.output", None),
        ("logistic", "model.penalise_bias", "perhaps"),
        ("default", "training.dtype_policy", "float16"),
        ("default", "training.early_stopping", 5),
        ("default", "training.early_stopping.monitor", "f1"),
        ("default", "training.callbacks", None),
        ("default", "model.pixel_range", 255),
        ("mlp", "model.hidden", [64.5]),
        ("mlp", "model.hidden", 64),
        ("mlp", "distortion.zoom", "a lot"),
        ("npz", "distortion.sigma", None),
        ("npz", "data.preprocess", "upright"),
        ("npz", "data.path", None),
        ("folder", "data.image_size", ["a", "b"]),
        ("folder", "data.color", "blue"),
    ],
)
def test_wrong_type_is_refused_in_a_line_that_begins_with_the_key(values, base, key, value):
    said = refusal(values(base, {key: value}))
    assert re.match(rf"{re.escape(key)}(\[\d\])?(:| is) ", said), said
    assert "\n" not in said


@pytest.mark.parametrize("key", ["foo", "model.pixels", "data.path", "distortion.zoom"])
def test_unknown_key_is_refused_with_those_that_exist(values, key):
    said = refusal(values("default", {key: 1}))
    section = key.rpartition(".")[0]
    assert said.startswith(f"{key}: there is no such key; ")
    for known in values()[section] if section else values():
        assert (known in said) == (known not in ("parent", "_target_"))  # which nobody gives


def test_misspelt_key_is_refused_with_the_nearest(values):
    said = refusal(values("default", {"training.epoch": 1}))
    assert said == "training.epoch: there is no such key. Did you mean training.epochs?"


@pytest.mark.parametrize("key", ["seed", "training.epochs", "model.pixel_range", "training.early_stopping.patience"])
def test_missing_key_is_refused(values, key):
    nested = values()
    *sections, last = key.split(".")
    at = nested
    for section in sections:
        at = at[section]
    del at[last]
    assert key in refusal(nested)


@pytest.mark.parametrize("section", ["data", "model", "optimizer", "training", "distortion"])
@pytest.mark.parametrize("instead", [None, "name", [1]])
def test_section_must_be_a_section(values, section, instead):
    assert refusal(values("default", {section: instead})).startswith(f"{section} is ")


@pytest.mark.parametrize("source", ["npz", "idx", "image_folder"])
def test_path_without_default_must_be_given(configure, source):
    with pytest.raises(RequestError, match=r"^data\.path has no default; give it as data\.path=VALUE$"):
        configure(f"data={source}")


# -- values that do not go together -----------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_early_stopping_on_validation_needs_validation_images(values, monitor):
    said = refusal(values("default", {"training.validation_split": 0.0, "training.early_stopping.monitor": monitor}))
    assert said.startswith(f"training.early_stopping.monitor is {monitor}, but training.validation_split is 0")


@pytest.mark.parametrize("stopping", [{"training.early_stopping.monitor": "loss"}, {"training.early_stopping": None}])
def test_training_without_validation_images_needs_no_early_stopping_on_them(values, stopping):
    config = from_values(values("default", {"training.validation_split": 0.0, **stopping}))
    assert config.training.validation_split == 0


def test_schedule_that_watches_validation_needs_validation_examples(values):
    said = refusal(values("averaged", {"training.validation_split": 0.0, "training.early_stopping": None}))
    assert said == (
        "optimizer.schedule.monitor is val_loss, but training.validation_split is 0; hold some examples back, monitor "
        "the loss, or set optimizer/schedule=constant"
    )


def test_learning_rate_does_not_begin_below_its_minimum(values):
    said = refusal(values("averaged", {"optimizer.schedule.min_learning_rate": 0.1}))
    assert said == (
        "optimizer.schedule.min_learning_rate is 0.1; it must be at most optimizer.learning_rate, which is 0.001"
    )


@pytest.mark.parametrize("first", [20, 25])
def test_early_stopping_starts_before_the_last_epoch(values, first):
    said = refusal(values("default", {"training.early_stopping.start_from_epoch": first}))
    assert said == (
        f"training.early_stopping.start_from_epoch is {first}; it must be below training.epochs, which is 20"
    )


def test_model_without_epochs_has_no_plateau(configure):
    with pytest.raises(
        RequestError, match="optimizer/schedule=plateau watches epochs, but model=nearest_mean has none"
    ):
        configure("model=nearest_mean", "optimizer/schedule=plateau")


def test_label_smoothing_goes_with_cross_entropy_only(values):
    both = {"training.label_smoothing": 0.1, "training.loss": "mean_squared_error"}
    assert refusal(values("default", both)) == (
        "training.label_smoothing goes with training.loss=cross_entropy; set it to 0"
    )


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_targets_go_with_the_mean_squared_error_only(values, loss):
    both = {"training.targets": [-1.0, 1.0], "training.loss": loss}
    assert refusal(values("default", both)) == (
        "training.targets goes with training.loss=mean_squared_error; set it to null"
    )


@pytest.mark.parametrize(
    ("after", "factors", "message"),
    [
        ([2, 5], [0.4], "optimizer.schedule.factors has 1 numbers; it must have one for each of the 2"),
        ([5, 2], [0.4, 0.2], "optimizer.schedule.after_epochs is [5.0, 2.0]; the epochs must rise"),
        ([2, 2], [0.4, 0.2], "the epochs must rise"),
    ],
)
def test_factors_of_a_piecewise_schedule_go_with_rising_epochs(values, after, factors, message):
    schedule = {"kind": "piecewise", "after_epochs": after, "factors": factors}
    assert message in refusal(values("default", {"optimizer.schedule": schedule}))


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_cross_entropy"])
def test_rbf_outputs_go_with_cross_entropy_and_the_criterion_of_1998_only(values, loss):
    ways = "cross_entropy or fitbench.models.losses.MaximumAPosteriori"
    assert refusal(values("lenet5", {"training.loss": loss})).startswith(
        f"model.output=rbf goes with training.loss={ways}: "
    )
    softmax = values("lenet5", {"training.loss": loss, "model.output": "softmax"})
    assert from_hydra(OmegaConf.create(softmax)).model["output"] == "softmax"
    criterion = {"_target_": "fitbench.models.losses.MaximumAPosteriori", "rubbish": 0.1}
    assert from_hydra(OmegaConf.create(values("lenet5", {"training.loss": criterion}))).model["output"] == "rbf"


@pytest.mark.parametrize("base", ["mlp", "lenet1"])
def test_sigmoid_outputs_go_with_a_squared_error_only(values, base):
    both = {"model.output_activation": "sigmoid", "training.loss": "cross_entropy", "training.label_smoothing": 0.0}
    assert refusal(values(base, both)).startswith(
        "model.output_activation=sigmoid goes with training.loss=mean_squared_error: "
    )
    squared = values(base, both | {"training.loss": "mean_squared_error"})
    assert from_hydra(OmegaConf.create(squared)).model["output_activation"] == "sigmoid"


def test_what_was_recorded_before_some_keys_were_there_is_the_same_run(bases):
    old = plain(bases["default"])
    del old["threads"], old["data"]["preprocess"], old["training"]["targets"]
    assert run_id(from_values(old)) == run_id(bases["default"])


# -- names and paths of data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"), [("a/b/letters.npz", "letters"), ("letters/", "letters"), ("v1.2.npz", "v1.2"), ("./x.npz", "x")]
)
def test_data_set_is_named_after_its_path(values, path, name):
    config = from_hydra(OmegaConf.create(values("npz", {"data.path": path, "data.name": None})))
    assert (config.data.name, config.data.source) == (name, Source.npz)


@pytest.mark.parametrize("source", ["idx", "image_folder"])
def test_folder_keeps_the_whole_of_its_name(configure, source):
    assert configure(f"data={source}", "data.path=sets/v1.2").data.name == "v1.2"


def test_path_is_recorded_so_that_it_holds_from_everywhere(values):
    config = from_hydra(OmegaConf.create(values("npz", {"data.path": "a/b.npz"})))
    assert config.data.path == str(Path.cwd() / "a" / "b.npz")


def test_name_of_data_that_is_given_stays(values):
    config = from_hydra(OmegaConf.create(values("npz", {"data.path": "my data.npz", "data.name": "mine"})))
    assert config.data.name == "mine"


def test_path_that_makes_no_name_is_refused_with_a_name_that_would_do(values):
    said = refusal(values("npz", {"data.path": "my data.npz", "data.name": None}))
    assert said.startswith("data.path is 'my data.npz', whose name cannot be part of a folder's name")
    assert said.endswith(", such as data.name=my_data")


@pytest.mark.parametrize("path", [None, "", 5])
def test_wrong_path_of_data_without_a_name_is_refused_by_its_own_key(values, path):
    said = refusal(values("npz", {"data.path": path, "data.name": None}))
    assert said.startswith("data.path is ") and said.endswith("; it must be the path of a file or folder")


def test_home_in_paths_is_the_user_s_folder(values, monkeypatch):
    monkeypatch.setenv("HOME", "/home/mine")
    config = from_hydra(OmegaConf.create(values("npz", {"data.path": "~/a.npz", "outputs": "~/runs"})))
    assert (config.data.path, config.outputs) == ("/home/mine/a.npz", "/home/mine/runs")
    with pytest.raises(RequestError, match=r"^~nobody-here/x: the home folder is not known; write the whole path$"):
        from_hydra(OmegaConf.create(values("npz", {"outputs": "~nobody-here/x"})))


# -- what goes with a task ---------------------------------------------------------------------------------------------

BOSTON = ("data=boston_housing", "model=mlp")
KFOLD = ("training.validation=kfold", "training.folds=5", "fold=0")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.loss=huber"], "training.loss is huber, but the task is classification; it must be auto, cross_ent"),
        (
            [*BOSTON, "training.loss=cross_entropy"],
            "but the task is regression; it must be auto, mse, mae, huber, or a ",
        ),
        ([*BOSTON, "training.class_weight=balanced"], "training.class_weight is for the task classification"),
        ([*BOSTON, "training.label_smoothing=0.1"], "training.label_smoothing is for the task classification"),
        (
            [*BOSTON, "training.threshold=auto"],
            "training.threshold is for the task multilabel, but the task is regress",
        ),
        (["training.standardize_targets=true"], "training.standardize_targets is for the task regression"),
        ([*BOSTON, "metrics=[accuracy]"], "accuracy is a metric of classification, but the task is regression, which"),
        ([*BOSTON, "training.early_stopping.monitor=val_accuracy"], "'val_accuracy' cannot be monitored"),
        (["task=multilabel", "training.threshold=auto", "training.validation_split=0"], "hold some examples back, or"),
        (["task=multilabel", "training.threshold=auto", *KFOLD], "this is the fold that is measured; give a number"),
        (["data=sklearn", "data.name=iris", "data.test_fraction=0"], "hold back folds: training.validation=kfold"),
        (["data=ucr", "data.name=GunPoint", "model=fcn", "data.steps=9"], "data.steps=9 goes with data.lengths, but"),
        (["data=signals", "data.path=a.ts", "model=fcn", "data.test_fraction=0"], "leaves no test part, and training."),
        (
            ["model=nearest_mean", "training.class_weight=balanced"],
            "for a model that is computed by its solver, which ",
        ),
    ],
)
def test_what_does_not_go_with_the_task_is_refused_before_data_are_read(configure, overrides, message):
    with pytest.raises(RequestError) as caught:
        configure(*overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_the_data_decide_the_task_they_decide_what_goes_with_it(configure):
    table = ("data=csv", "data.path=sets/houses.csv", "data.target=price", "model=mlp")
    config = configure(*table, "metrics=[rmse]", "training.loss=huber")
    assert config.known_task is None
    config.check_for(task_of("regression"))
    with pytest.raises(RequestError, match="metrics: rmse is a metric of regression, but the task is classification"):
        config.check_for(task_of("classification"))
    assert configure(*table, "task=regression").known_task is task_of("regression")
    with pytest.raises(RequestError, match="there is no metric 'rmsee'; did you mean rmse"):
        configure(*table, "metrics=[rmsee]")


def test_one_name_of_a_column_is_a_list_of_one(configure):
    table = ("data=csv", "data.path=sets/houses.csv", "data.target=price", "model=mlp")
    for key in ("drop", "features", "categorical"):
        config, of_list = configure(*table, f"data.{key}=id"), configure(*table, f"data.{key}=[id]")
        assert getattr(config.data, key) == ["id"]
        assert config_id(config) == config_id(of_list)
    assert configure(*table, "data.drop=1990").data.drop == ["1990"]
    with pytest.raises(RequestError, match=r"data.drop is .*; it must be the name of a column, or a list of names"):
        configure(*table, "data.drop=true")
    assert configure(*table).data.target == "price"
