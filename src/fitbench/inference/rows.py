"""The rows that `fitbench predict` writes: one per image, with its best classes or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.inference.sources import Batch

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

PREDICTION = ("label", "probability", "second", "second_probability", "third", "third_probability")
NOT_FINITE = "the output of the model is not a finite number"

Row = dict[str, Any]  # cells by column, in the order of the columns; None for an empty cell


def columns(labelled: bool) -> tuple[str, ...]:
    """Return the columns of a row. With labels, they include the true class and whether the prediction is correct."""
    return ("path", *PREDICTION, *(("true", "correct") if labelled else ()), "error")


def classify(
    reader: Reader,
    batch: Batch,
    images: np.ndarray,
    errors: Mapping[int, str],
    labels: Callable[[Batch], list[str | None]] | None,
) -> list[Row]:
    """Classify the images of a batch, and return a row for each.

    Classes are ordered by the outputs of the model. Of equal outputs, the first class comes first, as for the recorded
    accuracy of a run. Probabilities have six digits.

    Args:
        reader: the model.
        batch: the batch.
        images: uint8 [N, height, width, channels].
        errors: error messages by position. These images are not classified.
        labels: returns the true classes of a batch. Without it, rows have no columns `true` and `correct`.
    """
    readable = [i for i in range(len(images)) if i not in errors]
    predictions = dict(zip(readable, _predict(reader, images[readable]), strict=True)) if readable else {}
    true = labels(batch) if labels else None
    rows = []
    for i, name in enumerate(batch.names):
        prediction = predictions.get(i)
        row = {"path": name} | (prediction or dict.fromkeys(PREDICTION))
        if true is not None:
            row["true"] = true[i]
            row["correct"] = None if true[i] is None or prediction is None else row["label"] == true[i]
        row["error"] = errors.get(i, NOT_FINITE if prediction is None else None)
        rows.append(row)
    return rows


def _predict(reader: Reader, images: np.ndarray) -> list[Row | None]:
    """Return the best classes of each image, as cells by column; None if the outputs of the model are not finite."""
    logits = reader.logits(images)
    order = np.argsort(-logits, axis=1, kind="stable")[:, : len(PREDICTION) // 2]
    with np.errstate(invalid="ignore"):
        probabilities = np.take_along_axis(reader.recorded(logits), order, axis=1)
    predictions: list[Row | None] = []
    for is_finite, best, shares in zip(np.isfinite(logits).all(axis=1), order, probabilities.tolist(), strict=True):
        cells = chain.from_iterable((reader.classes[i], float(f"{p:.6g}")) for i, p in zip(best, shares, strict=True))
        padded = dict.fromkeys(PREDICTION) | dict(zip(PREDICTION, cells, strict=False))  # there may be two classes
        predictions.append(padded if is_finite else None)
    return predictions
