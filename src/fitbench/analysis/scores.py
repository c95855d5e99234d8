"""Scores of single classes and the mistakes on single examples, from labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def predicted(probabilities: np.ndarray) -> np.ndarray:
    """The most probable class of each image, int [N], for probabilities [N, classes]; of equal ones the first."""
    return probabilities.argmax(axis=1)


def confusion(labels: np.ndarray, classified: np.ndarray, classes: int) -> np.ndarray:
    """How often examples of each class were classified as each: int [classes, classes], true classes in rows."""
    codes = labels.astype(np.int64) * classes + classified
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
    """The mean of precision, recall and F1 over the classes for which each exists."""

    def mean(key: str) -> float | None:
        values = [score[key] for score in scores if score[key] is not None]
        return _share(sum(values), len(values))

    return {key: mean(key) for key in ("precision", "recall", "f1")}


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
    wrong = np.flatnonzero(predicted(probabilities) != labels)
    confidence = np.nan_to_num(probabilities[wrong].max(axis=1), nan=-1.0)
    return wrong[np.argsort(-confidence, kind="stable")]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
