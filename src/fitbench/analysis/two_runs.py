"""Two runs on the same test examples: which one is right more often, and where they disagree."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.analysis import scores, statistics
from fitbench.analysis.paired import PairedComparison, compare_on_examples
from fitbench.columns import Column, Note, Table, column, print_as
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.tasks import task_of
from fitbench.text import clean, number, span

ROWS = 20  # disagreements in a table unless --limit says otherwise
DIGITS = 4


def compare_runs(a: Path, b: Path, limit: int | None, format: str) -> None:
    """Print the paired test of the runs' task on their stored predictions, and the examples on which they disagree.

    Raises:
        RequestError: the runs were tested on different examples, or one is not finished.
        FitbenchError: a file of a run is damaged.
    """
    runs = _read(a, b)
    if format == "json":
        print(json.dumps(_as_json(runs), indent=2, allow_nan=False))
    else:
        print_as(format, _tables(runs, limit or ROWS), _examples(runs.disagreements))


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs on the same N examples. The indices count from 0 in the order of the test part.

    `results` are what result.json holds. `disagreements` are the examples that the runs classify differently, as
    `_disagreements` gives them.
    """

    folders: tuple[Path, Path]
    results: tuple[dict[str, Any], dict[str, Any]]
    comparison: PairedComparison
    disagreements: list[dict[str, Any]]

    @property
    def examples(self) -> int:
        """How many test examples there are."""
        return int(self.results[0]["data"]["test"])

    @property
    def correct(self) -> tuple[int, int]:
        """How many examples A and B classify correctly."""
        both = self.comparison.both
        return both + self.comparison.only_a, both + self.comparison.only_b


def _read(a: Path, b: Path) -> TwoRuns:
    results = reading.read_result(a), reading.read_result(b)
    tasks = [result["task"] for result in results]
    if tasks[0] != tasks[1]:
        raise RequestError(f"{a} is of the task {clean(tasks[0])} and {b} of {clean(tasks[1])}; choose runs of one")
    shas = [result["data"]["sha256"] for result in results]
    if shas[0] != shas[1]:
        tested = [f"{result['data']['name']} ({sha:.8})" for result, sha in zip(results, shas, strict=True)]
        raise RequestError(
            f"the runs were tested on different examples, {clean(tested[0])} and {clean(tested[1])}; a paired test "
            "needs the same test part"
        )
    first, second = (reading.read_predictions(folder, result) for folder, result in zip((a, b), results, strict=True))
    classes = reading.output_names(results[0])
    if classes != reading.output_names(results[1]) or not np.array_equal(first.targets, second.targets):
        raise FitbenchError(
            f"{b}: its classes or test targets differ from those of {a}, though the SHA-256 is the same"
        )
    comparison = compare_on_examples(task_of(tasks[0]), first, second)
    return TwoRuns((a, b), results, comparison, _disagreements(first, second, classes))


def _disagreements(first: reading.Predictions, second: reading.Predictions, classes: list[str]) -> list[dict[str, Any]]:
    """The examples that the runs classify differently; those of which both runs are most certain come first.

    Each has its position in the test part, its class, the classes that A and B predict, their probabilities (None for
    NaN), and which run is right.
    """
    predicted = np.stack([scores.predicted(run.outputs) for run in (first, second)])
    right = predicted == first.targets
    differ = np.flatnonzero(predicted[0] != predicted[1])
    certain = np.stack([run.outputs[differ].max(axis=1) for run in (first, second)]).astype(float)
    order = np.argsort(-np.nan_to_num(certain, nan=0.0).sum(axis=0), kind="stable")
    return [
        {
            "image": int(differ[i]),
            "true": classes[first.targets[differ[i]]],
            "a": classes[predicted[0, differ[i]]],
            "probability_a": _finite(certain[0, i]),
            "b": classes[predicted[1, differ[i]]],
            "probability_b": _finite(certain[1, i]),
            "right": "A" if right[0, differ[i]] else "B" if right[1, differ[i]] else "neither",
        }
        for i in order
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# -- what is printed --------------------------------------------------------------------------------------------------


def _tables(runs: TwoRuns, limit: int) -> list[Table]:
    data, counts = runs.results[0]["data"], runs.comparison
    right = runs.correct
    alone = [
        Column("", ["A", "B"], right=False),
        Column("run", [clean(result["run_id"]) for result in runs.results], right=False, key=True),
        Column("right", [f"{count:,}" for count in right]),
        Column("accuracy", [f"{count / runs.examples:.{DIGITS}f}" for count in right]),
        Column("95% interval", [span(statistics.wilson(count, runs.examples), DIGITS) for count in right]),
    ]
    two_by_two = [
        Column("", ["A right", "A wrong"], right=False),
        Column("B right", [f"{counts.both:,}", f"{counts.only_b:,}"]),
        Column("B wrong", [f"{counts.only_a:,}", f"{counts.neither:,}"]),
    ]
    notes = [
        Note(counts.sentence(), ""),
        Note(
            "Wilson intervals: of each run alone, on test examples like these. The test is about these two runs; other "
            "seeds may differ (compare groups for that)."
        ),
    ]
    title = f"{runs.examples:,} test examples of {data['name']} ({data['sha256'][:8]})"
    count = len(runs.disagreements)
    differently = f"The runs classify {count:,} example{'s'[: count != 1]} differently"
    if not count:
        return [Table(title, alone), Table("", two_by_two, [*notes, Note(differently, "bold")])]
    more = f"; the {limit:,} of which they are most certain" if count > limit else ""
    return [Table(title, alone), Table("", two_by_two, notes),
            Table(differently + more, _examples(runs.disagreements[:limit]))]  # fmt: skip


def _examples(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns of the disagreements."""

    def text(head: str, key: str) -> Column:
        return column(head, rows, lambda row: clean(row[key]), {key: itemgetter(key)}, right=False, key=True)

    def probability(head: str, key: str) -> Column:
        return column(head, rows, lambda row: number(row[key], 3), {key: itemgetter(key)})

    return [
        column("image", rows, lambda row: str(row["image"]), {"image": itemgetter("image")}),
        text("true", "true"),
        text("A reads", "a"),
        probability("P(A)", "probability_a"),
        text("B reads", "b"),
        probability("P(B)", "probability_b"),
        text("right", "right"),
    ]


def _as_json(runs: TwoRuns) -> dict[str, Any]:
    sides, counts = [], runs.comparison
    for folder, result, count in zip(runs.folders, runs.results, runs.correct, strict=True):
        low, high = statistics.wilson(count, runs.examples)
        about = {"run_id": result["run_id"], "folder": str(folder), "right": count, "accuracy": count / runs.examples}
        sides.append(about | {"low": low, "high": high})
    return {
        "data": {key: runs.results[0]["data"][key] for key in ("name", "sha256", "test")},
        "a": sides[0],
        "b": sides[1],
        "both_right": counts.both,
        "only_a_right": counts.only_a,
        "only_b_right": counts.only_b,
        "neither_right": counts.neither,
        "p": counts.p,
        "disagreements": runs.disagreements,
    }
