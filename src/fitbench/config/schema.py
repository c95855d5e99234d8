"""The configuration's schema: types, ranges and cross-checks.

YAML holds the values and their defaults (conf/). `reading.from_hydra` makes a `Config` of what Hydra composed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from fitbench import selection, user_metrics
from fitbench.config.annotations import (
    DOTTED,
    NUMBER,
    NUMBER_NOT_TEXT,
    WHOLE_NUMBER,
    Allowed,
    Cores,
    Count,
    CountFrom0,
    Dotted,
    Fraction,
    Interval,
    Name,
    NonNegative,
    PathText,
    Positive,
    expanded,
)
from fitbench.config.data_sections import KEYS_OF_KINDS, AnyData
from fitbench.config.section import Section, SectionOf
from fitbench.errors import RequestError
from fitbench.kinds import IMAGES, KINDS
from fitbench.metrics import Metric
from fitbench.tasks import TASKS, Task, task_of
from fitbench.text import either

AUTO = "auto"  # of `task` and `training.loss`: the targets decide
UpTo1 = Annotated[float, Ge(0), Le(1), NUMBER]

# -- distortion -------------------------------------------------------------------------------------------------------


class NoDistortion(Section):
    """Training images as they are."""

    kind: Literal["none"]


class Affine(Section):
    """A random rotation (degrees), translation and zoom (fractions), each at most, either way."""

    kind: Literal["affine"]
    rotation: Annotated[float, Ge(0), Le(180), NUMBER, Allowed("a number from 0 to 180 degrees")] = Field(
        description="the largest angle in degrees, in both directions"
    )
    translation: Fraction = Field(description="the largest fraction of the height and the width, in both directions")
    zoom: Fraction = Field(description="the largest fraction, in and out")


class LeCun(Section):
    """A random shift, scale, skew and compression (fractions), each at most, either way."""

    kind: Literal["lecun"]
    shift: Fraction = Field(description="the largest fraction of the height and the width, in both directions")
    scale: Fraction = Field(description="the largest fraction, larger and smaller")
    skew: NonNegative = Field(description="the largest horizontal shear in columns per row, in both directions")
    compression: Fraction = Field(
        description="the largest c, where the width is multiplied and the height divided by 1 + c, or the reverse"
    )


class Elastic(Section):
    """Displacements of each pixel, `alpha` times uniform noise smoothed by a Gaussian of `sigma` pixels."""

    kind: Literal["elastic"]
    sigma: Annotated[float, Gt(0), Le(1000), NUMBER, Allowed("a number above 0 and at most 1000 pixels")] = Field(
        description="the standard deviation in pixels of the Gaussian that smooths the displacements"
    )
    alpha: NonNegative = Field(description="the factor of the smoothed noise")


Distortion = Annotated[NoDistortion | Affine | LeCun | Elastic, Field(discriminator="kind")]

# -- model and optimizer ----------------------------------------------------------------------------------------------


class Model(Section):
    """A model builder and its settings, which `builders` checks against the builder's signature."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Dotted, Allowed("the dotted name of a function")] = Field(
        alias="_target_", description="the builder, a function that returns the model"
    )
    name: Name = Field(description="the name of the model, which is a part of run_id")
    solver: Annotated[Dotted, Allowed("the dotted name of a function")] | None = Field(
        None, description="a function that computes the weights, so that nothing is trained; null: there is none"
    )


class Constant(Section):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class Cosine(Section):
    """A linear warm-up from 0, then half a cosine down to `final_fraction` of the learning rate."""

    kind: Literal["cosine"]
    warmup_epochs: NonNegative = Field(description="epochs of the rise from 0; fewer than training.epochs")
    final_fraction: UpTo1 = Field(description="the learning rate at the end, as a fraction of the learning rate")


class Step(Section):
    """The learning rate is multiplied by `factor` after every `every_epochs`."""

    kind: Literal["step"]
    every_epochs: Positive = Field(description="epochs between two steps")
    factor: Annotated[float, Gt(0), Le(1), NUMBER] = Field(description="what each step multiplies the learning rate by")


Schedule = Annotated[Constant | Cosine | Step, Field(discriminator="kind")]

# These settings go to Keras as they are; text in their place is a mistake.
OptimizerFraction = Annotated[float, Ge(0), Lt(1), NUMBER_NOT_TEXT]
OptimizerPositive = Annotated[float, Gt(0), NUMBER_NOT_TEXT]
OptimizerNonNegative = Annotated[float, Ge(0), NUMBER_NOT_TEXT]
ABSENT: Any = None  # the default of keys that need not be there


class Optimizer(Section):
    """An optimizer of Keras's or the user's, with the ranges of the settings that Keras's have in common."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Dotted, Allowed("the dotted name of an optimizer")] = Field(
        alias="_target_", description="the class of the optimizer"
    )
    name: Annotated[Name, Strict()] = Field(description="the name of the optimizer, which is a part of run_id")
    learning_rate: OptimizerPositive = Field(description="the learning rate, which the schedule multiplies")
    momentum: OptimizerFraction = Field(ABSENT, description="the fraction of the last step that the next one repeats")
    beta_1: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of gradients")
    beta_2: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    rho: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    epsilon: OptimizerPositive | None = Field(ABSENT, description="what is added to a divisor to keep it above 0")
    clipnorm: OptimizerPositive | None = Field(
        ABSENT, description="the largest norm of the gradient of each weight array"
    )
    clipvalue: OptimizerPositive | None = Field(ABSENT, description="the largest absolute value in a gradient")
    global_clipnorm: OptimizerPositive | None = Field(ABSENT, description="the largest norm of all gradients together")
    weight_decay: OptimizerNonNegative | None = Field(
        ABSENT, description="each step also subtracts weight_decay * learning_rate * weight from every weight and bias"
    )
    initial_accumulator_value: OptimizerNonNegative | None = Field(
        ABSENT, description="where the sums of squared gradients begin"
    )
    use_ema: Any = Field(ABSENT, description="it cannot be used: no metric would be that of the averaged weights")
    schedule: Schedule

    @model_validator(mode="after")
    def _refuse_averaged_weights(self) -> Optimizer:
        if self.use_ema:
            raise ValueError(
                "optimizer.use_ema puts averaged weights in place after the last validation, so that no metric would "
                "be theirs; it cannot be used here"
            )
        return self


# -- training ---------------------------------------------------------------------------------------------------------


class EarlyStopping(Section):
    """As `keras.callbacks.EarlyStopping`; the direction is that of the monitored metric."""

    monitor: str = Field(
        description="loss, accuracy, or val_ and any metric, as in history.jsonl; its direction decides what is better"
    )
    patience: CountFrom0 = Field(description="epochs without an improvement before training stops")
    min_delta: NonNegative = Field(description="the smallest change that counts as an improvement")
    restore_best_weights: bool = Field(description="true: the model is that of the best epoch; false: of the last")


class Validation(StrEnum):
    """Which training examples are held back for validation."""

    last = "last"
    stratified = "stratified"
    random = "random"


class Loss(StrEnum):
    """What training makes small."""

    auto = AUTO
    cross_entropy = "cross_entropy"
    mean_squared_error = "mean_squared_error"
    binary_cross_entropy = "binary_cross_entropy"
    mse = "mse"
    mae = "mae"
    huber = "huber"


class DtypePolicy(StrEnum):
    """Keras's names for the precision that layers compute in."""

    float32 = "float32"
    mixed_float16 = "mixed_float16"
    mixed_bfloat16 = "mixed_bfloat16"


def _with_target(callback: dict[str, Any]) -> dict[str, Any]:
    target = callback.get("_target_")
    if not isinstance(target, str) or not re.fullmatch(DOTTED, target):
        raise ValueError("no _target_")
    return callback


Callback = Annotated[
    dict[str, Any],
    AfterValidator(_with_target),
    Allowed("a section with a _target_, the dotted name of a Keras callback"),
]


OwnLoss = Annotated[
    dict[str, Any], AfterValidator(_with_target), Allowed("a section with a _target_, the dotted name of a loss")
]
ClassWeights = Annotated[
    dict[str, Annotated[float, Ge(0), NUMBER]],
    Len(1),
    Allowed("a weight for each class by its name"),
]


class Training(Section):
    """How a model is fitted."""

    epochs: CountFrom0 = Field(description="the largest number of epochs; 0 only for a model with a solver")
    batch_size: Count | None = Field(description="examples per batch; null: the whole training set in one batch")
    validation_split: Fraction = Field(
        description="the fraction of the training examples that is held back for validation; 0: none"
    )
    validation: Validation = Field(
        description="which examples are held back: the last, as in Keras; stratified: the same fraction of each class, "
        "drawn by the seed; random: drawn by the seed"
    )
    early_stopping: EarlyStopping | None = Field(description="when training stops early; null: it trains all epochs")
    loss: Loss | OwnLoss = Field(
        description="what training makes small; auto: the first of the task. For classes: the cross_entropy of the "
        "logits, the mean_squared_error of the outputs and `targets`, or a binary_cross_entropy for each class; for "
        "values: mse, mae or huber; for several labels: binary_cross_entropy; or a section with a _target_, any loss "
        "of Keras's or a function of your own"
    )
    class_weight: Literal["balanced"] | ClassWeights | None = Field(
        description="the weight of the examples of each class in the training loss: balanced: inversely "
        "proportional to the number of its examples; or a section of weights by the names of the classes; null: all "
        "weigh 1",
    )
    standardize_targets: bool = Field(
        description="for regression: train on targets less their mean over their standard deviation; the saved model "
        "undoes it",
    )
    threshold: Literal["auto"] | Annotated[float, Gt(0), Lt(1), NUMBER] = Field(
        description="for several labels: the probability from which on a label counts as predicted; auto: the one "
        "with the best micro F1 on the validation part",
    )
    targets: Annotated[Interval, Allowed("[wrong, right] with wrong below right, such as [-1, 1]")] | None = Field(
        description="for mean_squared_error: the target of every other class and of the true class; null: [0, 1]"
    )
    label_smoothing: Fraction = Field(
        description="for cross_entropy: the fraction of the target that is spread over all classes"
    )
    dtype_policy: DtypePolicy = Field(description="the precision that layers compute in; mixed_float16 is for GPUs")
    jit_compile: Literal["auto"] | Annotated[bool, Strict()] = Field(
        description="whether XLA compiles the steps; auto: on a GPU, and on a CPU for long runs of models without "
        "convolutions and recurrent layers"
    )
    steps_per_execution: Literal["auto"] | Count = Field(
        description="batches between two calls of the callbacks; auto: an epoch"
    )
    checkpoint_seconds: NonNegative = Field(
        description="seconds between two checkpoints: a killed run loses at most this much work"
    )
    callbacks: dict[str, Callback] = Field(
        description="further Keras callbacks by name, such as {board: {_target_: keras.callbacks.TensorBoard}}"
    )

    @model_validator(mode="after")
    def _check_loss(self) -> Training:
        if self.label_smoothing > 0 and self.loss not in (AUTO, Loss.cross_entropy):
            raise ValueError("training.label_smoothing goes with training.loss=cross_entropy; set it to 0")
        if self.targets is not None and self.loss != Loss.mean_squared_error:
            raise ValueError("training.targets goes with training.loss=mean_squared_error; set it to null")
        if self.threshold == AUTO and self.validation_split == 0:
            raise ValueError(
                "training.threshold=auto is chosen on the validation part, but training.validation_split is 0; "
                "hold some examples back, or give a number"
            )
        return self

    def loss_of(self, task: Task) -> str:
        """The name of the loss of a run of this task: one of ours, or the dotted name of a function or class."""
        if isinstance(self.loss, dict):
            return str(self.loss["_target_"])
        return task.losses[0] if self.loss == AUTO else self.loss.value


# -- the whole --------------------------------------------------------------------------------------------------------


Metrics = Annotated[
    dict[str, Any],  # a name and the user's entry, or null for a metric of fitbench; see `selection`
    BeforeValidator(selection.as_section),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]}),
    Allowed("a list of names such as [accuracy, macro_f1], or a section with entries of your own"),
]


class Backend(StrEnum):
    """Keras's backends that fitbench runs on."""

    tensorflow = "tensorflow"
    jax = "jax"


class Config(Section):
    """Everything that makes a run what it is. Sections with a free choice of `_target_` are dictionaries."""

    data: AnyData
    model: Annotated[dict[str, Any], SectionOf(Model)]
    optimizer: Annotated[dict[str, Any], SectionOf(Optimizer)]  # with its schedule under `schedule`
    training: Training
    distortion: Distortion

    task: Literal["auto", "classification", "regression", "multilabel"] = Field(
        description="what is predicted: a class, numbers, or several labels; auto: the targets decide"
    )
    metrics: Metrics = Field(
        description="what is recorded for each part of the data, besides the loss; the first is the primary metric; "
        "default stands for the default metrics of the task"
    )
    seed: Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER, Allowed("a whole number from 0 to 4294967295")] = Field(
        description="decides the initial weights, the order of batches, dropout, distortion and a drawn validation part"
    )
    study: Name = Field(description="runs are recorded in <outputs>/<study>/<run_id>/")
    backend: Backend = Field(description="Keras's backend")
    device: Annotated[
        str, StringConstraints(pattern=r"^(auto|cpu|gpu(:[0-9]+)?)$"), Allowed("auto, cpu, gpu or gpu:N")
    ] = Field(description="what trains; auto: a GPU if there is one")
    threads: Literal["auto"] | Cores = Field(
        description="CPU threads of a run; auto: one for each core, divided among the workers of a sweep"
    )
    force: bool = Field(description="true: train again although the run is finished")
    code: Literal["recorded", "any"] = Field(
        description="any: take a recorded result, or continue a run, although the code of your own modules has changed"
    )
    retry_failed: bool = Field(description="false: a sweep leaves out runs that failed before")
    fail_fast: bool = Field(description="true: a sweep stops at the first run that fails")
    workers: Cores = Field(
        description="processes on this machine that share the runs of a sweep, a search or a table; each takes about "
        "1 GB of memory"
    )
    outputs: Annotated[PathText, AfterValidator(expanded), Allowed("the path of a folder")] = Field(
        description="the folder of the studies"
    )
    progress: bool = Field(description="whether the terminal shows the progress")

    @model_validator(mode="after")
    def _check_epochs(self) -> Config:
        training = self.training
        if self.model.get("solver") is not None:
            solved = "for a model that is computed by its solver"
            if training.epochs != 0:
                raise ValueError(f"training.epochs is {training.epochs}; it must be 0 {solved}")
            if training.class_weight is not None:
                raise ValueError(f"training.class_weight must be null {solved}, which takes no weights")
            if training.validation_split != 0:
                raise ValueError(
                    f"training.validation_split is {training.validation_split}; it must be 0 {solved}, "
                    "which uses every training example"
                )
        elif training.epochs == 0:
            raise ValueError("training.epochs is 0; it must be at least 1")
        return self

    @property
    def known_task(self) -> Task | None:
        """The task as far as it is known before the data are read; None where their targets decide."""
        name = self.data.task if self.task == AUTO else self.task
        return None if name is None else task_of(name)

    @model_validator(mode="after")
    def _check_task(self) -> Config:
        if self.data.task_is_fixed and self.task not in (AUTO, self.data.task):
            raise ValueError(
                f"task is {self.task}, but data={self.data.name} is for {self.data.task}; set task={self.data.task}"
            )
        task = self.known_task
        if task is None:
            selection.check(self.metrics, None)
        else:
            self.check_for(task)
        return self

    def check_for(self, task: Task) -> None:
        """Refuse what does not go with a task. It is called again when the data have decided the task.

        Raises:
            RequestError: the message names the key.
        """
        settings = self.training
        selection.check(self.metrics, task)
        if isinstance(settings.loss, Loss) and settings.loss not in (AUTO, *task.losses):
            raise RequestError(
                f"training.loss is {settings.loss.value}, but the task is {task.name}; it must be auto, "
                f"{', '.join(task.losses)}, or a section with a _target_"
            )
        for other in TASKS.values():
            for key, unused in other.settings:
                if other is not task and getattr(settings, key) != unused:
                    raise RequestError(
                        f"training.{key} is for the task {other.name}, but the task is {task.name}; set "
                        f"training.{key}={json.dumps(unused)}"
                    )
        if settings.validation is Validation.stratified and not task.has_classes:
            raise RequestError(
                f"training.validation is stratified, which needs classes, but the task is {task.name}; set "
                "training.validation=random"
            )
        if (stopping := settings.early_stopping) is None:
            return
        try:
            part, _ = selection.monitored(stopping.monitor, self.metrics, task)
        except RequestError as error:
            raise RequestError(f"training.early_stopping.monitor: {error}") from None
        if part == "val" and settings.validation_split == 0 and self.model.get("solver") is None:
            raise RequestError(
                f"training.early_stopping.monitor is {stopping.monitor}, but training.validation_split is 0; "
                "hold some examples back, monitor the loss, or set training.early_stopping=null"
            )

    @model_validator(mode="after")
    def _check_groups(self) -> Config:
        if getattr(self.data, "group", None) and self.training.validation is Validation.stratified:
            raise ValueError(
                "training.validation=stratified does not go with data.group, whose rows stay together; set "
                "training.validation=random"
            )
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> Config:
        if self.data.kind is not None:
            self.check_for_kind(self.data.kind)
        return self

    def check_for_kind(self, kind: str) -> None:
        """Refuse what does not go with a kind of examples. It is called again when the arrays have decided the kind.

        Raises:
            RequestError: the message names the key.
        """
        are = f"the examples of data={self.data.name} are {KINDS[kind].plural}"
        if kind != IMAGES and self.distortion.kind != "none":
            raise RequestError(f"distortion={self.distortion.kind} is for images; {are}; set distortion=none")
        for key, kinds in KEYS_OF_KINDS.items():
            if kind not in kinds and (value := getattr(self.data, key, None)) is not None:
                taken = either([KINDS[each].plural for each in kinds])
                text = f"{value:g}" if isinstance(value, float) else value
                raise RequestError(f"data.{key}={text} is for {taken}; {are}; set data.{key}=null")

    @model_validator(mode="after")
    def _check_warmup(self) -> Config:
        warmup, epochs = self.optimizer["schedule"].get("warmup_epochs", 0), self.training.epochs
        if epochs and warmup >= epochs:
            raise ValueError(
                f"optimizer.schedule.warmup_epochs is {warmup}; it must be at least 0 and below training.epochs, "
                f"which is {epochs}"
            )
        return self


def recorded_metrics(
    config: Config,
    task: Task,
    of: Callable[[str, Mapping[str, Any] | None], Metric] = user_metrics.from_config,
) -> dict[str, Metric]:
    """The metrics that a run of this configuration records besides the loss; see `selection.recorded`."""
    stopping = config.training.early_stopping
    return selection.recorded(config.metrics, stopping.monitor if stopping else None, task, of)


SECTIONS = ("data", "model", "optimizer", "training", "distortion")
TOP_LEVEL = tuple(key for key in Config.model_fields if key not in SECTIONS)
