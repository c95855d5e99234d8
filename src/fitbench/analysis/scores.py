"""Scores of single classes, targets and labels, and the mistakes on single examples, from recorded predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fitbench import metrics
from fitbench.tasks import decisions


def predicted(probabilities: np.ndarray) -> np.ndarray:
    """The most probable class of each example, int [N], for probabilities [N, classes]; of equal ones the first."""
    return probabilities.argmax(axis=1)


def classified(probabilities: np.ndarray) -> np.ndarray:
    """Which examples have a predicted class, bool [N]: those without NaN among their probabilities."""
    return ~np.isnan(probabilities).any(axis=1)


def right(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Which examples are classified correctly, bool [N]; none of those with NaN is."""
    return (predicted(probabilities) == labels) & classified(probabilities)


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How often examples of each class were classified as each: int [classes, classes], true classes in rows.

    `labels` are int [N], `probabilities` [N, classes]. Examples with NaN among their probabilities are left out.
    """
    classes, known = probabilities.shape[1], classified(probabilities)
    codes = labels[known].astype(np.int64) * classes + predicted(probabilities[known])
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class of a confusion matrix.

    Precision is None for a class that is never predicted, recall for one without examples, F1 for one that is both.
    """
    right = matrix.diagonal().tolist()
    read_as = matrix.sum(axis=0).tolist()
    support = matrix.sum(axis=1).tolist()
    return [
        {
            "class": name,
            "precision": _share(right[i], read_as[i]),
            "recall": _share(right[i], support[i]),
            "f1": _share(2 * right[i], read_as[i] + support[i]),
            "support": support[i],
        }
        for i, name in enumerate(names)
    ]


def macro_average(scores: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """The mean of precision, recall and F1 over all classes; None if a class has no example, or one has no scores.

    The precision of a class that is never predicted counts 0, as in the metric macro_precision.
    """
    if not scores or not all(score["support"] and score["f1"] is not None for score in scores):
        return dict.fromkeys(("precision", "recall", "f1"))
    return {key: sum(score[key] or 0.0 for score in scores) / len(scores) for key in ("precision", "recall", "f1")}


def confused_pairs(matrix: np.ndarray, names: Sequence[str], count: int) -> list[dict[str, Any]]:
    """The `count` most frequent confusions: true and predicted class, how often, and as a share of the true class."""
    errors = matrix - np.diag(matrix.diagonal())
    most = np.argsort(-errors, axis=None, kind="stable")[:count]
    support = matrix.sum(axis=1)
    return [
        {
            "true": names[row],
            "predicted": names[column],
            "count": int(errors[row, column]),
            "share": float(errors[row, column] / support[row]),
        }
        for row, column in zip(*np.unravel_index(most, errors.shape), strict=True)
        if errors[row, column]
    ]


def mistakes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Positions of the wrongly classified examples, int [M], the most confident first; NaN is the least confident."""
    wrong = np.flatnonzero(~right(labels, probabilities))
    confidence = np.nan_to_num(probabilities[wrong].max(axis=1), nan=-1.0)
    return wrong[np.argsort(-confidence, kind="stable")]


# -- several labels ---------------------------------------------------------------------------------------------------


def per_label(targets: np.ndarray, outputs: np.ndarray, names: Sequence[str], threshold: float) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support (examples that have it) of each label, as `per_class` gives them.

    A label with NaN among its probabilities has no scores. `targets` and `outputs` are [N, labels].
    """
    truth, decided = targets.astype(bool), decisions(outputs, threshold)
    right, given, support = (each.sum(axis=0).tolist() for each in (truth & decided, decided, truth))
    undefined = np.isnan(outputs).any(axis=0).tolist()
    return [
        {
            "label": name,
            "precision": None if undefined[i] else _share(right[i], given[i]),
            "recall": None if undefined[i] else _share(right[i], support[i]),
            "f1": None if undefined[i] else _share(2 * right[i], given[i] + support[i]),
            "support": support[i],
        }
        for i, name in enumerate(names)
    ]


# -- regression -------------------------------------------------------------------------------------------------------


def per_target(targets: np.ndarray, outputs: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """MAE, RMSE, R2 and bias (the mean of predicted - true) of each target, for targets and values [N, targets].

    They are the metrics of these names on one target; None where they are undefined or no finite numbers.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        columns = {
            "mae": metrics.mae_per_target(targets, outputs),
            "rmse": metrics.rmse_per_target(targets, outputs),
            "r2": metrics.r2_per_target(targets, outputs),
            "bias": (np.asarray(outputs, np.float64) - targets).mean(axis=0),
        }
    return [
        {"target": name, **{key: finite(values[i]) for key, values in columns.items()}} for i, name in enumerate(names)
    ]


def worst_values(targets: np.ndarray, outputs: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Example and target of the `count` largest errors, each relative to the spread of its target; NaN first."""
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(np.asarray(outputs, np.float64) - targets) / spread(targets)
    errors[np.isnan(errors)] = np.inf
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    return [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, errors.shape), strict=True)]


def spread(targets: np.ndarray) -> np.ndarray:
    """The standard deviation of each target, float [targets]; 1 where it is 0 or no finite number."""
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = np.asarray(targets, np.float64).std(axis=0)
    return np.where(np.isfinite(deviations) & (deviations > 0), deviations, 1.0)


def decimals(targets: np.ndarray) -> list[int]:
    """Decimals for the values of each target: three significant digits of its standard deviation, and alike."""
    digits = [decimals_of(deviation) for deviation in spread(targets).tolist()]
    return [max(digits)] * len(digits) if max(digits) - min(digits) <= 1 else digits


def decimals_of(size: float, most: int = 12) -> int:
    """Decimals with which a number of this size, above 0, has three significant digits."""
    return min(max(2 - math.floor(math.log10(size)), 0), most)


def finite(value: float) -> float | None:
    """The value as a float of Python's own, None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
