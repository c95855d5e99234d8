"""What `fitbench show` says of a run's predictions. A task names its drawings; each is JSON, and tables for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench.analysis import scores
from fitbench.columns import Table, column
from fitbench.record.reading import Predictions, output_names
from fitbench.tasks import task_of
from fitbench.text import clean, number

PAIRS = 10  # confused pairs that are listed
MISTAKES = 10  # mistakes that are listed
CLASSES = 40  # with more, the classes with the lowest F1 are listed
DIGITS = 4


@dataclass(frozen=True)
class Drawing:
    """One drawing of a task. Both functions take the predictions and the names of the classes or targets.

    `content` gives keys and values of the JSON, `tables` what a terminal shows. It is made for `most` names at most.
    """

    content: Callable[[Predictions, Sequence[str]], dict[str, Any]]
    tables: Callable[[Predictions, Sequence[str]], list[Table]]
    most: float = math.inf


# -- the confusion matrix ---------------------------------------------------------------------------------------------


def _confusion(predictions: Predictions, names: Sequence[str]) -> dict[str, Any]:
    matrix = scores.confusion(predictions.targets, scores.predicted(predictions.outputs), len(names))
    return {
        "per_class": scores.per_class(matrix, names),
        "confusion": matrix.tolist(),
        "confused": scores.confused_pairs(matrix, names, PAIRS),
    }


def _confusion_tables(predictions: Predictions, names: Sequence[str]) -> list[Table]:
    content = _confusion(predictions, names)
    pairs = content["confused"]
    confused = [
        column("true", pairs, lambda pair: clean(pair["true"]), right=False, key=True),
        column("read as", pairs, lambda pair: clean(pair["predicted"]), right=False, key=True),
        column("times", pairs, lambda pair: str(pair["count"])),
        column("share", pairs, lambda pair: f"{100 * pair['share']:.1f} %"),
    ]
    return [per_class_table(content["per_class"]), *[Table("Most confused", confused)] * bool(pairs)]


def per_class_table(classes: Sequence[dict[str, Any]]) -> Table:
    """Precision, recall, F1 and number of examples of each class, as `scores.per_class` gives them, and the means."""
    heading, listed = "Per class", list(classes)
    if len(classes) > CLASSES:
        heading = f"Per class, the {CLASSES} of {len(classes)} with the lowest F1"
        listed = sorted(classes, key=lambda score: -1.0 if score["f1"] is None else score["f1"])[:CLASSES]
    examples = sum(score["support"] for score in classes)
    rows = [*listed, {"class": "mean of classes", "support": examples, **scores.macro_average(classes)}]
    styles = [""] * len(listed) + ["bold"]
    columns = [column("class", rows, lambda row: clean(row["class"]), right=False, key=True, styles=styles)]
    for head, key in (("precision", "precision"), ("recall", "recall"), ("F1", "f1")):
        values = [row[key] for row in rows]
        columns.append(column(head, values, lambda value: number(value, DIGITS), styles=styles))
    columns.append(column("examples", rows, lambda row: f"{row['support']:,}", styles=styles))
    return Table(heading, columns)


# -- the mistakes -----------------------------------------------------------------------------------------------------


def _mistakes(predictions: Predictions, names: Sequence[str]) -> dict[str, Any]:
    """The most confident mistakes: position in the test part, true and predicted class, probability or None."""
    targets, outputs = predictions.targets, predictions.outputs
    predicted = scores.predicted(outputs)
    mistakes = [
        {
            "image": int(i),
            "true": names[targets[i]],
            "predicted": names[predicted[i]],
            "probability": float(outputs[i].max()) if np.isfinite(outputs[i]).all() else None,
        }
        for i in scores.mistakes(targets, outputs)[:MISTAKES]
    ]
    return {"mistakes": mistakes}


def _mistakes_tables(predictions: Predictions, names: Sequence[str]) -> list[Table]:
    mistakes = _mistakes(predictions, names)["mistakes"]
    if not mistakes:
        return [Table("No test example is misclassified.", [])]
    columns = [
        column("example", mistakes, lambda mistake: str(mistake["image"])),
        column("true", mistakes, lambda mistake: clean(mistake["true"]), right=False, key=True),
        column("read as", mistakes, lambda mistake: clean(mistake["predicted"]), right=False, key=True),
        column("probability", mistakes, lambda mistake: number(mistake["probability"], DIGITS)),
    ]
    return [Table("Most confident mistakes", columns)]


DRAWINGS = {  # by the names in `Task.drawings`
    "confusion": Drawing(_confusion, _confusion_tables, most=3_000),  # its matrix takes 72 MB
    "mistakes": Drawing(_mistakes, _mistakes_tables),
}


def drawings_of(result: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the drawings of a finished run: those of its task that are made for so many classes or targets."""
    count = len(output_names(result))
    return tuple(name for name in task_of(result["task"]).drawings if count <= DRAWINGS[name].most)


ABSENT = dict.fromkeys(("per_class", "confusion", "confused", "mistakes"))  # what the JSON holds without predictions
