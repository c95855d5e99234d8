"""What training makes small: the loss of a run, and the targets in the form that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from fitbench import metrics
from fitbench.config import Config, Loss, Training
from fitbench.config.builders import records_shares
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.tasks import Task, task_of
from fitbench.text import first_of
from fitbench.training import own_loss
from fitbench.untrusted import LONGEST_TEXT
from fitbench.user_metrics import settings_text

SMALLEST = float(np.finfo(np.float32).tiny)  # that a sigmoid counts as where its logarithm is taken
LABELS = {"mse": "MSE", "mae": "MAE", "huber": "Huber"}  # of the losses of a regression


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of targets, float64 [targets] both."""

    mean: np.ndarray
    deviation: np.ndarray

    @staticmethod
    def of(targets: np.ndarray) -> Scale:
        """The scale of targets [N, targets]. A deviation of 0 counts as 1."""
        deviation = targets.std(axis=0, dtype=np.float64)
        return Scale(targets.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0))


@dataclass(frozen=True, eq=False)
class Objective:
    """What a run makes small.

    Attributes:
        task: of the run.
        training: its settings.
        names: of the classes, targets or labels.
        scale: of the targets, where training standardises them; else None.
        has_sigmoids: whether the model that is trained ends in sigmoids whose shares are recorded as probabilities; see
            `config.annotations.Shares`.
    """

    task: Task
    training: Training
    names: tuple[str, ...]
    scale: Scale | None
    has_sigmoids: bool

    @staticmethod
    def of(config: Config, data: Dataset, scale: Scale | None = None) -> Objective:
        """The objective of a configuration for a data set, whose targets have this scale.

        Raises:
            RequestError: `training.class_weight` does not name the classes.
        """
        settings = config.training
        if isinstance(settings.class_weight, Mapping):
            _check_names(settings.class_weight, data.names)
        return Objective.of_parts(
            config, task_of(data.task), data.names, scale if settings.standardize_targets else None
        )

    @staticmethod
    def of_parts(config: Config, task: Task, names: tuple[str, ...], scale: Scale | None) -> Objective:
        """The objective of a configuration where the task, the names and the scale of the targets are known."""
        return Objective(task, config.training, names, scale, records_shares(config.model))

    @property
    def outputs(self) -> int:
        """How many outputs a model has."""
        return len(self.names)

    @property
    def name(self) -> str:
        """The name of the loss: one of ours, or the dotted name of a function or class."""
        return self.training.loss_of(self.task)

    @property
    def takes_logits(self) -> bool:
        """Whether the loss is computed from logits.

        A squared error takes outputs of any range. Of a loss that `training.loss` names it is known by its parameter
        `from_logits`.
        """
        if self.task.has_values:
            return False
        if isinstance(self.training.loss, Mapping):
            return own_loss.has_from_logits(self.name)
        return self.name != Loss.mean_squared_error.value

    @cached_property
    def loss(self) -> keras.losses.Loss:
        """The loss between `targets` and the model's outputs, its mean over the examples.

        With weights it is the sum of weight times loss over the number of examples, as in Keras, and not over the sum
        of the weights.

        Of classes: the cross-entropy is computed from logits. The mean squared error is the mean over the classes of
        the squared difference between the outputs, without a softmax, and 1 for the right class, 0 for the others, or
        what `training.targets` says. The binary cross-entropy is the mean over the classes, or labels, of
        log(1 + exp(-y z)) for the logit z, with y = 1 for the right ones and -1 for the others. Of values: the mean
        over the targets of the squared or absolute error, or Huber's loss, quadratic up to an error of 1 and linear
        from there, in the units of `targets`.

        Raises:
            RequestError: a loss that `training.loss` names cannot be loaded, or does not take its settings.
        """
        if isinstance(self.training.loss, Mapping):
            if not self.task.has_values:
                own_loss.check_takes_logits(self.name)
            return own_loss.load(self.training.loss, self.takes_logits)
        if self.name == Loss.cross_entropy.value:
            if smoothing := self.training.label_smoothing:
                return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if self.name == Loss.binary_cross_entropy.value:
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return {"mae": keras.losses.MeanAbsoluteError, "huber": keras.losses.Huber}.get(
            self.name, keras.losses.MeanSquaredError
        )()

    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the compiled step, for the same targets: those that `Task.step_metrics` names."""
        return [STEP_METRICS[name](self) for name in self.task.step_metrics]

    def targets(self, targets: np.ndarray) -> np.ndarray:
        """The targets of a data set as the loss takes them.

        Labels, int32 [N], stay or become one-hot rows, float32 [N, classes], with the two values of `training.targets`
        in place of 0 and 1. Targets of a regression become standardised where that is asked for. All others become
        float32.
        """
        if not self.task.has_classes:
            return self.standardized(targets)
        if not self.is_one_hot:
            return targets
        wrong, right = self.training.targets or (0, 1)
        return (wrong + (right - wrong) * np.eye(self.outputs)).astype(np.float32)[targets]

    def standardized(self, values: np.ndarray) -> np.ndarray:
        """Values in the units of the targets, [N, targets], in those of the loss: float32, standardised or not."""
        if self.scale is not None:
            values = (values - self.scale.mean) / self.scale.deviation
        return values.astype(np.float32)

    def in_units(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs of the saved model, float32 [N, outputs], for those of the model that is trained.

        They are computed in float32, as the last layer of the saved model does it.
        """
        if self.has_sigmoids:
            return np.log(np.maximum(outputs, SMALLEST))
        if self.scale is None:
            return outputs
        return outputs * self.scale.deviation.astype(np.float32) + self.scale.mean.astype(np.float32)

    def outputs_for_loss(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs [N, outputs] that the loss takes, for those of the saved model: the reverse of `in_units`."""
        if self.has_sigmoids:
            return np.exp(outputs)
        return outputs if self.scale is None else self.standardized(outputs)

    def weights(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The weights of the training examples, float32 [N]: their own times those of their classes; None for all 1.

        `balanced` gives a class N / (classes * its examples), as in scikit-learn. A class without an example weighs 0.

        Raises:
            RequestError: all weights are 0.
        """
        of_classes = self.training.class_weight
        if of_classes is not None:
            if isinstance(of_classes, str):
                counts = np.bincount(targets, minlength=self.outputs)
                by_class = len(targets) / (self.outputs * np.maximum(counts, 1)) * (counts > 0)
            else:
                by_class = np.array([of_classes[name] for name in self.names])
            of_examples = by_class[targets].astype(np.float32)
            weights = of_examples if weights is None else of_examples * weights
        if weights is not None and not weights.any():
            cause = "the data" if of_classes is None else "training.class_weight"
            raise RequestError(f"{cause}: every training example has the weight 0; expected a weight above 0")
        return weights

    def value(self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None) -> float:
        """The loss of the saved model's outputs [N, outputs] for a data set's targets, without regularisation."""
        return float(self.loss(self.targets(targets), self.outputs_for_loss(outputs), sample_weight=weights))

    @property
    def is_one_hot(self) -> bool:
        """Whether labels become rows. A loss whose name begins with 'sparse' takes labels, as those of Keras do."""
        if isinstance(self.training.loss, Mapping):
            return not self.name.rpartition(".")[2].lower().startswith("sparse")
        return self.name != Loss.cross_entropy.value or self.training.label_smoothing > 0

    @property
    def info(self) -> dict[str, Any]:
        """The entry `loss` of `metric_info`.

        Label and definition name the loss of a regression or a loss of the user's. They say whether targets are
        standardised. So such values are never aggregated or ranked with others. Our losses of classes and labels have
        one definition, as in version 0.1.
        """
        info = metrics.get("loss").info()
        label, definition, low = "", info["definition"], info["range"][0]
        scaled = "" if self.scale is None else " of standardised targets"
        if isinstance(self.training.loss, Mapping):
            label, low = self.name.rpartition(".")[2], None  # it may be below 0
            definition = settings_text(self.training.loss, LONGEST_TEXT - len(scaled))
        elif self.name in LABELS:
            label, definition = LABELS[self.name], f"{definition}.{self.name}"
        label = f"{info['label']} ({label}{scaled})" if label else info["label"]
        return info | {"label": label, "definition": definition + scaled, "range": [low, None]}


class _AbsoluteError(keras.metrics.Mean):
    """The mean absolute error times the unit of each target, [targets] or [1], over all examples and targets."""

    def __init__(self, unit: np.ndarray) -> None:
        super().__init__(name="mae")
        self.unit = unit.astype(np.float32)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch of targets and outputs, [batch, targets] both."""
        y_true, y_pred = (keras.ops.cast(values, self.dtype) for values in (y_true, y_pred))
        return super().update_state(keras.ops.abs(y_pred - y_true) * self.unit, sample_weight)


def _accuracy(objective: Objective) -> keras.metrics.Metric:
    of = keras.metrics.CategoricalAccuracy if objective.is_one_hot else keras.metrics.SparseCategoricalAccuracy
    return of(name="accuracy")


def _mae(objective: Objective) -> keras.metrics.Metric:
    return _AbsoluteError(np.ones(1) if objective.scale is None else objective.scale.deviation)


STEP_METRICS = {"accuracy": _accuracy, "mae": _mae}  # by the names in `Task.step_metrics`


def _check_names(of_classes: Mapping[str, float], names: tuple[str, ...]) -> None:
    unknown, missing = sorted(set(of_classes) - set(names)), [name for name in names if name not in of_classes]
    if unknown or missing:
        problem = f"names {first_of(unknown)}, which is no class" if unknown else f"lacks {first_of(missing)}"
        raise RequestError(f"training.class_weight {problem}; it must have a weight for each of {first_of(names, 20)}")
