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
    predictions: list[Row] = [dict.fromkeys(PREDICTION) for _ in batch.names]
    messages = [errors.get(i) for i in range(len(images))]
    readable = [i for i, message in enumerate(messages) if message is None]
    logits = reader.logits(images[readable]) if readable else np.zeros((0, len(reader.classes)), np.float32)
    finite = np.isfinite(logits).all(axis=1)
    for i in np.flatnonzero(~finite).tolist():
        messages[readable[i]] = NOT_FINITE
    order = np.argsort(-logits, axis=1, kind="stable")[:, : len(PREDICTION) // 2]
    with np.errstate(invalid="ignore"):
        probabilities = np.take_along_axis(reader.recorded(logits), order, axis=1)
    for i in np.flatnonzero(finite).tolist():
        best = zip((reader.classes[k] for k in order[i]), (float(f"{p:.6g}") for p in probabilities[i]), strict=True)
        predictions[readable[i]] |= zip(PREDICTION, chain.from_iterable(best), strict=False)  # there may be two classes
    rows: list[Row] = [{"path": name} | prediction for name, prediction in zip(batch.names, predictions, strict=True)]
    if labels is not None:
        for row, true in zip(rows, labels(batch), strict=True):
            row["true"] = true
            row["correct"] = None if true is None or row["label"] is None else row["label"] == true
    return [row | {"error": message} for row, message in zip(rows, messages, strict=True)]
