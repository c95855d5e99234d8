"""The examples on which two runs of a task differ most. A task names its list by `Task.disagreements`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np

from fitbench.analysis import scores
from fitbench.analysis.drawings import SD, place_column, place_notes
from fitbench.columns import Column, Note, column
from fitbench.record.reading import Predictions
from fitbench.tasks import decisions
from fitbench.text import clean, counted, number, shortened

MOST = 1_000  # examples that are listed of values and labels
DECIMALS = "decimals"  # of a row: with how many its values are shown, which is no part of CSV and JSON
LONGEST = 200  # characters of a cell with names of labels

Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of two runs on N examples, and the threshold that makes decisions of its probabilities."""

    predictions: Predictions
    threshold: float


@dataclass(frozen=True)
class Disagreements:
    """A list of examples: `rows` makes it from A, B and the names of the outputs; `columns` show it.

    `title` says what it holds, given how many examples there are in the list and how many of them are shown. `notes`
    stand below it.
    """

    rows: Callable[[Side, Side, Sequence[str]], list[Row]]
    columns: Callable[[Sequence[Row]], list[Column]]
    title: Callable[[int, int], str]
    notes: Callable[[Sequence[Row]], list[Note]] = place_notes


def _text(head: str, rows: Sequence[Row], key: str) -> Column:
    return column(head, rows, lambda row: clean(row[key]), {key: itemgetter(key)}, right=False, key=True)


def _number(head: str, rows: Sequence[Row], key: str, digits: int | None = None) -> Column:
    """A column of numbers, with so many decimals, or with those that the row states."""
    return column(
        head,
        rows,
        lambda row: number(row[key], row[DECIMALS] if digits is None else digits),
        {key: itemgetter(key)},
    )


# -- classes ----------------------------------------------------------------------------------------------------------


def _classes(a: Side, b: Side, names: Sequence[str]) -> list[Row]:
    """The examples that the runs classify differently; those of which both runs are most certain come first.

    Each has its place as `Predictions.place` gives it, its class, the classes that A and B predict, their probabilities
    (None for NaN), and which run is right.
    """
    targets = a.predictions.targets
    predicted = np.stack([scores.predicted(side.predictions.outputs) for side in (a, b)])
    right = [scores.right(targets, side.predictions.outputs) for side in (a, b)]
    differ = np.flatnonzero(predicted[0] != predicted[1])
    certain = np.stack([side.predictions.outputs[differ].max(axis=1) for side in (a, b)]).astype(float)
    order = np.argsort(-np.nan_to_num(certain, nan=0.0).sum(axis=0), kind="stable")
    return [
        {
            **a.predictions.place(differ[i]),
            "true": names[targets[differ[i]]],
            "a": names[predicted[0, differ[i]]],
            "probability_a": scores.finite(certain[0, i]),
            "b": names[predicted[1, differ[i]]],
            "probability_b": scores.finite(certain[1, i]),
            "right": "A" if right[0][differ[i]] else "B" if right[1][differ[i]] else "neither",
        }
        for i in order
    ]


def _class_columns(rows: Sequence[Row]) -> list[Column]:
    return [
        place_column(rows),
        _text("true", rows, "true"),
        _text("A reads", rows, "a"),
        _number("P(A)", rows, "probability_a", 3),
        _text("B reads", rows, "b"),
        _number("P(B)", rows, "probability_b", 3),
        _text("right", rows, "right"),
    ]


def _class_title(count: int, shown: int) -> str:
    more = f"; the {shown:,} of which they are most certain" if count > shown else ""
    return f"The runs classify {counted(count, 'example')} differently{more}"


# -- values -----------------------------------------------------------------------------------------------------------


def _values(a: Side, b: Side, names: Sequence[str]) -> list[Row]:
    """Up to `MOST` values whose absolute errors differ most between the runs, relative to the spread of their target.

    Each has its place as `Predictions.place` gives it, its target, the true value, and what A and B predict, with the
    errors, predicted - true. The difference of the absolute errors, A - B, stands there also divided by the standard
    deviation of the target. What is no finite number is None.
    """
    targets = np.asarray(a.predictions.targets, np.float64)
    errors = [np.asarray(side.predictions.outputs, np.float64) - targets for side in (a, b)]
    with np.errstate(over="ignore", invalid="ignore"):
        differences = np.abs(errors[0]) - np.abs(errors[1])
        relative = differences / scores.spread(targets)
    apart = np.abs(relative)
    apart[np.isnan(apart)] = np.inf
    apart[~(np.isfinite(errors[0]) | np.isfinite(errors[1]))] = 0
    order = np.argsort(-apart, axis=None, kind="stable")[:MOST]
    digits = scores.decimals(targets)
    return [
        {
            **a.predictions.place(example),
            "target": names[place],
            "true": float(targets[example, place]),
            "a": scores.finite(a.predictions.outputs[example, place]),
            "error_a": scores.finite(errors[0][example, place]),
            "b": scores.finite(b.predictions.outputs[example, place]),
            "error_b": scores.finite(errors[1][example, place]),
            "difference": scores.finite(differences[example, place]),
            "relative_difference": scores.finite(relative[example, place]),
            DECIMALS: digits[place],
        }
        for example, place in zip(*np.unravel_index(order, apart.shape), strict=True)
        if apart[example, place] > 0
    ]


def _has_several(rows: Sequence[Row]) -> bool:
    return len({row["target"] for row in rows}) > 1


def _value_columns(rows: Sequence[Row]) -> list[Column]:
    several = _has_several(rows)
    return [
        place_column(rows),
        _text("target", rows, "target"),
        _number("true", rows, "true"),
        _number("A predicts", rows, "a"),
        _number("error of A", rows, "error_a"),
        _number("B predicts", rows, "b"),
        _number("error of B", rows, "error_b"),
        replace(_number("|A| - |B|", rows, "difference"), visible=not several),
        replace(_number("(|A| - |B|) / sd", rows, "relative_difference", 2), visible=several),
    ]


def _value_notes(rows: Sequence[Row]) -> list[Note]:
    sd = f"; {SD}" if _has_several(rows) else ""
    return [Note(f"|A| and |B|: the absolute errors of A and B{sd}"), *place_notes(rows)]


def _value_title(count: int, shown: int) -> str:
    if not count:
        return "The absolute errors of the runs do not differ on any example"
    return f"The {counted(shown, 'example')} on which the absolute errors differ most"


# -- labels -----------------------------------------------------------------------------------------------------------


def _labels(a: Side, b: Side, names: Sequence[str]) -> list[Row]:
    """Up to `MOST` examples to which the runs give different labels; those with the most different labels come first.

    Each has its place as `Predictions.place` gives it, its labels, those that A and B give it, how many of these
    differ, and how many labels each has wrong.
    """
    targets = a.predictions.targets.astype(bool)
    decided = [decisions(side.predictions.outputs, side.threshold) for side in (a, b)]
    differ = (decided[0] != decided[1]).sum(axis=1)
    wrong = [(each != targets).sum(axis=1) for each in decided]
    order = np.argsort(-differ, kind="stable")[:MOST]

    def named(applies: np.ndarray) -> list[str]:
        return [names[place] for place in np.flatnonzero(applies).tolist()]

    return [
        {
            **a.predictions.place(i),
            "true": named(targets[i]),
            "a": named(decided[0][i]),
            "b": named(decided[1][i]),
            "differ": int(differ[i]),
            "wrong_a": int(wrong[0][i]),
            "wrong_b": int(wrong[1][i]),
        }
        for i in order
        if differ[i]
    ]


def _label_columns(rows: Sequence[Row]) -> list[Column]:
    """The labels that the runs agree on are in CSV alone."""

    def names(head: str, key: str, besides: str = "") -> Column:
        def cell(row: Row) -> str:
            shown = [name for name in row[key] if name not in row.get(besides, ())]
            return shortened(clean(", ".join(shown)) or "-", LONGEST)

        return column(head, rows, cell, {key: lambda row: ", ".join(row[key])}, right=False, key=True)

    def count(head: str, key: str) -> Column:
        return column(head, rows, lambda row: str(row[key]), {key: itemgetter(key)})

    return [
        place_column(rows),
        names("true", "true"),
        names("only A", "a", "b"),
        names("only B", "b", "a"),
        replace(count("differ", "differ"), visible=False),
        count("A wrong", "wrong_a"),
        count("B wrong", "wrong_b"),
    ]


def _label_title(count: int, shown: int) -> str:
    many = f"{MOST:,} examples or more" if count == MOST else counted(count, "example")
    more = f"; the {shown:,} with the most different labels" if count > shown else ""
    return f"The runs give different labels to {many}{more}"


DISAGREEMENTS = {  # by `Task.disagreements`
    "classes": Disagreements(_classes, _class_columns, _class_title),
    "values": Disagreements(_values, _value_columns, _value_title, _value_notes),
    "labels": Disagreements(_labels, _label_columns, _label_title),
}
