"""What the page shows of predictions: confusion matrices, and the most confident mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis import scores
from fitbench.analysis.drawings import drawings_of
from fitbench.analysis.frame import without_folder
from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.report.curves import LeftOut

MISTAKES = 12  # the most confident ones of a run
MATRIX = 40  # classes; with more, a run has no confusion matrix but its most confused pairs
PAIRS = 30  # of these


def predictions(folders: Sequence[str], states: Sequence[str], left_out: LeftOut) -> dict[str, Any]:
    """Of each finished run what its task draws: the confusion matrix, or why there is none, and the mistakes.

    `classes` holds each list of names once; a matrix has its place there.
    """
    classes: dict[tuple[str, ...], int] = {}
    confusion: list[dict[str, Any] | str | None] = []
    mistakes: list[dict[str, Any] | None] = []
    for folder, state in zip(folders, states, strict=True):
        matrix, wrong = _of_run(folder, classes, left_out) if state == "finished" else (None, None)
        confusion.append(matrix)
        mistakes.append(wrong)
    return {"classes": [list(names) for names in classes], "confusion": confusion, "mistakes": mistakes}


def _of_run(
    folder: str, classes: dict[tuple[str, ...], int], left_out: LeftOut
) -> tuple[dict[str, Any] | str | None, dict[str, Any] | None]:
    try:
        result = reading.read_result(Path(folder))
        found = reading.read_predictions(Path(folder), result)
    except FitbenchError as error:
        if not (Path(folder) / "predictions.npz").exists():
            return "There is no predictions.npz.", None
        reason = without_folder(error, folder)
        left_out.append((folder, reason))
        return f"Left out: {reason}", None
    drawings, names = drawings_of(result), reading.output_names(result)
    if "confusion" not in drawings:
        return f"There is no confusion matrix of {len(names):,} classes.", None
    matrix = {"classes": classes.setdefault(tuple(names), len(classes)), **_confusion(found, len(names))}
    return matrix, _worst(found) if "mistakes" in drawings else None


def _confusion(found: reading.Predictions, classes: int) -> dict[str, Any]:
    matrix = scores.confusion(found.targets, scores.predicted(found.outputs), classes)
    if classes <= MATRIX:
        return {"counts": matrix.ravel().tolist()}
    pairs = scores.confused_pairs(matrix, [str(place) for place in range(classes)], PAIRS)
    return {"pairs": [(int(pair["true"]), int(pair["predicted"]), pair["count"]) for pair in pairs]}


def _worst(found: reading.Predictions) -> dict[str, Any]:
    """How many mistakes there are, and the most confident: position, label, predicted class, probability."""
    labels, probabilities = found.targets, found.outputs
    predicted = scores.predicted(probabilities)
    wrong = scores.mistakes(labels, probabilities)
    worst = wrong[:MISTAKES]
    sure = [round(p, 4) if math.isfinite(p) else None for p in probabilities[worst].max(axis=1).tolist()]
    rows = zip(worst.tolist(), labels[worst].tolist(), predicted[worst].tolist(), sure, strict=True)
    return {"count": len(wrong), "examples": len(labels), "worst": list(rows)}
