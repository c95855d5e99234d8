"""The whole configuration as dataclasses: its types, its checks, and a run's identity.

YAML holds the values and their defaults (conf/), the dataclasses below hold the types. `from_hydra` turns what
Hydra composed into a checked `Config`, or refuses it with a `RequestError` that names the key.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fitbench import metrics, selection, user_metrics
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tasks import task_of

TASK = metrics.CLASSIFICATION  # of every run; there is no key for it yet


class Source(Enum):
    """Where a data set's images come from."""

    mnist_5k = "mnist_5k"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    digits = "digits"
    npz = "npz"
    idx = "idx"
    image_folder = "image_folder"


class Preprocess(Enum):
    """What is done to every image before the model, in training and in use."""

    deskew = "deskew"


@dataclass
class Data:
    """A data set that fitbench knows by name."""

    name: str
    source: Source
    preprocess: Preprocess | None


@dataclass
class FileData(Data):
    """One .npz file, or a folder of four IDX files."""

    path: str


@dataclass
class ImageFolder(FileData):
    """Folders of image files, one folder per class."""

    image_size: list[int]  # [height, width] in pixels
    color: bool
    test_fraction: float | None  # None: there are train/ and test/ folders
    skip_bad: bool


@dataclass
class Model:
    """A model builder that has no settings but the pixel range. Others extend it."""

    _target_: str
    name: str
    pixel_range: list[float]  # what the pixel values 0 and 255 become before the first weights


@dataclass
class Mlp(Model):
    """Dense layers."""

    hidden: list[int]
    activation: str
    dropout: float
    init_stddev: float | None
    output_activation: str | None


@dataclass
class Convnet(Model):
    """A small modern convolutional net."""

    filters: list[int]
    dropout: float
    momentum: float


@dataclass
class ConvPool(Model):
    """Convolutions with max pooling, then dense layers."""

    filters: list[int]
    kernel_size: int
    hidden: list[int]
    activation: str
    dropout: float


@dataclass
class LeNet1(Model):
    """LeNet-1 of 1989."""

    output_activation: str | None


@dataclass
class LeNet4(LeNet1):
    """LeNet-4 of 1994, whose sources differ about its dense layer."""

    hidden_units: int


@dataclass
class LeNet5(Model):
    """LeNet-5 of 1998: rbf or softmax outputs."""

    output: str


@dataclass
class Simard(Model):
    """The convolutional net of Simard et al. 2003."""

    activation: str


@dataclass
class LogisticOvr:
    """One penalised logistic regression per class, on standardised pixels."""

    _target_: str
    name: str
    C: float
    penalty: str
    penalise_bias: bool


@dataclass
class NearestMean:
    """A model whose weights are computed by `solver` and not trained."""

    _target_: str
    name: str
    solver: str


@dataclass
class Constant:
    """The learning rate stays as it is."""

    kind: str


@dataclass
class Cosine:
    """A linear warm-up from 0, then half a cosine down to `final_fraction` of the learning rate."""

    kind: str
    warmup_epochs: float
    final_fraction: float


@dataclass
class Step:
    """The learning rate is multiplied by `factor` after every `every_epochs`."""

    kind: str
    every_epochs: float
    factor: float


@dataclass
class NoDistortion:
    """Training images as they are."""

    kind: str


@dataclass
class Affine:
    """A random rotation (degrees), translation and zoom (fractions), each at most, either way."""

    kind: str
    rotation: float
    translation: float
    zoom: float


@dataclass
class LeCun:
    """A random shift, scale, skew and compression (fractions), each at most, either way."""

    kind: str
    shift: float
    scale: float
    skew: float
    compression: float


@dataclass
class Elastic:
    """Displacements of each pixel, `alpha` times uniform noise smoothed by a Gaussian of `sigma` pixels."""

    kind: str
    sigma: float
    alpha: float


Distortion = NoDistortion | Affine | LeCun | Elastic


@dataclass
class EarlyStopping:
    """As `keras.callbacks.EarlyStopping`; the direction is that of the monitored metric."""

    monitor: str  # as a key of history.jsonl
    patience: int
    min_delta: float
    restore_best_weights: bool


class Validation(Enum):
    """Which training images are held back for validation."""

    last = "last"
    stratified = "stratified"


class Loss(Enum):
    """What training makes small."""

    cross_entropy = "cross_entropy"
    mean_squared_error = "mean_squared_error"
    binary_cross_entropy = "binary_cross_entropy"


class DtypePolicy(Enum):
    """Keras's names for the precision that layers compute in."""

    float32 = "float32"
    mixed_float16 = "mixed_float16"
    mixed_bfloat16 = "mixed_bfloat16"


@dataclass
class Training:
    """How a model is fitted."""

    epochs: int
    batch_size: int | None  # None: the whole training set in one batch
    validation_split: float
    validation: Validation
    early_stopping: EarlyStopping | None
    loss: Loss
    targets: list[float] | None  # [wrong, right] of the mean squared error; None: [0, 1]
    label_smoothing: float
    dtype_policy: DtypePolicy
    jit_compile: Any  # "auto" or bool
    steps_per_execution: Any  # "auto" or int
    checkpoint_seconds: float
    callbacks: dict[str, Any]


class Backend(Enum):
    """Keras's backends that fitbench runs on."""

    tensorflow = "tensorflow"
    jax = "jax"


@dataclass
class TopLevel:
    """The keys of the configuration that are in no section."""

    seed: int
    study: str
    backend: Backend
    device: str
    threads: Any  # "auto" or int
    force: bool
    retry_failed: bool
    fail_fast: bool
    outputs: str
    progress: bool


@dataclass
class Config(TopLevel):
    """Everything that makes a run what it is. Sections with a free choice of `_target_` stay dictionaries."""

    metrics: dict[str, Any]  # see `selection`
    data: Data
    model: dict[str, Any]
    optimizer: dict[str, Any]  # with its schedule under `schedule`
    training: Training
    distortion: Distortion


SOURCES: dict[Source, type] = {Source.npz: FileData, Source.idx: FileData, Source.image_folder: ImageFolder}
MODELS: dict[str, type] = {
    "fitbench.training.models.softmax": Model,
    "fitbench.training.models.mlp": Mlp,
    "fitbench.training.models.lenet5": Model,
    "fitbench.training.models.lenet5_max": Model,
    "fitbench.training.models.convnet": Convnet,
    "fitbench.training.models.conv_pool": ConvPool,
    "fitbench.training.models.logistic_ovr": LogisticOvr,
    "fitbench.training.models.nearest_mean": NearestMean,
    "fitbench.training.lenets.lenet1": LeNet1,
    "fitbench.training.lenets.lenet4": LeNet4,
    "fitbench.training.lenets.lenet5_1998": LeNet5,
    "fitbench.training.lenets.simard": Simard,
}
SCHEDULES: dict[str, type] = {"constant": Constant, "cosine": Cosine, "step": Step}
DISTORTIONS: dict[str, type] = {"none": NoDistortion, "affine": Affine, "lecun": LeCun, "elastic": Elastic}

# What cannot change the result is no part of a run's identity. A data set's path is not either: its name is,
# and its checksum is compared before a recorded result is reused from another path.
NOT_IDENTITY = (
    "seed",
    "study",
    "device",
    "threads",
    "force",
    "retry_failed",
    "fail_fast",
    "outputs",
    "progress",
    "metrics",
    "data.path",
    "training.checkpoint_seconds",
    "training.steps_per_execution",
)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def from_hydra(composed: DictConfig) -> Config:
    """The checked configuration of one job, from what Hydra composed.

    Raises:
        RequestError: a key is unknown or missing, a value has the wrong type or is impossible.
    """
    own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    try:
        values = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise RequestError(_explain(error)) from error
    assert isinstance(values, dict)
    config = from_values(values)
    check(config)
    return config


def from_values(values: Mapping[Any, Any]) -> Config:
    """A `Config` of the right types from nested dictionaries (resolved, nothing missing)."""
    # runs of the time before these keys are still read, as below
    values = {"threads": "auto", "metrics": list(task_of(TASK).default_metrics), **values}
    data = _mapping(values, "data")
    source = _choice("data.source", data.get("source"), {s.value: s for s in Source})
    if isinstance(data.get("path"), str) and data["path"]:
        data["path"] = str(Path(data["path"]).expanduser().absolute())  # the record must hold from everywhere
        if data.get("name") is None:
            path = Path(data["path"])
            data["name"] = path.stem if source is Source.npz else path.name
    data.setdefault("preprocess", None)
    optimizer = _mapping(values, "optimizer")
    schedule = _mapping(optimizer, "schedule", "optimizer.")
    model = _mapping(values, "model")
    distortion = _mapping(values, "distortion")
    schedule_type = _choice("optimizer.schedule.kind", schedule.get("kind"), SCHEDULES)
    distortion_type = _choice("distortion.kind", distortion.get("kind"), DISTORTIONS)
    values["data"] = _typed("data", SOURCES.get(source, Data), data)
    values["training"] = _typed("training", Training, {"targets": None, **_mapping(values, "training")})
    values["distortion"] = _typed("distortion", distortion_type, distortion)
    values["optimizer"] = {
        **optimizer,
        "schedule": asdict(_typed("optimizer.schedule", schedule_type, schedule)),
    }
    target = model.get("_target_")
    if isinstance(target, str) and target in MODELS:
        if MODELS[target] is Mlp:
            model.setdefault("output_activation", None)
        values["model"] = asdict(_typed("model", MODELS[target], model))
    sections = {key: values.pop(key) for key in SECTIONS}
    selected = selection.as_section(values.pop("metrics"))
    return Config(**sections, metrics=selected, **vars(_typed("", TopLevel, values)))


SECTIONS = ("data", "model", "optimizer", "training", "distortion")


def _mapping(values: Mapping[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    section = values.get(key)
    if not isinstance(section, Mapping):
        raise RequestError(f"{prefix}{key} is {section!r}; it must be a section with keys of its own")
    return dict(section)


def _choice(key: str, value: Any, choices: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise RequestError(f"{key} is {value!r}; it must be one of {', '.join(choices)}")
    return choices[value]


def _typed(section: str, schema: type, values: Mapping[str, Any]) -> Any:
    """`values` as an instance of the dataclass `schema`, every type checked and every key accounted for."""
    prefix = f"{section}." if section else ""
    known = [field.name for field in fields(schema)]
    for key in values:
        if key not in known:
            has = ", ".join(known if section else [*SECTIONS, "metrics", *known])
            raise RequestError(f"{prefix}{key}: there is no such key; {section or 'the top level'} has {has}")
    for key in known:
        if key not in values:
            raise RequestError(f"{prefix}{key} is missing")
    try:
        return OmegaConf.to_object(OmegaConf.merge(_structured(schema), values))
    except OmegaConfBaseException as error:
        raise RequestError(_explain(error, prefix)) from error


@lru_cache(maxsize=100)
def _structured(schema: type) -> DictConfig:
    """OmegaConf's form of a dataclass, which takes longer to make than to fill; `merge` copies it."""
    return OmegaConf.structured(schema)


def _explain(error: OmegaConfBaseException, prefix: str = "") -> str:
    """The first line of OmegaConf's message, behind the full key."""
    key = f"{prefix}{error.full_key}" if error.full_key else (prefix.rstrip(".") or "configuration")
    if "Missing mandatory value" in str(error):
        return f"{key} has no default; give it as {key}=VALUE"
    return f"{key}: {str(error.msg or error).splitlines()[0]}"


NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")


def check(config: Config) -> None:
    """Refuse values that no run could have, before any data is read.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """

    def need(key: str, value: Any, ok: bool, allowed: str) -> None:
        if not ok:
            raise RequestError(f"{key} is {_shown(value)}; it must be {allowed}")

    def number(key: str, value: Any, ok: Any, allowed: str) -> None:
        real = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        need(key, value, real and ok(value), allowed)

    if isinstance(config.data, FileData):
        need("data.path", config.data.path, bool(config.data.path), "the path of a file or folder")
    for key, name in (
        ("study", config.study),
        ("data.name", config.data.name),
        ("model.name", config.model.get("name")),
        ("optimizer.name", config.optimizer.get("name")),
    ):
        fits = isinstance(name, str) and NAME.fullmatch(name) is not None
        need(key, name, fits, "a name of letters, digits and . _ + - (it becomes part of a folder's name)")
    number("seed", config.seed, lambda v: 0 <= v < 2**32, "from 0 to 4294967295")
    need(
        "device",
        config.device,
        re.fullmatch(r"auto|cpu|gpu(:\d+)?", config.device) is not None,
        "auto, cpu, gpu or gpu:N",
    )
    fits = config.threads == "auto" or _whole(config.threads)
    need("threads", config.threads, fits, "auto or a whole number of at least 1")
    selection.check(config.metrics, task_of(TASK))
    _check_data(config.data, need, number)
    _check_model(config.model, need, number)
    _check_optimizer(config.optimizer, config.training, need, number)
    _check_training(config, need, number)
    _check_distortion(config.distortion, number)
    for key, value in _numbers(plain(config)):
        number(key, value, lambda _: True, "a finite number")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every float in a nested configuration, with its key: also where keys are free, such as an own model's."""
    if isinstance(value, float):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _numbers(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item, key)


def _check_data(data: Data, need: Any, number: Any) -> None:
    if isinstance(data, ImageFolder):
        fits = len(data.image_size) == 2 and all(1 <= side <= 4096 for side in data.image_size)
        need("data.image_size", data.image_size, fits, "[height, width], each from 1 to 4096 pixels")
        if data.test_fraction is not None:
            number("data.test_fraction", data.test_fraction, lambda v: 0 < v < 1, "above 0 and below 1, or null")


def _check_distortion(distortion: Distortion, number: Any) -> None:
    for name, value in vars(distortion).items():
        if name == "rotation":
            number("distortion.rotation", value, lambda v: 0 <= v <= 180, "from 0 to 180 degrees")
        elif name in ("translation", "zoom", "shift", "scale", "compression"):
            number(f"distortion.{name}", value, lambda v: 0 <= v < 1, "at least 0 and below 1")
        elif name == "sigma":
            number("distortion.sigma", value, lambda v: 0 < v <= 1000, "above 0 and at most 1000 pixels")
        elif name in ("skew", "alpha"):
            number(f"distortion.{name}", value, lambda v: v >= 0, "at least 0")


def _check_model(model: Mapping[str, Any], need: Any, number: Any) -> None:
    target = model.get("_target_")
    need("model._target_", target, isinstance(target, str) and "." in target, "the dotted name of a function")
    if target not in MODELS:
        return
    if "pixel_range" in model:
        low_high = model["pixel_range"]
        fits = len(low_high) == 2 and all(map(math.isfinite, low_high)) and low_high[0] < low_high[1]
        need("model.pixel_range", low_high, fits, "[low, high] with low below high")
    for key in ("hidden", "filters"):
        if key in model:
            fits = bool(model[key]) and all(units >= 1 for units in model[key])
            need(f"model.{key}", model[key], fits, "a list of one or more positive numbers such as [64, 64]")
    for key in ("dropout", "momentum"):
        if key in model:
            number(f"model.{key}", model[key], lambda v: 0 <= v < 1, "at least 0 and below 1")
    for key, allowed in CHOICES.items():
        if model.get(key) is not None:
            need(f"model.{key}", model[key], model[key] in allowed, "one of " + ", ".join(allowed))
    for key in ("kernel_size", "hidden_units"):
        if key in model:
            number(f"model.{key}", model[key], lambda v: v >= 1, "at least 1")
    if "C" in model:
        number("model.C", model["C"], lambda v: v > 0, "above 0")
    if model.get("init_stddev") is not None:
        number("model.init_stddev", model["init_stddev"], lambda v: v > 0, "above 0, or null")


# the activations of Keras that take one tensor to one tensor of its shape, by Keras's names, and 1.7159 tanh(2x/3)
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "hard_sigmoid", "softplus", "softsign", "linear", "scaled_tanh",
)  # fmt: skip
CHOICES: dict[str, tuple[str, ...]] = {  # of the keys of models that name one of a few things
    "activation": ACTIVATIONS,
    "output_activation": ("scaled_tanh", "tanh", "sigmoid"),
    "output": ("rbf", "softmax"),
    "penalty": ("l1", "l2"),
}


def _check_optimizer(optimizer: Mapping[str, Any], training: Training, need: Any, number: Any) -> None:
    target = optimizer.get("_target_")
    need(
        "optimizer._target_",
        target,
        isinstance(target, str) and "." in target,
        "the dotted name of an optimizer",
    )
    number("optimizer.learning_rate", optimizer.get("learning_rate"), lambda v: v > 0, "a number above 0")
    for key in ("momentum", "beta_1", "beta_2", "rho"):
        if key in optimizer:
            number(f"optimizer.{key}", optimizer[key], lambda v: 0 <= v < 1, "at least 0 and below 1")
    if optimizer.get("use_ema"):
        raise RequestError(
            "optimizer.use_ema puts averaged weights in place after the last validation, so that no metric would be "
            "theirs; it cannot be used here"
        )
    for key in ("epsilon", "clipnorm", "clipvalue", "global_clipnorm"):
        if optimizer.get(key) is not None:
            number(f"optimizer.{key}", optimizer[key], lambda v: v > 0, "above 0")
    for key in ("weight_decay", "initial_accumulator_value"):
        if optimizer.get(key) is not None:
            number(f"optimizer.{key}", optimizer[key], lambda v: v >= 0, "at least 0")
    schedule = optimizer["schedule"]
    if schedule["kind"] == "cosine" and training.epochs:
        number(
            "optimizer.schedule.warmup_epochs",
            schedule["warmup_epochs"],
            lambda v: 0 <= v < training.epochs,
            f"at least 0 and below training.epochs, which is {training.epochs}",
        )
        number(
            "optimizer.schedule.final_fraction",
            schedule["final_fraction"],
            lambda v: 0 <= v <= 1,
            "from 0 to 1",
        )
    if schedule["kind"] == "step":
        number("optimizer.schedule.every_epochs", schedule["every_epochs"], lambda v: v > 0, "above 0")
        number("optimizer.schedule.factor", schedule["factor"], lambda v: 0 < v <= 1, "above 0 and at most 1")


def _check_training(config: Config, need: Any, number: Any) -> None:
    training = config.training
    solved = config.model.get("solver") is not None
    if solved:
        number(
            "training.epochs",
            training.epochs,
            lambda v: v == 0,
            "0 for a model that is computed by its solver",
        )
        number(
            "training.validation_split", training.validation_split, lambda v: v == 0,
            "0 for a model that is computed by its solver, which uses every training image",
        )  # fmt: skip
    else:
        number("training.epochs", training.epochs, lambda v: v >= 1, "at least 1")
    if training.batch_size is not None:
        number(
            "training.batch_size",
            training.batch_size,
            lambda v: v >= 1,
            "at least 1, or null for one batch of everything",
        )
    number("training.validation_split", training.validation_split, lambda v: 0 <= v < 1, "at least 0 and below 1")
    number("training.label_smoothing", training.label_smoothing, lambda v: 0 <= v < 1, "at least 0 and below 1")
    number("training.checkpoint_seconds", training.checkpoint_seconds, lambda v: v >= 0, "at least 0")
    need(
        "training.jit_compile",
        training.jit_compile,
        training.jit_compile == "auto" or isinstance(training.jit_compile, bool),
        "auto, true or false",
    )
    steps = training.steps_per_execution
    fits = steps == "auto" or _whole(steps)
    need("training.steps_per_execution", steps, fits, "auto or a whole number of at least 1")
    if training.label_smoothing > 0 and training.loss is not Loss.cross_entropy:
        raise RequestError("training.label_smoothing goes with training.loss=cross_entropy; set it to 0")
    if training.targets is not None:
        low_high = training.targets
        fits = len(low_high) == 2 and all(map(math.isfinite, low_high)) and low_high[0] < low_high[1]
        need("training.targets", low_high, fits, "[wrong, right] with wrong below right, such as [-1, 1], or null")
        if training.loss is not Loss.mean_squared_error:
            raise RequestError("training.targets goes with training.loss=mean_squared_error; set it to null")
    rbf = MODELS.get(config.model["_target_"]) is LeNet5 and config.model["output"] == "rbf"
    if rbf and training.loss is not Loss.cross_entropy:
        raise RequestError("model.output=rbf goes with training.loss=cross_entropy: its outputs are never above 0")
    for name, callback in training.callbacks.items():
        fits = isinstance(callback, Mapping) and isinstance(callback.get("_target_"), str)
        need(
            f"training.callbacks.{name}",
            callback,
            fits,
            "a section with a _target_, the dotted name of a Keras callback",
        )
    stopping = training.early_stopping
    if stopping is None:
        return
    number("training.early_stopping.patience", stopping.patience, lambda v: v >= 0, "at least 0")
    number("training.early_stopping.min_delta", stopping.min_delta, lambda v: v >= 0, "at least 0")
    try:
        part, _ = selection.monitored(stopping.monitor, config.metrics, task_of(TASK))
    except RequestError as error:
        raise RequestError(f"training.early_stopping.monitor: {error}") from None
    if part == "val" and training.validation_split == 0 and not solved:
        raise RequestError(
            f"training.early_stopping.monitor is {stopping.monitor}, but training.validation_split is 0; "
            "hold some images back, monitor the loss, or set training.early_stopping=null"
        )


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value.value if isinstance(value, Enum) else value)


def recorded_metrics(
    config: Config, of: Callable[[str, Mapping[str, Any] | None], Metric] = user_metrics.from_config
) -> dict[str, Metric]:
    """The metrics that a run of this configuration records besides the loss; see `selection.recorded`."""
    stopping = config.training.early_stopping
    return selection.recorded(config.metrics, stopping.monitor if stopping else None, task_of(TASK), of)


def plain(config: Config) -> dict[str, Any]:
    """The configuration as nested dictionaries of JSON's own types."""

    def simple(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, Mapping):
            return {str(key): simple(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [simple(item) for item in value]
        return value

    values = asdict(config)
    return simple({**{section: values[section] for section in SECTIONS}, **values})  # the sections first


def config_id(config: Config) -> str:
    """The first 8 hex digits of the SHA-256 of the canonical JSON of what can change the result, without the seed.

    Keys that are null or empty are left out, so that a later version can add a key without renaming every run.
    """

    def present(value: Any, path: str) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)  # 1 and 1.0 are the same setting
        if isinstance(value, list):
            return [present(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        items = {
            key: present(item, f"{path}{key}.") for key, item in value.items() if f"{path}{key}" not in NOT_IDENTITY
        }
        return {key: item for key, item in items.items() if item not in (None, {}, [])}

    text = json.dumps(
        present(plain(config), ""), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_id(config: Config) -> str:
    """`<data>-<model>-<optimizer>-<config_id>-s<seed>`."""
    names = (config.data.name, config.model["name"], config.optimizer["name"])
    return f"{'-'.join(names)}-{config_id(config)}-s{config.seed}"
