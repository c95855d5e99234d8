"""What the page shows of predictions: what the task of each run draws, in tables, matrices and points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbench.analysis import scores
from fitbench.analysis.drawings import DRAWINGS, drawings_of
from fitbench.analysis.frame import without_folder
from fitbench.charts.values import PANELS, chosen
from fitbench.columns import Table
from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.report.curves import LeftOut
from fitbench.report.values import rounded
from fitbench.tasks import threshold_of

MISTAKES = 12  # the most confident ones of a run
MATRIX = 40  # classes; with more, a run has no confusion matrix but its most confused pairs
PAIRS = 30  # of these
POINTS = 500  # predicted values of a run
ALL_POINTS = 100_000  # of all runs, so that the page stays small
FEWEST = 20  # points of a run, whatever the number of runs

Part = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """The predictions of a run, the names of its outputs, its threshold, and how many points the page has room for."""

    predictions: reading.Predictions
    names: list[str]
    threshold: float
    points: int


def predictions(folders: Sequence[str], states: Sequence[str], left_out: LeftOut) -> dict[str, Any]:
    """Of each run what its task draws: by the name of a drawing, and as text where there is nothing to draw.

    `predictions` holds an entry for each run, None for one that has not finished. `classes` holds each list of names
    once; a confusion matrix has its place there.
    """
    classes: dict[tuple[str, ...], int] = {}
    finished = sum(state == "finished" for state in states)
    points = max(FEWEST, min(POINTS, ALL_POINTS // max(finished, 1)))
    found = [
        _of_run(folder, points, classes, left_out) if state == "finished" else None
        for folder, state in zip(folders, states, strict=True)
    ]
    return {"classes": [list(names) for names in classes], "predictions": found}


def _of_run(folder: str, points: int, classes: dict[tuple[str, ...], int], left_out: LeftOut) -> Part | str:
    try:
        result = reading.read_result(Path(folder))
        if not reading.has_test_part(result):
            return "There is no test part."
        read = reading.read_predictions(Path(folder), result)
    except FitbenchError as error:
        if not (Path(folder) / "predictions.npz").exists():
            return "There is no predictions.npz."
        reason = without_folder(error, folder)
        left_out.append((folder, reason))
        return f"Left out: {reason}"
    found = Found(read, reading.output_names(result), threshold_of(result), points)
    drawn = {name: PARTS[name](found) for name in drawings_of(result)}
    if "confusion" in drawn:
        drawn["confusion"]["classes"] = classes.setdefault(tuple(found.names), len(classes))
    return drawn or f"Nothing is drawn of {len(found.names):,} classes."


# -- classes ----------------------------------------------------------------------------------------------------------


def _confusion(of: Found) -> Part:
    classes = len(of.names)
    matrix = scores.confusion(of.predictions.targets, of.predictions.outputs)
    if classes <= MATRIX:
        return {"counts": matrix.ravel().tolist()}
    pairs = scores.confused_pairs(matrix, [str(place) for place in range(classes)], PAIRS)
    return {"pairs": [(int(pair["true"]), int(pair["predicted"]), pair["count"]) for pair in pairs]}


def _worst(of: Found) -> Part:
    """How many mistakes there are, and the most confident: place, label, predicted class and probability, or None."""
    labels, probabilities = of.predictions.targets, of.predictions.outputs
    predicted, classified = scores.predicted(probabilities), scores.classified(probabilities)
    wrong = scores.mistakes(labels, probabilities)
    places = of.predictions.places
    rows = [
        (int(places[i]), int(labels[i]), int(predicted[i]), round(float(probabilities[i].max()), 4))
        if classified[i]
        else (int(places[i]), int(labels[i]), None, None)
        for i in wrong[:MISTAKES]
    ]
    return {"count": len(wrong), "examples": len(labels), "place": of.predictions.place_name, "worst": rows}


# -- values and labels ------------------------------------------------------------------------------------------------


def _points(of: Found) -> Part:
    """True and predicted values of some examples for the first targets, and a table of all targets."""
    targets, outputs = of.predictions.targets, of.predictions.outputs
    names = of.names[:PANELS]
    decimals = [digits + 1 for digits in scores.decimals(targets)]
    examples = chosen(len(targets), max(1, of.points // len(names)))
    panels = [
        {
            "target": name,
            "true": rounded(targets[examples, i], decimals[i]),
            "predicted": rounded(outputs[examples, i], decimals[i]),
        }
        for i, name in enumerate(names)
    ]
    found = of.predictions
    return {
        "of": len(targets),
        "place": found.place_name,
        "places": found.places[examples].tolist(),
        "panels": panels,
        **_tables("predicted")(of),
    }


def _tables(name: str) -> Callable[[Found], Part]:
    """The tables of a drawing, as a terminal shows them."""

    def drawn(of: Found) -> Part:
        return {"tables": list(map(_table, DRAWINGS[name].tables(of.predictions, of.names, of.threshold)))}

    return drawn


def _table(table: Table) -> Part:
    return {
        "title": table.title,
        "heads": [column.head for column in table.columns],
        "text": [not column.right for column in table.columns],
        "rows": list(zip(*(column.cells for column in table.columns), strict=True)),
        "notes": [note.text for note in table.notes],
    }


PARTS: dict[str, Callable[[Found], Part]] = {  # by the names in `Task.drawings`
    "confusion": _confusion,
    "mistakes": _worst,
    "predicted": _points,
    "residuals": _tables("residuals"),
    "labels": _tables("labels"),
}
