"""The metrics: name, label, range, direction, format and scoring function of each, stated once. Free of Keras.

To add a metric, write its scoring function and one entry of `_ENTRIES`. A user adds one in the configuration, with
`metrics.kappa={_target_: mine.kappa, direction: max}` (see user_metrics.py). Commands that read recorded runs rebuild
their metrics from `metric_info` of result.json (see quantities.py), so they also serve metrics that are not here.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from fitbench.errors import FitbenchError, RequestError
from fitbench.text import hint

CLASSIFICATION = "classification"
REGRESSION = "regression"
MULTILABEL = "multilabel"
PARTS = {"train": "training", "val": "validation", "test": "test"}  # prefix of a recorded value: what a label calls it
EXAMPLES = {"train": "train", "val": "validation", "test": "test"}  # by prefix, the key of their number in result.json
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
RESERVED = ("epoch", "epochs", "best_epoch", "seconds", "learning_rate")  # other keys of history.jsonl and `metrics`
TOP_K = re.compile(r"top_([1-9][0-9]{0,5})_accuracy")

Score = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class Metric:
    """A metric and, where it can be computed here, its scoring function.

    Attributes:
        name: as in 'macro_f1'; recorded values are 'train_macro_f1', 'val_macro_f1' and 'test_macro_f1'.
        label: for tables and axes, as in 'macro F1'.
        direction: 'max' if a larger value is better, 'min' if a smaller one is.
        low, high: the range, ends included; they may be infinite.
        digits: decimals that a table shows.
        unit: '' or the unit, as in 's'.
        proportion: whether the value is a share of the examples, k out of N.
        tasks: the names of the tasks it is for; empty for any task.
        of_decisions: whether, of several labels, it depends on the outputs only through the decisions that a threshold
            makes of them. Its scoring function is then given these, 0 and 1 [N, labels], in place of outputs.
        definition: identifies what is computed. Values of different definitions are never aggregated. It is empty for
            a user's metric until `load` has imported it.
        score: a function of the targets and the recorded outputs of a whole part; None for `loss`, for a metric from
            `from_info`, and for a user's metric until `load`. Call `evaluate`, which handles undefined values.
    """

    name: str
    label: str
    direction: Literal["max", "min"]
    low: float = -math.inf
    high: float = math.inf
    digits: int = 4
    unit: str = ""
    proportion: bool = False
    tasks: tuple[str, ...] = ()
    of_decisions: bool = False
    definition: str = ""
    score: Score | None = field(default=None, compare=False, repr=False)

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return self.direction == "max"

    def is_for(self, task: str | None) -> bool:
        """Whether a run of this task can record it; None is any task."""
        return not self.tasks or task is None or task in self.tasks

    def is_better(self, value: float | None, other: float | None, min_delta: float = 0.0) -> bool:
        """Whether `value` is better than `other` by more than `min_delta`, as Keras's early stopping counts.

        An undefined value (None or NaN) is never better. A defined value is better than an undefined one.
        """
        if value is None or math.isnan(value):
            return False
        if other is None or math.isnan(other):
            return True
        return value - min_delta > other if self.higher_is_better else value + min_delta < other

    def evaluate(self, targets: np.ndarray, outputs: np.ndarray) -> float | None:
        """The value for a whole part, computed in float64.

        Args:
            targets: classification: labels, int [N]; regression: values, [N] or [N, targets]; several labels: int
                [N, labels] of 0 and 1.
            outputs: the recorded outputs of the same examples, such as probabilities [N, classes] or values, or the
                decisions on labels, bool [N, labels], where the metric is one `of_decisions`.

        Returns:
            None where the value is undefined: without examples, with NaN among the outputs, where the scoring function
            says so, and where the result is not finite.

        Raises:
            ValueError: the metric has no scoring function, or the shapes do not agree.
            FitbenchError: a user's function fails or does not return one number.
        """
        if self.score is None:
            raise ValueError(f"the metric {self.name} has no scoring function")
        if len(targets) != len(outputs):
            raise ValueError(f"{len(targets)} targets and outputs of {len(outputs)} examples")
        outputs = np.asarray(outputs, np.float64)
        if not len(targets) or np.isnan(outputs).any():
            return None
        value = self.score(targets, outputs)
        return float(value) if value is not None and math.isfinite(value) else None

    def info(self) -> dict[str, Any]:
        """What result.json records in `metric_info`, of JSON's own types. `from_info` reads it.

        Raises:
            ValueError: the metric is a user's and `load` has not imported it.
        """
        if not self.definition:
            raise ValueError(f"the metric {self.name} has not been loaded")
        return {
            "label": self.label,
            "direction": self.direction,
            "range": [end if math.isfinite(end) else None for end in (self.low, self.high)],
            "digits": self.digits,
            "unit": self.unit,
            "proportion": self.proportion,
            "definition": self.definition,
        }


# -- classification: labels int [N], outputs float64 [N, classes] -----------------------------------------------------
# Macro F1 and ROC AUC are for several labels too. There `labels` are int [N, labels] of 0 and 1, and `outputs` are
# decisions of 0 and 1, or probabilities.


def accuracy(labels: np.ndarray, outputs: np.ndarray) -> float:
    """The share of examples whose largest output is that of their label; of equal outputs the first counts."""
    return float(np.mean(outputs.argmax(axis=1) == labels))


def top_k_accuracy(labels: np.ndarray, outputs: np.ndarray, k: int) -> float:
    """The share of examples whose label is among the k largest outputs; of equal outputs the first count.

    scikit-learn counts the last of equal outputs. With k of at least the number of classes the value is 1.
    """
    of_label = outputs[np.arange(len(labels)), labels][:, None]
    before = np.arange(outputs.shape[1]) < np.asarray(labels)[:, None]
    rank = ((outputs > of_label) | ((outputs == of_label) & before)).sum(axis=1)
    return float(np.mean(rank < k))


def macro_recall(labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """The mean over all classes of the share of the class's examples that are recognised, which is balanced accuracy.

    Undefined where a class has no example. (scikit-learn's balanced_accuracy_score leaves such a class out.)
    """
    right, _, support = _counts(labels, outputs)
    return float(np.mean(right / support)) if support.all() else None


def macro_precision(labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """The mean over all classes of the share of the class's predictions that are right.

    A class that is never predicted counts 0, as with scikit-learn's zero_division=0. Undefined where a class has no
    example.
    """
    right, predicted, support = _counts(labels, outputs)
    return float(np.mean(right / np.maximum(predicted, 1))) if support.all() else None


def macro_f1(labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """The mean over all classes, or labels, of F1 = 2 right / (predicted + support).

    Undefined where a class, or label, has no example. (scikit-learn counts such a label 0.) This is the mean of the F1
    scores, as in scikit-learn, and not F1 of mean precision and mean recall; the two differ (Opitz and Burst 2019,
    Macro F1 and Macro F1, arXiv:1911.03347).
    """
    right, predicted, support = _counts(labels, outputs)
    return float(np.mean(2 * right / (predicted + support))) if support.all() else None


def roc_auc(labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """The area under the ROC curve: of two classes that of the second; of more, or of labels, the mean of all.

    It is scikit-learn's roc_auc_score with average='macro' and, of classes, multi_class='ovr'. Undefined where a class,
    or label, has no example or all of them.
    """
    several, count = labels.ndim == 2, outputs.shape[1]
    areas = []
    for i in [1] if count == 2 and not several else range(count):
        positive = labels[:, i] == 1 if several else labels == i
        if positive.all() or not positive.any():
            return None
        areas.append(_area(positive, outputs[:, i]))
    return float(np.mean(areas))


def _area(positive: np.ndarray, scores: np.ndarray) -> float:
    """The area under one ROC curve as the Mann-Whitney U over the number of pairs, ties counting one half.

    Hanley and McNeil (1982), Radiology 143, 29-36. `positive` is bool [N] with both values, `scores` is float [N].
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positives = int(positive.sum())
    u = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(u / (positives * (len(scores) - positives)))


def log_loss(labels: np.ndarray, outputs: np.ndarray) -> float:
    """The mean of -log p for the probability p of the label, natural logarithm; p is clipped to [eps, 1 - eps].

    eps is that of float64, 2.2e-16, as in scikit-learn. Unlike `loss` it has no regularisation or label smoothing.
    """
    eps = np.finfo(np.float64).eps
    of_label = outputs[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(of_label, eps, 1 - eps)).mean())


def _counts(labels: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many examples of each class, or label, are right, predicted and there, int [classes] each."""
    if labels.ndim == 2:
        there, decided = labels == 1, outputs == 1
        return (there & decided).sum(axis=0), decided.sum(axis=0), there.sum(axis=0)
    predicted, classes = outputs.argmax(axis=1), outputs.shape[1]
    count = partial(np.bincount, minlength=classes)
    return count(labels[predicted == labels]), count(predicted), count(labels)


# -- several labels: labels int [N, labels] of 0 and 1, decisions [N, labels] of 0 and 1 ------------------------------


def micro_f1(labels: np.ndarray, decisions: np.ndarray) -> float | None:
    """F1 = 2 right / (predicted + support) of all pairs of an example and a label together.

    Undefined where no example has a label. (scikit-learn says 0.) Of classes it would be the accuracy.
    """
    right, predicted, support = (count.sum() for count in _counts(labels, decisions))
    return float(2 * right / (predicted + support)) if support else None


def subset_accuracy(labels: np.ndarray, decisions: np.ndarray) -> float:
    """The share of examples of which every label is right; scikit-learn's accuracy_score."""
    return float(np.mean((labels == decisions).all(axis=1)))


def hamming_loss(labels: np.ndarray, decisions: np.ndarray) -> float:
    """The share of all pairs of an example and a label that are wrong."""
    return float(np.mean(labels != decisions))


# -- regression: targets and outputs [N] or [N, targets]; several targets count equally -------------------------------


def mae_per_target(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The mean absolute error of each target, float64 [targets]."""
    return np.abs(_errors(targets, outputs)).mean(axis=0)


def mse_per_target(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The mean squared error of each target, float64 [targets]."""
    return np.square(_errors(targets, outputs)).mean(axis=0)


def rmse_per_target(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The root of the mean squared error of each target, float64 [targets]."""
    return np.sqrt(mse_per_target(targets, outputs))


def r2_per_target(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The coefficient of determination of each target, float64 [targets]; NaN where the target is constant."""
    values = np.asarray(targets, np.float64).reshape(len(targets), -1)
    around = np.square(values - values.mean(axis=0)).sum(axis=0)
    around[(values == values[0]).all(axis=0)] = np.nan
    return 1 - np.square(_errors(targets, outputs)).sum(axis=0) / around


def mae(targets: np.ndarray, outputs: np.ndarray) -> float:
    """The mean absolute error."""
    return float(mae_per_target(targets, outputs).mean())


def mse(targets: np.ndarray, outputs: np.ndarray) -> float:
    """The mean squared error."""
    return float(mse_per_target(targets, outputs).mean())


def rmse(targets: np.ndarray, outputs: np.ndarray) -> float:
    """The root of the mean squared error; of several targets the mean of their roots, as in scikit-learn."""
    return float(rmse_per_target(targets, outputs).mean())


def r2(targets: np.ndarray, outputs: np.ndarray) -> float:
    """The coefficient of determination, 1 - sum (y - f)^2 / sum (y - mean y)^2; of several targets the mean.

    Undefined where a target is constant. (scikit-learn says 1 or 0 then.)
    """
    return float(r2_per_target(targets, outputs).mean())


def _errors(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Outputs minus targets, float64 [N, targets]."""
    expected, predicted = (np.asarray(values, np.float64).reshape(len(values), -1) for values in (targets, outputs))
    if expected.shape != predicted.shape:
        raise ValueError(f"targets of shape {targets.shape} and outputs of shape {outputs.shape}")
    return predicted - expected


# -- the entries ------------------------------------------------------------------------------------------------------

_share = partial(Metric, direction="max", low=0.0, high=1.0, tasks=(CLASSIFICATION,))
_label_share = partial(Metric, low=0.0, high=1.0, tasks=(MULTILABEL,), of_decisions=True)
_error = partial(Metric, direction="min", low=0.0, tasks=(REGRESSION,))

_ENTRIES = (
    _share("accuracy", "accuracy", score=accuracy, proportion=True),
    _share("balanced_accuracy", "balanced accuracy", score=macro_recall),
    _share("macro_f1", "macro F1", score=macro_f1, tasks=(CLASSIFICATION, MULTILABEL), of_decisions=True),
    _share("macro_precision", "macro precision", score=macro_precision),
    _share("macro_recall", "macro recall", score=macro_recall),
    _share("roc_auc", "ROC AUC", score=roc_auc, tasks=(CLASSIFICATION, MULTILABEL)),
    Metric("log_loss", "log loss", "min", low=0.0, tasks=(CLASSIFICATION,), score=log_loss),
    _label_share("micro_f1", "micro F1", "max", score=micro_f1),
    _label_share("subset_accuracy", "subset accuracy", "max", score=subset_accuracy, proportion=True),
    _label_share("hamming_loss", "Hamming loss", "min", score=hamming_loss),
    _error("mae", "MAE", score=mae),
    _error("mse", "MSE", score=mse),
    _error("rmse", "RMSE", score=rmse),
    Metric("r2", "R2", "max", high=1.0, tasks=(REGRESSION,), score=r2),
    Metric("loss", "loss", "min", low=0.0),  # training computes it
)
_METRICS = {entry.name: replace(entry, definition=f"fitbench.{entry.name}") for entry in _ENTRIES}


def supplied(name: str) -> Metric | None:
    """The metric of this name that fitbench supplies, or None; 'top_K_accuracy' is there for any K from 1."""
    if match := TOP_K.fullmatch(name):
        k = int(match[1])
        score, label = partial(top_k_accuracy, k=k), f"top-{k} accuracy"
        return _share(name, label, proportion=True, definition=f"fitbench.{name}", score=score)
    return _METRICS.get(name)


def get(name: str, task: str | None = None) -> Metric:
    """The metric of this name that fitbench supplies; 'top_K_accuracy' is there for any K from 1.

    Raises:
        RequestError: there is none; the message names the nearest, or those that a run of the task can select.
    """
    metric = supplied(name)
    if metric is None:
        names = [name.replace("_K_", "_5_") for name in names_for(task)]
        raise RequestError(f"there is no metric {name!r}; {hint(name, names)}")
    return metric


def names_for(task: str | None) -> list[str]:
    """What a run of a task, None for any, can select, by name, with top_K_accuracy where the task has it."""
    others = ["top_K_accuracy"] if get("top_1_accuracy").is_for(task) else []
    return [name for name in for_task(task) if name != "loss"] + others


def for_task(task: str | None) -> dict[str, Metric]:
    """The metrics of a task, None for any, by name, with `loss`; top_K_accuracy is not listed."""
    return {name: metric for name, metric in _METRICS.items() if metric.is_for(task)}


# -- recorded names ---------------------------------------------------------------------------------------------------


def split(name: str) -> tuple[str | None, str]:
    """Part and metric of a recorded name: 'val_macro_f1' is ('val', 'macro_f1'), 'loss' is (None, 'loss')."""
    part, _, metric = name.partition("_")
    return (part, metric) if part in PARTS and metric else (None, name)


def join(part: str, metric: str) -> str:
    """The name in `metrics` of result.json: 'test' and 'macro_f1' give 'test_macro_f1'."""
    return f"{part}_{metric}"


def is_held_back(part: str | None) -> bool:
    """Whether each fold has examples of this part for itself: the validation part, which it holds back."""
    return part == "val"


def history_key(part: str, metric: str) -> str:
    """The name in history.jsonl, where values of the training part have no prefix: 'loss', 'val_loss'."""
    return metric if part == "train" else join(part, metric)


# -- descriptions from the configuration and from result.json ---------------------------------------------------------

DESCRIPTION = ("direction", "low", "high", "label", "digits", "unit", "proportion")


def check_name(name: Any, where: str, error: type[Exception]) -> None:
    """Refuse, with this type of error, a name that a metric cannot have; `where` is the key that holds it."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise error(f"{where[:80]!r}: expected a name of at most 60 letters, digits and _, a letter first")
    if name in RESERVED or split(name)[0] is not None:
        parts = ", ".join(f"{part}_" for part in PARTS)
        raise error(f"{where}: expected a name other than {', '.join(RESERVED)}, and not one that begins with {parts}")


def description(name: str, values: Mapping[str, Any], where: str, error: type[FitbenchError]) -> dict[str, Any]:
    """The fields of a Metric that the configuration and `metric_info` state, checked. None stands for the default."""

    def read(key: str, default: Any, fits: Callable[[Any], bool], expected: str) -> Any:
        value = default if values.get(key) is None else values[key]
        if not fits(value):
            raise error(f"{where}.{key} is {value!r:.80}; expected {expected}")
        return value

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and value.isprintable() and len(value) <= 80

    if values.get("direction") is None:
        raise error(f"{where}.direction is missing; expected max or min")
    direction = read("direction", None, lambda value: value in ("max", "min"), "max or min")
    low = float(read("low", -math.inf, _is_number, "a number or null"))
    high = float(read("high", math.inf, _is_number, "a number or null"))
    if not low < high:
        raise error(f"{where}: low is {low:g} and high is {high:g}; expected low below high")
    proportion = read("proportion", False, lambda value: isinstance(value, bool), "true or false")
    if proportion and (low, high) != (0, 1):
        raise error(f"{where}.proportion is true, but the range is {low:g} to {high:g}; a proportion has 0 to 1")
    return {
        "label": read("label", name.replace("_", " "), lambda value: is_text(value) and value.strip(), "a short text"),
        "direction": direction,
        "low": low,
        "high": high,
        "digits": read("digits", 4, lambda value: type(value) is int and 0 <= value <= 12, "a whole number, 0 to 12"),
        "unit": read("unit", "", is_text, "a short text"),
        "proportion": proportion,
    }


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold, infinity included."""
    if type(value) is float:
        return not math.isnan(value)
    return type(value) is int and abs(value) <= sys.float_info.max
