"""The tasks: what a model's outputs mean, what is recorded of them, and how they are scored. Free of Keras.

Training, `show` and `diff` ask a task for what depends on it. To add a task, write a class with the attributes and
methods of `Task`, add it to `TASKS`, and give it its losses in training/objective.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from fitbench import metrics
from fitbench.errors import RequestError
from fitbench.metrics import Metric


class Task(Protocol):
    """What fitbench asks of a task. `N` is the number of examples of a part.

    Attributes:
        name: as in the configuration and in result.json.
        default_loss: the default of `training.loss`.
        default_metrics: the names of the metrics that are recorded by default; the first is primary.
        step_metrics: the names of the metrics that the compiled training and validation steps measure besides the
            loss, from raw outputs.
        targets_name, outputs_name: the arrays of predictions.npz that hold targets and recorded outputs.
        drawings: what `show --plots` draws besides the learning curves, in this order.
        paired_test: the test in analysis/statistics.py that compares two runs on the same examples.
    """

    name: str
    default_loss: str
    default_metrics: tuple[str, ...]
    step_metrics: tuple[str, ...]
    targets_name: str
    outputs_name: str
    drawings: tuple[str, ...]
    paired_test: str

    def outputs(self, names: Sequence[str]) -> int:
        """How many outputs a model has, for these names of classes or targets."""

    def recorded(self, raw: np.ndarray, loss: str) -> np.ndarray:
        """What is recorded and served of a model's raw outputs [N, outputs], float32 of the same shape.

        It may depend on the loss, by its name: with a Poisson loss the outputs of a regression are logarithms.
        """

    def check(self, targets: np.ndarray, outputs: np.ndarray, examples: int, width: int) -> None:
        """Refuse arrays of predictions.npz that are not of so many examples and outputs.

        Raises:
            ValueError: the message says what was found and expected; the caller adds the file.
        """

    def score(self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray) -> dict[str, float | None]:
        """The values of these metrics by name, for the targets and recorded outputs of a whole part."""

    def paired_values(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """What `paired_test` compares between two runs: a value of each example [N], larger where the run is better."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32, from logits [N, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float32)
    return powers / powers.sum(axis=1, keepdims=True)


class Classification:
    """One class of several for each example. Raw outputs are logits, or what a squared error is computed from.

    predictions.npz holds `labels`, int [N], and `probabilities`, float32 [N, classes]. McNemar's test compares two runs
    by which examples each classifies correctly.
    """

    name = metrics.CLASSIFICATION
    default_loss = "cross_entropy"
    default_metrics: tuple[str, ...] = ("accuracy",)
    step_metrics: tuple[str, ...] = ("accuracy",)
    targets_name = "labels"
    outputs_name = "probabilities"
    drawings: tuple[str, ...] = ("confusion", "mistakes")
    paired_test = "mcnemar"

    def outputs(self, names: Sequence[str]) -> int:
        """One for each class."""
        return len(names)

    def recorded(self, raw: np.ndarray, loss: str) -> np.ndarray:
        """Probabilities, float32 [N, classes]: the softmax of the raw outputs, whichever the loss."""
        return softmax(raw)

    def check(self, targets: np.ndarray, outputs: np.ndarray, examples: int, width: int) -> None:
        """Refuse what is not labels, int [examples], from 0 to width - 1, and probabilities, float [examples, width].

        Raises:
            ValueError: the message says what was found and expected.
        """
        if targets.dtype.kind not in "iu" or targets.shape != (examples,):
            raise ValueError(f"labels are {targets.dtype} {targets.shape}; expected {examples} integers")
        if outputs.dtype.kind != "f" or outputs.shape != (examples, width):
            shape = (examples, width)
            raise ValueError(f"probabilities are {outputs.dtype} {outputs.shape}; expected floats {shape}")
        if examples == 0 or targets.min() < 0 or targets.max() >= width:
            raise ValueError(f"labels are not all from 0 to {width - 1}")
        if outputs.min(initial=0, where=~np.isnan(outputs)) < 0 or outputs.max(initial=0, where=~np.isnan(outputs)) > 1:
            raise ValueError("probabilities are not all from 0 to 1")  # those of a run that diverged are NaN

    def score(self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray) -> dict[str, float | None]:
        """The values of these metrics by name, for labels [N] and probabilities [N, classes], computed in float64."""
        outputs = np.asarray(outputs, np.float64)
        return {metric.name: metric.evaluate(targets, outputs) for metric in wanted}

    def paired_values(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Which examples are classified correctly, bool [N]; of equal probabilities the first counts."""
        return outputs.argmax(axis=1) == targets


TASKS: dict[str, Task] = {task.name: task for task in (Classification(),)}


def task_of(name: str) -> Task:
    """The task of this name.

    Raises:
        RequestError: there is none; the message names the nearest.
    """
    if name not in TASKS:
        raise RequestError(f"there is no task {name!r}; {metrics.hint(name, TASKS)}")
    return TASKS[name]
