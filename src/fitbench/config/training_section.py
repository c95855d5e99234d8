"""The section `training` of the configuration: how a model is fitted, and what is held back to validate it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Len, Lt
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, Strict, model_validator

from fitbench.config.annotations import (
    DOTTED,
    NUMBER,
    Allowed,
    Count,
    CountFrom0,
    Folds,
    Fraction,
    Interval,
    NonNegative,
    Real,
    Seed,
    as_list,
)
from fitbench.config.parents import StartText
from fitbench.config.section import Section
from fitbench.tasks import Task

AUTO = "auto"  # of `task` and `training.loss`: the targets decide


class EarlyStopping(Section):
    """As `keras.callbacks.EarlyStopping`; the direction is that of the monitored metric."""

    monitor: str = Field(
        description="loss, accuracy, or val_ and any metric, as in history.jsonl; its direction decides what is better"
    )
    patience: CountFrom0 = Field(description="epochs without an improvement before training stops")
    min_delta: NonNegative = Field(description="the smallest change that counts as an improvement")
    restore_best_weights: bool = Field(description="true: the model is that of the best epoch; false: of the last")
    start_from_epoch: CountFrom0 = Field(
        description="epochs at the beginning that do not count: none is the best, and patience starts after them"
    )
    baseline: Real | None = Field(
        description="patience runs on until the monitored value is better than this; null: any improvement will do"
    )
    in_folds: Annotated[bool, Strict()] = Field(
        description="true: stop early also with training.validation=kfold, although the fold that decides is the one "
        "that is measured"
    )


class Validation(StrEnum):
    """Which training examples are held back for validation."""

    last = "last"
    stratified = "stratified"
    random = "random"
    kfold = "kfold"


class FoldOrder(StrEnum):
    """How the training examples are divided into folds."""

    drawn = "drawn"
    consecutive = "consecutive"


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
        "drawn by the seed; random: drawn by the seed; kfold: the fold that `fold` names, and validation_split is "
        "1 / folds"
    )
    folds: Folds | None = Field(description="for kfold: into how many folds the training examples are divided")
    fold_seed: Seed = Field(description="for kfold: decides the folds; the seed does not")
    fold_order: FoldOrder = Field(
        description="for kfold: drawn: by fold_seed, each fold with the same fraction of each class, and with whole "
        "groups of data.group; consecutive: parts of the examples in their order in the file"
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
    start: StartText | None = Field(
        description="a finished run whose weights the model begins with, layer by layer where name and shapes agree"
    )
    freeze: Annotated[
        list[str],
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
        Allowed("the name of a layer, or a list of names of layers"),
    ] = Field(description="names of layers whose weights are not trained; * stands for any characters, as in conv*")
    keep_state: Annotated[bool, Strict()] = Field(
        description="true: the finished run keeps the state of its last epoch, so that +continue=RUN can go on from it"
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

    _is_without_stopping: bool = PrivateAttr(False)

    @property
    def is_without_stopping(self) -> bool:
        """Whether folds have turned off the early stopping that was composed. A recorded configuration has none."""
        return self._is_without_stopping

    @property
    def may_stop_early(self) -> bool:
        """Whether early stopping can end training before the last epoch. It never ends it after the first epoch."""
        if self.early_stopping is None:
            return False
        earliest = self.early_stopping.start_from_epoch + max(self.early_stopping.patience, 1)
        return max(earliest, 2) < self.epochs

    @property
    def has_folds(self) -> bool:
        """Whether each run holds back one fold of the training examples."""
        return self.validation is Validation.kfold

    @model_validator(mode="after")
    def _check_folds(self) -> Training:
        if self.has_folds:
            if self.folds is None:
                raise ValueError("training.validation=kfold needs training.folds, the number of folds, such as 5")
            self.validation_split = 1 / self.folds
            if self.early_stopping is not None and not self.early_stopping.in_folds:
                self.early_stopping, self._is_without_stopping = None, True
            return self
        for key, unused in (("folds", None), ("fold_seed", 0), ("fold_order", FoldOrder.drawn)):
            if getattr(self, key) != unused:
                shown = "null" if unused is None else unused
                raise ValueError(
                    f"training.{key} goes with training.validation=kfold, but training.validation is "
                    f"{self.validation.value}; set training.validation=kfold, or training.{key}={shown}"
                )
        return self

    @model_validator(mode="after")
    def _check_stopping(self) -> Training:
        if (stopping := self.early_stopping) is not None and stopping.start_from_epoch >= max(self.epochs, 1):
            raise ValueError(
                f"training.early_stopping.start_from_epoch is {stopping.start_from_epoch}; it must be below "
                f"training.epochs, which is {self.epochs}"
            )
        return self

    @model_validator(mode="after")
    def _check_loss(self) -> Training:
        if self.label_smoothing > 0 and self.loss not in (AUTO, Loss.cross_entropy):
            raise ValueError("training.label_smoothing goes with training.loss=cross_entropy; set it to 0")
        if self.targets is not None and self.loss != Loss.mean_squared_error:
            raise ValueError("training.targets goes with training.loss=mean_squared_error; set it to null")
        if self.threshold == AUTO and (self.validation_split == 0 or self.has_folds):
            why = "training.validation_split is 0; hold some examples back, or"
            if self.has_folds:
                why = "with training.validation=kfold this is the fold that is measured;"
            raise ValueError(f"training.threshold=auto is chosen on the validation part, but {why} give a number")
        return self

    def loss_of(self, task: Task) -> str:
        """The name of the loss of a run of this task: one of ours, or the dotted name of a function or class."""
        if isinstance(self.loss, dict):
            return str(self.loss["_target_"])
        return task.losses[0] if self.loss == AUTO else self.loss.value
