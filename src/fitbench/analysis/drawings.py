"""What `fitbench show` says of a run's predictions. A task names its drawings; each is JSON, and tables for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis import scores
from fitbench.record.reading import Predictions
from fitbench.text import clean, number, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PAIRS = 10  # confused pairs that are listed
MISTAKES = 10  # mistakes that are listed
CLASSES = 40  # with more, the classes with the lowest F1 are listed
DIGITS = 4

Section = tuple[str, "Table | str"]  # a heading, and a table or a sentence below it


@dataclass(frozen=True)
class Drawing:
    """One drawing of a task. Both functions take the predictions and the names of the classes or targets.

    `content` gives keys and values of the JSON, `sections` what a terminal shows.
    """

    content: Callable[[Predictions, Sequence[str]], dict[str, Any]]
    sections: Callable[[Console, Predictions, Sequence[str]], list[Section]]


# -- the confusion matrix ---------------------------------------------------------------------------------------------


def _matrix(predictions: Predictions, names: Sequence[str]) -> np.ndarray:
    return scores.confusion(predictions.targets, scores.predicted(predictions.outputs), len(names))


def _confusion_content(predictions: Predictions, names: Sequence[str]) -> dict[str, Any]:
    matrix = _matrix(predictions, names)
    return {
        "per_class": scores.per_class(matrix, names),
        "confusion": matrix.tolist(),
        "confused": scores.confused_pairs(matrix, names, PAIRS),
    }


def _confusion_sections(out: Console, predictions: Predictions, names: Sequence[str]) -> list[Section]:
    matrix = _matrix(predictions, names)
    sections = [per_class_section(out, matrix, names)]
    confused = scores.confused_pairs(matrix, names, PAIRS)
    if confused:
        pairs = table(out, "true", "read as", "times", "share", right=("times", "share"), flexible=("true", "read as"))
        for pair in confused:
            share = f"{100 * pair['share']:.1f} %"
            pairs.add_row(clean(pair["true"]), clean(pair["predicted"]), str(pair["count"]), share)
        sections.append(("Most confused", pairs))
    return sections


def per_class_section(out: Console, matrix: np.ndarray, names: Sequence[str]) -> Section:
    """Precision, recall and F1 of each class of a confusion matrix, int [true classes, predicted classes]."""
    classes = scores.per_class(matrix, names)
    heading, listed = "Per class", classes
    if len(classes) > CLASSES:
        heading = f"Per class, the {CLASSES} of {len(classes)} with the lowest F1"
        listed = sorted(classes, key=lambda score: -1.0 if score["f1"] is None else score["f1"])[:CLASSES]
    columns = ("precision", "recall", "F1", "examples")
    rows = table(out, "class", *columns, right=columns, flexible=("class",))
    for score in listed:
        rows.add_row(clean(score["class"]), *_texts(score), f"{score['support']:,}")
    rows.add_section()
    rows.add_row("mean of classes", *_texts(scores.macro_average(classes)), f"{matrix.sum():,}", style="bold")
    return heading, rows


def _texts(score: Mapping[str, float | None]) -> list[str]:
    return [number(score[key], DIGITS) for key in ("precision", "recall", "f1")]


# -- the mistakes -----------------------------------------------------------------------------------------------------


def _mistakes(predictions: Predictions, names: Sequence[str]) -> list[dict[str, Any]]:
    """The most confident mistakes: position in the test part, true and predicted class, probability or None."""
    targets, outputs = predictions.targets, predictions.outputs
    predicted = scores.predicted(outputs)
    return [
        {
            "image": int(i),
            "true": names[targets[i]],
            "predicted": names[predicted[i]],
            "probability": float(outputs[i].max()) if np.isfinite(outputs[i]).all() else None,
        }
        for i in scores.mistakes(targets, outputs)[:MISTAKES]
    ]


def _mistakes_content(predictions: Predictions, names: Sequence[str]) -> dict[str, Any]:
    return {"mistakes": _mistakes(predictions, names)}


def _mistakes_sections(out: Console, predictions: Predictions, names: Sequence[str]) -> list[Section]:
    mistakes = _mistakes(predictions, names)
    if not mistakes:
        return [("Mistakes", "No test example is misclassified.")]
    columns = ("example", "true", "read as", "probability")
    rows = table(out, *columns, right=("example", "probability"), flexible=("true", "read as"))
    for mistake in mistakes:
        probability = number(mistake["probability"], DIGITS)
        rows.add_row(str(mistake["image"]), clean(mistake["true"]), clean(mistake["predicted"]), probability)
    return [("Most confident mistakes", rows)]


DRAWINGS = {  # by the names in `Task.drawings`
    "confusion": Drawing(_confusion_content, _confusion_sections),
    "mistakes": Drawing(_mistakes_content, _mistakes_sections),
}
ABSENT = dict.fromkeys(("per_class", "confusion", "confused", "mistakes"))  # what the JSON holds without predictions
