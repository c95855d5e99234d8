"""The parts of the data in a run: what is trained on, what is validated on, and a model's values on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fitbench.config import Config
from fitbench.data.dataset import Dataset
from fitbench.data.memory import take
from fitbench.data.split import training_rows
from fitbench.metrics import join
from fitbench.training import deskew, objective
from fitbench.training.evaluate import predict
from fitbench.training.examples import Examples
from fitbench.training.measures import Measures

Values = dict[str, float | None]  # by their names in the result, such as 'val_macro_f1'


@dataclass(frozen=True, eq=False)
class Parts:
    """The data of a run and what is measured on them.

    Attributes:
        config: of the run.
        data: the data set as its files have it.
        prepared: the data set with the training images as the model takes them.
        kept: rows of the training images to train on.
        held_back: rows of the training images to validate on, perhaps none.
        measures: what is measured.
    """

    config: Config
    data: Dataset
    prepared: Dataset
    kept: np.ndarray
    held_back: np.ndarray
    measures: Measures

    @staticmethod
    def of(config: Config, data: Dataset, measures: Measures) -> "Parts":
        """The parts that the configuration makes of a data set, whose training images are prepared now."""
        kept, held_back = training_rows(data, config.training, config.seed)
        return Parts(config, data, deskew.prepared(data, config.data.preprocess), kept, held_back, measures)

    def examples(self) -> tuple[Examples, Examples | None]:
        """The examples to train on, and those to validate on."""
        outputs = self.measures.task.outputs(self.data.classes)
        targets = objective.targets(self.data.y_train, outputs, self.config.training)
        training = Examples(take(self.prepared.x_train, self.kept), targets[self.kept])
        if not len(self.held_back):
            return training, None
        return training, Examples(take(self.prepared.x_train, self.held_back), targets[self.held_back])

    def score_of_epochs(self) -> Callable[[np.ndarray], Values] | None:
        """A function from the outputs on the validation part to the values that the compiled step does not measure."""
        measures, labels = self.measures, self.data.y_train[self.held_back]
        if not measures.per_epoch:
            return None

        def score(outputs: np.ndarray) -> Values:
            values = measures.score(measures.per_epoch, labels, outputs)
            return {join("val", name): value for name, value in values.items()}

        return score

    def missing_values(self, model: object, present: Mapping[str, object]) -> Values:
        """The values of the training and validation part that are not among the present ones, from a model's outputs.

        The model takes `prepared.x_train`. Its outputs are computed only for a part that lacks a value.
        """
        values: Values = {}
        for part, rows in (("train", self.kept), ("val", self.held_back)):
            missing = self.measures.missing(part, present)
            if missing and len(rows):
                outputs = predict(model, take(self.prepared.x_train, rows))
                values |= self.values(part, missing, self.data.y_train[rows], outputs)
        return values

    def values(self, part: str, names: list[str], labels: np.ndarray, outputs: np.ndarray) -> Values:
        """The values of these metrics, perhaps with the loss, on a part, from raw outputs [N, outputs]."""
        values = self.measures.score([name for name in names if name != "loss"], labels, outputs)
        if "loss" in names:
            settings = self.config.training
            targets = objective.targets(labels, self.measures.task.outputs(self.data.classes), settings)
            values["loss"] = float(objective.loss(settings)(targets, outputs))
        return {join(part, name): value for name, value in values.items()}
