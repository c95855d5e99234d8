"""What training makes small: the loss of a run, and the targets in the form that it takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from hydra.utils import get_object, instantiate

from fitbench import metrics
from fitbench.config import AUTO, Config, Loss, Training
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.tasks import Task, task_of
from fitbench.training.reasons import reason
from fitbench.user_metrics import ON_PATH


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of the targets of the training part, float64 [targets] both."""

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
    """

    task: Task
    training: Training
    names: tuple[str, ...]
    scale: Scale | None = None

    @staticmethod
    def of(config: Config, data: Dataset) -> Objective:
        """The objective of a configuration for a data set."""
        scale = Scale.of(data.y_train) if config.training.standardize_targets else None
        return Objective(task_of(data.task), config.training, data.names, scale)

    @property
    def outputs(self) -> int:
        """How many outputs a model has."""
        return self.task.outputs(self.names)

    @property
    def name(self) -> str:
        """The name of the loss: one of ours, or the dotted name of a function or class."""
        setting = self.training.loss
        if isinstance(setting, dict):
            return str(setting["_target_"])
        return self.task.losses[0] if setting == AUTO else setting.value

    @property
    def takes_logits(self) -> bool:
        """Whether the loss is computed from logits: a squared error takes outputs of any range."""
        return self.task.name != metrics.REGRESSION and self.name != Loss.mean_squared_error.value

    @cached_property
    def loss(self) -> Any:
        """The loss between `targets` and the model's outputs: a `keras.losses.Loss`, its mean over the examples.

        Of classes: the cross-entropy is computed from logits. The mean squared error is the mean over the classes of
        the squared difference between the outputs, without a softmax, and 1 for the right class, 0 for the others, or
        what `training.targets` says. The binary cross-entropy is the mean over the classes, or labels, of
        log(1 + exp(-y z)) for the logit z, with y = 1 for the right ones and -1 for the others. Of values: the mean
        over the targets of the squared or absolute error, or Huber's loss, quadratic up to an error of 1 and linear
        from there, in the units of `targets`.

        Raises:
            RequestError: a loss of the user's cannot be loaded, or does not take its settings.
        """
        if isinstance(self.training.loss, dict):
            return _own_loss(self.training.loss, self.takes_logits)
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
        if self.task.name == metrics.CLASSIFICATION:
            of = keras.metrics.CategoricalAccuracy if self._is_one_hot else keras.metrics.SparseCategoricalAccuracy
            return [of(name="accuracy")]
        if self.task.name == metrics.REGRESSION:
            unit = np.float32(1.0) if self.scale is None else self.scale.deviation.astype(np.float32)
            return [keras.metrics.MeanMetricWrapper(lambda y, z: abs(z - y) * unit, name="mae")]
        return []

    def targets(self, targets: np.ndarray) -> np.ndarray:
        """The targets of a data set as the loss takes them.

        Labels, int32 [N], stay or become one-hot rows, float32 [N, classes], with the two values of `training.targets`
        in place of 0 and 1. Targets of a regression become standardised where that is asked for. All others become
        float32.
        """
        if self.scale is not None:
            return ((targets - self.scale.mean) / self.scale.deviation).astype(np.float32)
        if self.task.name != metrics.CLASSIFICATION:
            return targets.astype(np.float32)
        if not self._is_one_hot:
            return targets
        wrong, right = self.training.targets or (0, 1)
        return (wrong + (right - wrong) * np.eye(self.outputs)).astype(np.float32)[targets]

    def in_units(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs of the saved model, float32 [N, outputs], for those of the model that is trained."""
        if self.scale is None:
            return outputs
        return (outputs * self.scale.deviation + self.scale.mean).astype(np.float32)

    def weights(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The weights of the training examples, float32 [N]: their own times those of their classes; None for all 1.

        `balanced` gives a class N / (classes * its examples), as in scikit-learn. A class without an example weighs 0.

        Raises:
            RequestError: `training.class_weight` does not name the classes.
        """
        of_classes = self.training.class_weight
        if of_classes is None:
            return weights
        if isinstance(of_classes, str):
            counts = np.bincount(targets, minlength=self.outputs)
            by_class = len(targets) / (self.outputs * np.maximum(counts, 1)) * (counts > 0)
        else:
            by_class = np.array([of_classes[name] for name in _checked_names(of_classes, self.names)])
        own = by_class[targets].astype(np.float32)
        return own if weights is None else own * weights

    def value(self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None) -> float:
        """The loss of the saved model's outputs [N, outputs] for a data set's targets, without regularisation."""
        if self.scale is not None:
            outputs = ((outputs - self.scale.mean) / self.scale.deviation).astype(np.float32)
        return float(self.loss(self.targets(targets), outputs, sample_weight=weights))

    @property
    def _is_one_hot(self) -> bool:
        """Whether labels become rows. A loss whose name begins with 'sparse' takes labels, as those of Keras do."""
        if isinstance(self.training.loss, dict):
            return not self.name.rpartition(".")[2].lower().startswith("sparse")
        return self.name != Loss.cross_entropy.value or self.training.label_smoothing > 0

    @property
    def info(self) -> dict[str, Any]:
        """The entry `loss` of `metric_info`. The label says where its units are not those of the targets."""
        info = metrics.get("loss").info()
        low = 0.0 if not isinstance(self.training.loss, dict) else None
        label = "loss of standardised targets" if self.scale is not None else info["label"]
        return info | {"label": label, "range": [low, None]}


class _FunctionLoss(keras.losses.Loss):
    """The mean over the examples of what a function (targets, outputs) gives for each."""

    def __init__(self, function: Any, settings: Mapping[str, Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function
        self.settings = settings

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the examples."""
        return self.function(y_true, y_pred, **self.settings)


def _checked_names(of_classes: Mapping[str, float], names: tuple[str, ...]) -> tuple[str, ...]:
    unknown, missing = sorted(set(of_classes) - set(names)), [name for name in names if name not in of_classes]
    if unknown or missing:
        problem = f"names {', '.join(unknown)}, which is no class" if unknown else f"lacks {', '.join(missing[:5])}"
        every = ", ".join(names[:20])
        raise RequestError(f"training.class_weight {problem}; it must have a weight for each of {every}")
    return names


def _own_loss(section: Mapping[str, Any], takes_logits: bool) -> Any:
    """The loss that a section names: an instance of a class, or a function (targets, outputs) -> values.

    Raises:
        RequestError: it cannot be loaded, or does not take its settings.
    """
    target = str(section["_target_"])
    settings = {key: value for key, value in section.items() if key != "_target_"}
    try:
        found = get_object(target)
        parameters = inspect.signature(found).parameters
        has_choice = takes_logits and "from_logits" in parameters
        if has_choice and settings.setdefault("from_logits", True) is not True:
            raise RequestError("training.loss.from_logits must be true: the outputs of a model are logits")
        if inspect.isclass(found):
            made = instantiate({"_target_": target, **settings}, _convert_="all")
        else:
            inspect.signature(found).bind(None, None, **settings)
            made = _FunctionLoss(found, settings)
    except RequestError:
        raise
    except Exception as error:
        advice = f"; {ON_PATH}" if isinstance(error, ModuleNotFoundError) else ""
        raise RequestError(f"training.loss is {target}, which cannot be used: {reason(error)}{advice}") from error
    if not isinstance(made, keras.losses.Loss):
        raise RequestError(f"training.loss is {target}; expected a keras.losses.Loss or a function (targets, outputs)")
    return made
