"""The tasks: what a model's outputs mean, what is recorded of them, and how they are scored. Free of Keras.

Training, `show` and `diff` ask a task for what depends on it. To add a task, write a class with the attributes and
methods of `Task`, add it to `TASKS`, and give it its losses in training/objective.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fitbench import metrics
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.text import hint

PROBABILITY = "_probability"  # the end of the names of columns
CURVES = "curves"  # the picture of any run that has epochs
THRESHOLD = 0.5  # the probability from which on a label counts as predicted, unless the configuration says otherwise
Threshold = float | np.ndarray  # one for all examples, or float [N, 1] for predictions of several models


class Task(Protocol):
    """What fitbench asks of a task. `N` is the number of examples of a part.

    Attributes:
        name: as in the configuration and in result.json.
        losses: the names that `training.loss` can have; `auto` stands for the first.
        default_metrics: the names of the metrics that are recorded by default; the first is primary.
        epoch_means: those of `step_metrics` whose mean over the last epoch, in which the weights change, is recorded
            as the value of the training part. All others are computed from the final weights.
        step_metrics: the names of the metrics that the compiled training and validation steps measure besides the
            loss, from raw outputs.
        has_classes: whether each example is of one of several classes.
        has_values: whether the outputs of a model are numbers in the units of the targets. Those of other tasks are
            logits, or what a squared error is computed from.
        has_threshold: whether a threshold makes decisions of its outputs.
        settings: the keys of `training` that are for this task alone, each with the value that any task may have.
        names_key: the key of dataset.json, and of `data` in result.json, that holds the names of its outputs.
        targets_name, outputs_name: the arrays of predictions.npz that hold targets and recorded outputs.
        drawings: what `show --plots` draws besides the learning curves, in this order.
        disagreements: how analysis/disagreements.py lists the examples on which two runs differ most.
        mcnemar: the metric that is the share of right examples, which McNemar's test compares between two runs; ''
            without one. Any other metric is compared by a paired bootstrap.
    """

    name: str
    losses: tuple[str, ...]
    default_metrics: tuple[str, ...]
    step_metrics: tuple[str, ...]
    epoch_means: tuple[str, ...]
    has_classes: bool
    has_values: bool
    has_threshold: bool
    settings: tuple[tuple[str, Any], ...]
    names_key: str
    targets_name: str
    outputs_name: str
    drawings: tuple[str, ...]
    disagreements: str
    mcnemar: str

    def recorded(self, raw: np.ndarray) -> np.ndarray:
        """What is recorded and served of a model's raw outputs [N, outputs], float32 of the same shape."""

    def check(self, targets: np.ndarray, outputs: np.ndarray, examples: int, width: int) -> None:
        """Refuse arrays of predictions.npz that are not of so many examples and outputs.

        Raises:
            ValueError: the message says what was found and expected; the caller adds the file.
        """

    def score(
        self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray, threshold: Threshold = THRESHOLD
    ) -> dict[str, float | None]:
        """The values of these metrics by name, for the targets and recorded outputs of a whole part.

        `threshold` makes decisions of outputs where a metric needs them.
        """

    def answer_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns of what `fitbench predict` writes, for these names of outputs."""

    def answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[list[Any]]:
        """What `fitbench predict` writes of each example, [N, answer_columns]: texts, numbers, lists of texts or None.

        It is given the raw and the recorded outputs, [N, outputs] both. Numbers have six significant digits.
        """

    def named_answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[dict[str, Any]]:
        """What `fitbench serve` answers of each example, by name; the arguments are those of `answers`."""

    def compared(
        self, names: Sequence[str], targets: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> dict[str, list[Any]]:
        """What is true and what is predicted of each example, by column: texts, or numbers as texts that are exact.

        `targets` and `outputs` are as recorded. Several labels are one text with '; ' between them.
        """


def _exact(values: np.ndarray) -> list[str]:
    """Numbers with the fewest digits that give the same float32 again."""
    return [str(value) for value in values.astype(np.float32)]


def _shares(names: Sequence[str], probabilities: np.ndarray) -> dict[str, list[str]]:
    """A column with the probabilities of each name."""
    return {f"{name}{PROBABILITY}": _exact(probabilities[:, i]) for i, name in enumerate(names)}


def _joined(names: Sequence[str], applies: np.ndarray) -> list[str]:
    """The names that apply to each example, as one text."""
    return ["; ".join(itertools.compress(names, row)) for row in applies.tolist()]


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32, from logits [N, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float32)
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32, from logits of any shape. exp overflows for no finite logit."""
    powers = np.exp(-np.abs(logits), dtype=np.float32)
    return (np.where(np.asarray(logits) >= 0, 1, powers) / (1 + powers)).astype(np.float32)


def decisions(probabilities: np.ndarray, threshold: Threshold = THRESHOLD) -> np.ndarray:
    """Which probabilities, recorded as float32, are at least the threshold; bool of the same shape.

    The threshold is rounded to float32 too: a recorded 0.7 is a little less than 0.7, and reaches a threshold of 0.7.
    """
    return probabilities >= np.float32(threshold)


def _values(wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray) -> dict[str, float | None]:
    """The values of these metrics by name, from outputs as float64."""
    outputs = np.asarray(outputs, np.float64)
    return {metric.name: metric.evaluate(targets, outputs) for metric in wanted}


def _check_probabilities(outputs: np.ndarray) -> None:
    """Refuse numbers outside of 0 to 1. Those of a run that diverged are NaN."""
    if outputs.min(initial=0, where=~np.isnan(outputs)) < 0 or outputs.max(initial=0, where=~np.isnan(outputs)) > 1:
        raise ValueError("probabilities are not all from 0 to 1")


class Classification:
    """One class of several for each example. Raw outputs are logits, or what a squared error is computed from.

    predictions.npz holds `labels`, int [N], and `probabilities`, float32 [N, classes]. McNemar's test compares two runs
    by which examples each classifies correctly.
    """

    name = metrics.CLASSIFICATION
    losses: tuple[str, ...] = ("cross_entropy", "mean_squared_error", "binary_cross_entropy")
    default_metrics: tuple[str, ...] = ("accuracy",)
    step_metrics: tuple[str, ...] = ("accuracy",)
    epoch_means: tuple[str, ...] = ("accuracy",)
    has_classes = True
    has_values = False
    has_threshold = False
    settings: tuple[tuple[str, Any], ...] = (("label_smoothing", 0.0), ("class_weight", None))
    names_key = "classes"
    targets_name = "labels"
    outputs_name = "probabilities"
    drawings: tuple[str, ...] = ("confusion", "mistakes")
    disagreements = "classes"
    mcnemar = "accuracy"

    def recorded(self, raw: np.ndarray) -> np.ndarray:
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
        _check_probabilities(outputs)

    def score(
        self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray, threshold: Threshold = THRESHOLD
    ) -> dict[str, float | None]:
        """The values of these metrics by name, for labels [N] and probabilities [N, classes], computed in float64."""
        return _values(wanted, targets, outputs)

    def answer_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The best classes, with the probability of each."""
        return ("label", "probability", "second", "second_probability", "third", "third_probability")

    def answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[list[Any]]:
        """The three best classes; None in place of a third one of two. Of equal raw outputs the first comes first."""
        order = np.argsort(-raw, axis=1, kind="stable")[:, :3]
        shares = np.take_along_axis(outputs, order, axis=1).tolist()
        rows = [
            [cell for i, share in zip(best, row, strict=True) for cell in (names[i], _six_digits(share))]
            for best, row in zip(order.tolist(), shares, strict=True)
        ]
        return [row + [None] * (6 - len(row)) for row in rows]

    def named_answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[dict[str, Any]]:
        """The best class, its probability, and the probability of each class."""
        shares = [[round(share, 7) for share in row] for row in outputs.tolist()]
        return [
            {"label": names[best], "probability": row[best], "probabilities": dict(zip(names, row, strict=True))}
            for best, row in zip(raw.argmax(axis=1).tolist(), shares, strict=True)
        ]

    def compared(
        self, names: Sequence[str], targets: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> dict[str, list[Any]]:
        """The true and the predicted class, None for an example with NaN; and the probability of each class."""
        true = [names[label] for label in targets.tolist()]
        answers = zip(outputs.argmax(axis=1).tolist(), np.isnan(outputs).any(axis=1).tolist(), strict=True)
        predicted = [None if is_undefined else names[label] for label, is_undefined in answers]
        return {"true": true, "predicted": predicted, **_shares(names, outputs)}


class Regression:
    """Numbers for each example, one for each target. The outputs are the values, in the units of the targets.

    predictions.npz holds `targets` and `values`, float32 [N, targets] both.
    """

    name = metrics.REGRESSION
    losses: tuple[str, ...] = ("mse", "mae", "huber")
    default_metrics: tuple[str, ...] = ("mae", "rmse", "r2")
    step_metrics: tuple[str, ...] = ("mae",)
    epoch_means: tuple[str, ...] = ()
    has_classes = False
    has_values = True
    has_threshold = False
    settings: tuple[tuple[str, Any], ...] = (("standardize_targets", False),)
    names_key = "targets"
    targets_name = "targets"
    outputs_name = "values"
    drawings: tuple[str, ...] = ("predicted", "residuals")
    disagreements = "values"
    mcnemar = ""

    def recorded(self, raw: np.ndarray) -> np.ndarray:
        """The outputs themselves."""
        return raw

    def check(self, targets: np.ndarray, outputs: np.ndarray, examples: int, width: int) -> None:
        """Refuse what is not targets and values, float [examples, width].

        Raises:
            ValueError: the message says what was found and expected.
        """
        for name, array in (("targets", targets), ("values", outputs)):
            if array.dtype.kind != "f" or array.shape != (examples, width):
                raise ValueError(f"{name} are {array.dtype} {array.shape}; expected floats {(examples, width)}")
        if examples == 0 or not np.isfinite(targets).all():
            raise ValueError("targets are not all finite numbers")

    def score(
        self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray, threshold: Threshold = THRESHOLD
    ) -> dict[str, float | None]:
        """The values of these metrics by name, for targets and values [N, targets], computed in float64."""
        return _values(wanted, targets, outputs)

    def answer_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The targets."""
        return tuple(names)

    def answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[list[Any]]:
        """The value of each target."""
        return [[_six_digits(value) for value in row] for row in outputs.tolist()]

    def named_answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[dict[str, Any]]:
        """The value of each target."""
        rows = self.answers(names, raw, outputs, threshold)
        return [{"values": dict(zip(names, row, strict=True))} for row in rows]

    def compared(
        self, names: Sequence[str], targets: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> dict[str, list[Any]]:
        """The true and the predicted value of each target."""
        return {
            f"{name}_{what}": _exact(values[:, i])
            for i, name in enumerate(names)
            for what, values in (("true", targets), ("predicted", outputs))
        }


class MultiLabel:
    """Several labels for each example, each of which applies or not. Raw outputs are logits, one for each label.

    predictions.npz holds `labels`, int8 [N, labels] of 0 and 1, and `probabilities`, float32 [N, labels].
    """

    name = metrics.MULTILABEL
    losses: tuple[str, ...] = ("binary_cross_entropy",)
    default_metrics: tuple[str, ...] = ("micro_f1", "macro_f1", "subset_accuracy", "hamming_loss")
    step_metrics: tuple[str, ...] = ()
    epoch_means: tuple[str, ...] = ()
    has_classes = False
    has_values = False
    has_threshold = True
    settings: tuple[tuple[str, Any], ...] = (("threshold", THRESHOLD),)
    names_key = "labels"
    targets_name = "labels"
    outputs_name = "probabilities"
    drawings: tuple[str, ...] = ("labels",)
    disagreements = "labels"
    mcnemar = ""

    def recorded(self, raw: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [N, labels]: the sigmoid of the raw outputs."""
        return sigmoid(raw)

    def check(self, targets: np.ndarray, outputs: np.ndarray, examples: int, width: int) -> None:
        """Refuse what is not labels, int [examples, width] of 0 and 1, and probabilities, float of the same shape.

        Raises:
            ValueError: the message says what was found and expected.
        """
        shape = (examples, width)
        if targets.dtype.kind not in "iub" or targets.shape != shape:
            raise ValueError(f"labels are {targets.dtype} {targets.shape}; expected integers {shape}")
        if outputs.dtype.kind != "f" or outputs.shape != shape:
            raise ValueError(f"probabilities are {outputs.dtype} {outputs.shape}; expected floats {shape}")
        if examples == 0 or not np.isin(targets, (0, 1)).all():
            raise ValueError("labels are not all 0 or 1")
        _check_probabilities(outputs)

    def score(
        self, wanted: Iterable[Metric], targets: np.ndarray, outputs: np.ndarray, threshold: Threshold = THRESHOLD
    ) -> dict[str, float | None]:
        """The values of these metrics by name, for labels and probabilities [N, labels], computed in float64.

        Metrics of decisions are given which labels have a probability of at least `threshold`, bool [N, labels]; they
        are undefined where a probability is NaN.
        """
        outputs = np.asarray(outputs, np.float64)
        decided = outputs if np.isnan(outputs).any() else decisions(outputs, threshold)
        return {metric.name: metric.evaluate(targets, decided if metric.of_decisions else outputs) for metric in wanted}

    def answer_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The labels that apply, and the probability of each."""
        return ("labels", *(f"{name}{PROBABILITY}" for name in names))

    def answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[list[Any]]:
        """A list of the labels with a probability of at least the threshold, and the probability of each label."""
        decided = decisions(outputs, threshold).tolist()
        return [
            [list(itertools.compress(names, applies)), *map(_six_digits, row)]
            for applies, row in zip(decided, outputs.tolist(), strict=True)
        ]

    def named_answers(
        self, names: Sequence[str], raw: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> list[dict[str, Any]]:
        """A list of the labels that apply, and the probability of each label."""
        rows = self.answers(names, raw, outputs, threshold)
        return [{"labels": labels, "probabilities": dict(zip(names, shares, strict=True))} for labels, *shares in rows]

    def compared(
        self, names: Sequence[str], targets: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD
    ) -> dict[str, list[Any]]:
        """The labels that apply and those that are predicted, and the probability of each."""
        predicted = _joined(names, decisions(outputs, threshold))
        return {"true": _joined(names, targets), "predicted": predicted, **_shares(names, outputs)}


def best_threshold(metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> float:
    """The threshold from 0.01 to 0.99, in steps of 0.01, with the best value of a metric of decisions.

    Of equally good ones it is that nearest to 0.5, and of two of these the lower.

    Args:
        metric: with a scoring function.
        targets: labels, int [N, labels].
        outputs: probabilities, float [N, labels].
    """
    best, found = THRESHOLD, metric.evaluate(targets, decisions(outputs))
    for hundredths in sorted(range(1, 100), key=lambda hundredths: (abs(hundredths - 50), hundredths)):
        value = metric.evaluate(targets, decisions(outputs, hundredths / 100))
        if metric.is_better(value, found):
            best, found = hundredths / 100, value
    return best


def threshold_of(result: Mapping[str, Any]) -> float:
    """The threshold that a recorded run decides with; what result.json holds is given."""
    return THRESHOLD if result.get("threshold") is None else float(result["threshold"])


TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Regression(), MultiLabel())}


def all_picture_names() -> list[str]:
    """The names of all pictures that may be drawn of a run, of any task."""
    return [CURVES, *(name for task in TASKS.values() for name in task.drawings)]


def task_of(name: str) -> Task:
    """The task of this name.

    Raises:
        RequestError: there is none; the message names the nearest.
    """
    if name not in TASKS:
        raise RequestError(f"there is no task {name!r}; {hint(name, TASKS)}")
    return TASKS[name]
