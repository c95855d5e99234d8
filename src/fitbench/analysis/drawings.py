"""What `fitbench show` says of a run's predictions. A task names its drawings; each is JSON, and tables for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from fitbench.analysis import scores
from fitbench.columns import Column, Note, Table, column
from fitbench.record.reading import Predictions, output_names
from fitbench.tasks import task_of
from fitbench.text import clean, counted, number

PAIRS = 10  # confused pairs that are listed
MISTAKES = 10  # mistakes, or values with large errors, that are listed
CLASSES = 40  # with more, the classes or labels with the lowest F1, or targets with the lowest R2, are listed
DIGITS = 4
SD = "sd: the standard deviation of the target in the test part"


@dataclass(frozen=True)
class Drawing:
    """One drawing of a task.

    Both functions take the predictions, the names of the outputs and the threshold. `content` gives keys and values of
    the JSON, `tables` what a terminal shows. It is made for `most` names at most.
    """

    content: Callable[[Predictions, Sequence[str], float], dict[str, Any]]
    tables: Callable[[Predictions, Sequence[str], float], list[Table]]
    most: float = math.inf


# -- the confusion matrix ---------------------------------------------------------------------------------------------


def _confusion(predictions: Predictions, names: Sequence[str], _: float) -> dict[str, Any]:
    matrix = scores.confusion(predictions.targets, predictions.outputs)
    return {
        "per_class": scores.per_class(matrix, names),
        "confusion": matrix.tolist(),
        "confused": scores.confused_pairs(matrix, names, PAIRS),
    }


def _confusion_tables(predictions: Predictions, names: Sequence[str], threshold: float) -> list[Table]:
    content = _confusion(predictions, names, threshold)
    pairs = content["confused"]
    confused = [
        column("true", pairs, lambda pair: clean(pair["true"]), right=False, key=True),
        column("read as", pairs, lambda pair: clean(pair["predicted"]), right=False, key=True),
        column("times", pairs, lambda pair: str(pair["count"])),
        column("share", pairs, lambda pair: f"{100 * pair['share']:.1f} %"),
    ]
    per_class = per_class_table(content["per_class"], int((~scores.classified(predictions.outputs)).sum()))
    return [per_class, *[Table("Most confused", confused)] * bool(pairs)]


def per_class_table(classes: Sequence[dict[str, Any]], unclassified: int = 0) -> Table:
    """Precision, recall, F1 and number of examples of each class, as `scores.per_class` gives them, and the means.

    A note says how many examples are left out, because they have NaN among their probabilities.
    """
    table = _f1_table(classes, "class", "classes", sum(score["support"] for score in classes))
    note = Note(f"left out: {counted(unclassified, 'example')} with NaN among the probabilities")
    return replace(table, notes=[note] * bool(unclassified))


def _f1_table(
    scored: Sequence[dict[str, Any]], key: str, several: str, examples: int | None = None, remark: str = ""
) -> Table:
    """The same of classes or labels, which the scores name by `key`; `remark` stands in the title.

    `examples` stands beside the means, None for none.
    """
    heading, listed = f"Per {key}{remark}", list(scored)
    if len(scored) > CLASSES:
        heading += f", the {CLASSES} of {len(scored):,} with the lowest F1"
        listed = lowest(scored, "f1")
    rows = [*listed, {key: f"mean of {several}", "support": examples, **scores.macro_average(scored)}]
    styles = [""] * len(listed) + ["bold"]
    columns = [column(key, rows, lambda row: clean(row[key]), right=False, key=True, styles=styles)]
    for head, name in (("precision", "precision"), ("recall", "recall"), ("F1", "f1")):
        values = [row[name] for row in rows]
        columns.append(column(head, values, lambda value: number(value, DIGITS), styles=styles))
    columns.append(column("examples", rows, lambda row: number(row["support"], 0), styles=styles))
    return Table(heading, columns)


def lowest(scored: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """The `CLASSES` with the lowest score of this name, the undefined ones first."""
    return sorted(scored, key=lambda score: -math.inf if score[key] is None else score[key])[:CLASSES]


def place_column(rows: Sequence[Mapping[str, Any]]) -> Column:
    """Where each example is, as `Predictions.place` gives it: in the file, or else in the test part."""
    known = [name for name in ("example", "row") if rows and name in rows[0]]
    head = "row" if "row" in known else "example"
    values = {name: itemgetter(name) for name in known}
    return column(head, rows, lambda row: str(row[head]), values)


def place_notes(rows: Sequence[Mapping[str, Any]]) -> list[Note]:
    """How the rows of a file are counted, where examples are such rows."""
    return [Note("row: of the file, counted from 1 below the names of the columns")] * any("row" in row for row in rows)


# -- the mistakes -----------------------------------------------------------------------------------------------------


def _mistakes(predictions: Predictions, names: Sequence[str], _: float) -> dict[str, Any]:
    """The most confident mistakes: position in the test part, true and predicted class, probability.

    The latter two are None for an example that has NaN among its probabilities.
    """
    targets, outputs = predictions.targets, predictions.outputs
    predicted, classified = scores.predicted(outputs), scores.classified(outputs)
    mistakes = [
        {
            **predictions.place(i),
            "true": names[targets[i]],
            "predicted": names[predicted[i]] if classified[i] else None,
            "probability": float(outputs[i].max()) if classified[i] else None,
        }
        for i in scores.mistakes(targets, outputs)[:MISTAKES]
    ]
    return {"mistakes": mistakes}


def _mistakes_tables(predictions: Predictions, names: Sequence[str], threshold: float) -> list[Table]:
    mistakes = _mistakes(predictions, names, threshold)["mistakes"]
    if not mistakes:
        return [Table("No test example is misclassified.", [])]
    columns = [
        place_column(mistakes),
        column("true", mistakes, lambda mistake: clean(mistake["true"]), right=False, key=True),
        column("read as", mistakes, lambda mistake: clean(mistake["predicted"] or "-"), right=False, key=True),
        column("probability", mistakes, lambda mistake: number(mistake["probability"], DIGITS)),
    ]
    return [Table("Most confident mistakes", columns, place_notes(mistakes))]


# -- predicted values -------------------------------------------------------------------------------------------------


def _predicted(predictions: Predictions, names: Sequence[str], _: float) -> dict[str, Any]:
    return {"per_target": scores.per_target(predictions.targets, predictions.outputs, names)}


def _predicted_tables(predictions: Predictions, names: Sequence[str], threshold: float) -> list[Table]:
    scored = _predicted(predictions, names, threshold)["per_target"]
    digits = dict(zip(names, scores.decimals(predictions.targets), strict=True))
    heading, rows = "Per target", scored
    if len(scored) > CLASSES:
        heading, rows = f"Per target, the {CLASSES} of {len(scored):,} with the lowest R2", lowest(scored, "r2")
    columns = [column("target", rows, lambda row: clean(row["target"]), right=False, key=True)]
    for head, key in (("MAE", "mae"), ("RMSE", "rmse"), ("R2", "r2"), ("bias", "bias")):
        cells = [number(row[key], DIGITS if key == "r2" else digits[row["target"]] + 1) for row in rows]
        columns.append(Column(head, cells))
    return [Table(heading, columns, [Note("bias: the mean of predicted - true")])]


def _residuals(predictions: Predictions, names: Sequence[str], _: float) -> dict[str, Any]:
    """The values with the largest errors relative to the spread of their target; a prediction of NaN is None."""
    targets, outputs = predictions.targets, predictions.outputs
    deviations = scores.spread(targets).tolist()
    worst = [
        {
            **predictions.place(i),
            "target": names[j],
            "true": float(targets[i, j]),
            "predicted": scores.finite(outputs[i, j]),
            "error": scores.finite(error := float(outputs[i, j]) - float(targets[i, j])),
            "relative_error": scores.finite(error / deviations[j]),
        }
        for i, j in scores.worst_values(targets, outputs, MISTAKES)
    ]
    return {"worst": worst}


def _residuals_tables(predictions: Predictions, names: Sequence[str], threshold: float) -> list[Table]:
    worst = _residuals(predictions, names, threshold)["worst"]
    digits = dict(zip(names, scores.decimals(predictions.targets), strict=True))
    columns = [place_column(worst)]
    if len(names) > 1:
        columns.append(column("target", worst, lambda row: clean(row["target"]), right=False, key=True))
    for key in ("true", "predicted", "error"):
        columns.append(Column(key, [number(row[key], digits[row["target"]]) for row in worst]))
    title, notes = "Largest errors (predicted - true)", place_notes(worst)
    if len(names) > 1:
        columns.append(Column("error / sd", [number(row["relative_error"], 2) for row in worst]))
        title, notes = f"{title}, relative to the sd of their target", [Note(SD), *notes]
    return [Table(title, columns, notes)]


# -- labels -----------------------------------------------------------------------------------------------------------


def _labels(predictions: Predictions, names: Sequence[str], threshold: float) -> dict[str, Any]:
    scored = scores.per_label(predictions.targets, predictions.outputs, names, threshold)
    return {"threshold": threshold, "per_label": scored}


def _labels_tables(predictions: Predictions, names: Sequence[str], threshold: float) -> list[Table]:
    scored = _labels(predictions, names, threshold)["per_label"]
    return [_f1_table(scored, "label", "labels", remark=f" at the threshold {threshold:.2f}")]


DRAWINGS = {  # by the names in `Task.drawings`
    "confusion": Drawing(_confusion, _confusion_tables, most=3_000),  # its matrix takes 72 MB
    "mistakes": Drawing(_mistakes, _mistakes_tables),
    "predicted": Drawing(_predicted, _predicted_tables),
    "residuals": Drawing(_residuals, _residuals_tables),
    "labels": Drawing(_labels, _labels_tables),
}


def drawings_of(result: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the drawings of a finished run: those of its task that are made for so many classes or targets."""
    count = len(output_names(result))
    return tuple(name for name in task_of(result["task"]).drawings if count <= DRAWINGS[name].most)


# what the JSON holds where it is not drawn
ABSENT = dict.fromkeys(
    ("per_class", "confusion", "confused", "mistakes", "per_target", "worst", "threshold", "per_label")
)
