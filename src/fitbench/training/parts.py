"""The parts of the data in a run: what is trained on, what is validated on, and a model's values on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fitbench.config import AUTO, Config
from fitbench.data.dataset import Dataset
from fitbench.data.memory import take
from fitbench.data.split import training_rows
from fitbench.metrics import join
from fitbench.training.examples import Examples
from fitbench.training.measures import Measures
from fitbench.training.objective import Objective, Scale
from fitbench.training.preparation import prepare_training_examples

Values = dict[str, float | None]  # by their names in the result, such as 'val_macro_f1'
RawOutputs = Callable[[Any], np.ndarray]  # from inputs to the saved model's outputs, float32 [N, outputs]


@dataclass(frozen=True, eq=False)
class Parts:
    """The data of a run and what is measured on them.

    Attributes:
        config: of the run.
        data: the data set as its files have it.
        prepared: the data set with the training inputs as the model takes them.
        preparation: the model that prepares raw inputs; None if they are taken as they are.
        kept: rows of the training examples to train on.
        held_back: rows of the training examples to validate on, perhaps none.
        measures: what is measured.
        scale: of the targets of a regression: with folds, of those that are trained on; otherwise of all training
            examples. None for other tasks.
        objective: what training makes small.
    """

    config: Config
    data: Dataset
    prepared: Dataset
    preparation: keras.Model | None
    kept: np.ndarray
    held_back: np.ndarray
    measures: Measures
    scale: Scale | None
    objective: Objective

    @staticmethod
    def of(config: Config, data: Dataset, measures: Measures) -> "Parts":
        """The parts that the configuration makes of a data set, whose training inputs are prepared now."""
        kept, held_back = training_rows(data, config.training, config.seed, config.fold)
        prepared, preparation = prepare_training_examples(data, config.data)
        targets = data.y_train if config.fold is None else data.y_train[kept]
        scale = Scale.of(targets) if measures.task.has_values else None
        objective = Objective.of(config, data, scale)
        return Parts(config, data, prepared, preparation, kept, held_back, measures, scale, objective)

    def examples(self) -> tuple[Examples, Examples | None]:
        """The examples to train on, and those to validate on.

        Both have weights where the training examples have some, which include those of their classes. Validation is
        not weighted by class, as in Keras.
        """
        targets, own = self.objective.targets(self.data.y_train), self.data.w_train
        kept, held_back = self.kept, self.held_back
        weights = self.objective.weights(self.data.y_train[kept], None if own is None else own[kept])
        training = Examples(take(self.prepared.x_train, kept), targets[kept], weights)
        if not len(held_back):
            return training, None
        if weights is not None:
            weights = np.ones(len(held_back), np.float32) if own is None else own[held_back]
        return training, Examples(take(self.prepared.x_train, held_back), targets[held_back], weights)

    def score_of_epochs(self) -> Callable[[np.ndarray], Values] | None:
        """A function from the outputs on the validation part to the values that the compiled step does not measure."""
        measures, targets = self.measures, self.data.y_train[self.held_back]
        if not measures.per_epoch:
            return None

        def score(outputs: np.ndarray) -> Values:
            raw = self.objective.in_units(outputs)
            values = measures.score(measures.per_epoch, targets, raw, measures.threshold_for(targets, raw))
            return {join("val", name): value for name, value in values.items()}

        return score

    def threshold(self, raw_of: RawOutputs) -> float:
        """The threshold of the model whose raw outputs `raw_of` computes; see `Measures.threshold_for`."""
        if self.measures.threshold != AUTO:
            return float(self.measures.threshold)
        raw = raw_of(take(self.prepared.x_train, self.held_back))
        return self.measures.threshold_for(self.data.y_train[self.held_back], raw)

    def missing_values(self, raw_of: RawOutputs, present: Mapping[str, object], threshold: float) -> Values:
        """The values of the training and validation part that are not among the present ones, from raw outputs.

        `raw_of` takes `prepared.x_train`. Outputs are computed only for a part that lacks a value.
        """
        values: Values = {}
        for part, rows in (("train", self.kept), ("val", self.held_back)):
            missing = self.measures.missing(part, present)
            if missing and len(rows):
                raw = raw_of(take(self.prepared.x_train, rows))
                own = self.data.w_train
                weights = None if own is None else own[rows]
                values |= self.values(part, missing, self.data.y_train[rows], raw, weights, threshold)
        return values

    def values(
        self,
        part: str,
        names: list[str],
        targets: np.ndarray,
        raw: np.ndarray,
        weights: np.ndarray | None,
        threshold: float,
    ) -> Values:
        """The values of these metrics, perhaps with the loss, on a part, from raw outputs [N, outputs]."""
        values = self.measures.score([name for name in names if name != "loss"], targets, raw, threshold)
        if "loss" in names:
            values["loss"] = self.objective.value(targets, raw, weights)
        return {join(part, name): value for name, value in values.items()}

    @property
    def metric_info(self) -> dict[str, Any]:
        """`metric_info` of the result."""
        infos = {name: metric.info() for name, metric in self.measures.metrics.items()}
        return {**infos, "loss": self.objective.info}
