"""The configuration's schema: types, ranges and cross-checks.

YAML holds the values and their defaults (conf/). `reading.from_hydra` makes a `Config` of what Hydra composed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from fitbench import selection, user_metrics
from fitbench.config.annotations import (
    NUMBER,
    Allowed,
    Cores,
    CountFrom0,
    Dotted,
    Fraction,
    Name,
    NonNegative,
    PathText,
    Seed,
    expanded,
)
from fitbench.config.data_sections import KEYS_OF_KINDS, AnyData
from fitbench.config.logger_section import Loggers
from fitbench.config.optimizer_section import Optimizer
from fitbench.config.parents import Parent
from fitbench.config.section import Section, SectionOf
from fitbench.config.training_section import AUTO, FoldOrder, Loss, Training, Validation
from fitbench.errors import RequestError
from fitbench.kinds import IMAGES, KINDS
from fitbench.metrics import Metric
from fitbench.tasks import TASKS, Task, task_of
from fitbench.text import in_sentence

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

# -- model ------------------------------------------------------------------------------------------------------------


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


# Keys of `training` that a solver does not use, the value that they must have, and what a message says of another.
UNUSED_BY_SOLVERS: tuple[tuple[str, Any, str], ...] = (
    ("epochs", 0, "is {value}; it must be 0 {solved}"),
    ("start", None, "must be null {solved}, which trains no epochs"),
    ("freeze", [], "must be [] {solved}, which trains no epochs"),
    ("keep_state", False, "must be false {solved}, which trains no epochs"),
    ("class_weight", None, "must be null {solved}, which takes no weights"),
    ("validation_split", 0, "is {value}; it must be 0 {solved}, which uses every training example"),
)


@dataclass(frozen=True)
class Watched:
    """A value that is watched after each epoch.

    Attributes:
        key: of the configuration, which names the value.
        name: of the value in history.jsonl, as in 'val_loss'.
        off: the override with which nothing is watched.
    """

    key: str
    name: str
    off: str


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
    seed: Seed = Field(
        description="decides the initial weights, the order of batches, dropout, distortion and a drawn validation part"
    )
    fold: CountFrom0 | None = Field(
        description="for training.validation=kfold: the fold, from 0, that is held back for validation; null otherwise"
    )
    parent: Parent | None = Field(None, description="the run that this one continues, which +continue=RUN names")
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
    logger: Loggers = Field(None, description="places that show the run while it is trained; null: none")

    @model_validator(mode="after")
    def _check_fold(self) -> Config:
        folds = self.training.folds
        if folds is None:
            if self.fold is not None:
                raise ValueError(
                    f"fold is {self.fold}, but training.validation is {self.training.validation.value}; set fold=null, "
                    "or training.validation=kfold and training.folds"
                )
        elif self.fold is None:
            raise ValueError(
                "fold is null, but training.validation=kfold holds back one fold per run; give one, such as fold=0, "
                f"or train all of them: -m 'fold=range({folds})'"
            )
        elif self.fold >= folds:
            raise ValueError(f"fold is {self.fold}; it must be below training.folds, which is {folds}")
        return self

    @model_validator(mode="after")
    def _check_epochs(self) -> Config:
        if self.model.get("solver") is not None:
            self._check_for_solver()
        elif self.training.epochs == 0:
            raise ValueError("training.epochs is 0; it must be at least 1")
        return self

    def _check_for_solver(self) -> None:
        """Refuse what a model that is computed by its solver does not use."""
        training, solved = self.training, "for a model that is computed by its solver"
        if training.has_folds:
            raise ValueError(
                f"training.validation is kfold; it must be last {solved}, which uses every training example"
            )
        for key, unused, message in UNUSED_BY_SOLVERS:
            if (value := getattr(training, key)) != unused:
                raise ValueError(f"training.{key} {message.format(value=value, solved=solved)}")
        if (watched := self.schedule_monitor) is not None:
            raise ValueError(
                f"optimizer/schedule=plateau watches epochs, but model={self.model['name']} has none: it is "
                f"computed by its solver; set {watched.off}"
            )

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
        for watched in self.monitors:
            self._check_monitor(watched, task)

    @property
    def stopping_monitor(self) -> Watched | None:
        """What early stopping watches, if there is any."""
        stopping = self.training.early_stopping
        if stopping is None:
            return None
        return Watched("training.early_stopping.monitor", stopping.monitor, off="training.early_stopping=null")

    @property
    def schedule_monitor(self) -> Watched | None:
        """What the schedule of the learning rate watches, if it watches anything."""
        name = self.optimizer["schedule"].get("monitor")
        return None if name is None else Watched("optimizer.schedule.monitor", name, off="optimizer/schedule=constant")

    @property
    def monitors(self) -> list[Watched]:
        """All that is watched after each epoch."""
        return [watched for watched in (self.stopping_monitor, self.schedule_monitor) if watched is not None]

    def _check_monitor(self, watched: Watched, task: Task) -> None:
        try:
            part, _ = selection.monitored(watched.name, self.metrics, task)
        except RequestError as error:
            raise RequestError(f"{watched.key}: {error}") from None
        if part == "val" and self.training.validation_split == 0 and self.model.get("solver") is None:
            raise RequestError(
                f"{watched.key} is {watched.name}, but training.validation_split is 0; hold some examples back, "
                f"monitor the loss, or set {watched.off}"
            )

    @model_validator(mode="after")
    def _check_groups(self) -> Config:
        training = self.training
        for setting, used, instead in (
            ("validation=stratified", training.validation is Validation.stratified, "validation=random"),
            ("fold_order=consecutive", training.fold_order is FoldOrder.consecutive, "fold_order=drawn"),
        ):
            if used and getattr(self.data, "group", None):
                raise ValueError(
                    f"training.{setting} does not go with data.group, whose rows stay together; set training.{instead}"
                )
        return self

    @model_validator(mode="after")
    def _check_test_part(self) -> Config:
        is_drawn = getattr(self.data, "test_path", None) is None
        if is_drawn and getattr(self.data, "test_fraction", None) == 0 and not self.training.has_folds:
            raise ValueError(
                "data.test_fraction is 0, which leaves no test part, and training.validation is "
                f"{self.training.validation.value}; set a fraction such as 0.2, or hold back folds: "
                "training.validation=kfold training.folds=5"
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
        are = f"the examples of {self.data.name} are {KINDS[kind].plural}"
        if kind != IMAGES and self.distortion.kind != "none":
            raise RequestError(f"distortion={self.distortion.kind} is for images; {are}; set distortion=none")
        for key, kinds in KEYS_OF_KINDS.items():
            if kind not in kinds and (value := getattr(self.data, key, None)) is not None:
                taken = in_sentence([KINDS[each].plural for each in kinds])
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
    return selection.recorded(config.metrics, [watched.name for watched in config.monitors], task, of)


SECTIONS = ("data", "model", "optimizer", "training", "distortion")
TOP_LEVEL = tuple(key for key in Config.model_fields if key not in SECTIONS)
