"""Two runs on the same test examples: which one is right more often, and where they disagree."""

from __future__ import annotations

import csv
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.analysis import scores, statistics
from fitbench.analysis.paired import PairedComparison, compare_on_examples
from fitbench.columns import Column, as_markdown, print_columns
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.tasks import task_of
from fitbench.text import clean, console, span

ROWS = 20  # disagreements in a table unless --limit says otherwise
DIGITS = 4


def compare_runs(a: Path, b: Path, limit: int | None, format: str) -> None:
    """Print the paired test of the runs' task on their stored predictions, and the examples on which they disagree.

    Raises:
        RequestError: the runs were tested on different examples, or one is not finished.
        FitbenchError: a file of a run is damaged.
    """
    runs = _read(a, b)
    printers = {"table": _print, "csv": _print_csv, "json": _print_json, "markdown": _print_markdown}
    printers[format](runs, limit or ROWS)


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs on the same N examples. The indices count from 0 in the order of the test part.

    `results` are what result.json holds. `disagreements` are the examples that the runs classify differently; those of
    which both runs are most certain come first.
    """

    folders: tuple[Path, Path]
    results: tuple[dict[str, Any], dict[str, Any]]
    comparison: PairedComparison
    disagreements: list[Disagreement]

    @property
    def examples(self) -> int:
        """How many test examples there are."""
        return int(self.results[0]["data"]["test"])

    @property
    def correct(self) -> tuple[int, int]:
        """How many examples A and B classify correctly."""
        both = self.comparison.both
        return both + self.comparison.only_a, both + self.comparison.only_b


@dataclass(frozen=True)
class Disagreement:
    """An example that two runs classify differently: classes, probabilities (None for NaN), and which run is right."""

    image: int
    true: str
    read: tuple[str, str]
    probability: tuple[float | None, float | None]
    right: str


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
    classes = results[0]["data"]["classes"]
    if classes != results[1]["data"]["classes"] or not np.array_equal(first.targets, second.targets):
        raise FitbenchError(
            f"{b}: its classes or test targets differ from those of {a}, though the SHA-256 is the same"
        )
    comparison = compare_on_examples(task_of(tasks[0]), first, second)
    return TwoRuns((a, b), results, comparison, _disagreements(first, second, classes))


def _disagreements(first: reading.Predictions, second: reading.Predictions, classes: list[str]) -> list[Disagreement]:
    predicted = np.stack([scores.predicted(run.outputs) for run in (first, second)])
    right = predicted == first.targets
    differ = np.flatnonzero(predicted[0] != predicted[1])
    certain = np.stack([run.outputs[differ].max(axis=1) for run in (first, second)]).astype(float)
    order = np.argsort(-np.nan_to_num(certain, nan=0.0).sum(axis=0), kind="stable")
    return [
        Disagreement(
            image=int(differ[i]),
            true=classes[first.targets[differ[i]]],
            read=(classes[predicted[0, differ[i]]], classes[predicted[1, differ[i]]]),
            probability=(_finite(certain[0, i]), _finite(certain[1, i])),
            right="A" if right[0, differ[i]] else "B" if right[1, differ[i]] else "neither",
        )
        for i in order
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# -- as columns -------------------------------------------------------------------------------------------------------


def _accuracies(runs: TwoRuns) -> list[Column]:
    counts = runs.correct
    return [
        Column("", ["A", "B"], right=False),
        Column("run", [clean(result["run_id"]) for result in runs.results], right=False, key=True),
        Column("right", [f"{count:,}" for count in counts]),
        Column("accuracy", [f"{count / runs.examples:.{DIGITS}f}" for count in counts]),
        Column("95% interval", [span(statistics.wilson(count, runs.examples), DIGITS) for count in counts]),
    ]


def _two_by_two(runs: TwoRuns) -> list[Column]:
    counts = runs.comparison
    return [
        Column("", ["A right", "A wrong"], right=False),
        Column("B right", [f"{counts.both:,}", f"{counts.only_b:,}"]),
        Column("B wrong", [f"{counts.only_a:,}", f"{counts.neither:,}"]),
    ]


def _examples(runs: TwoRuns, limit: int) -> list[Column]:
    rows = runs.disagreements[:limit]

    def probability(run: int) -> list[str]:
        return ["-" if row.probability[run] is None else f"{row.probability[run]:.3f}" for row in rows]

    return [
        Column("image", [str(row.image) for row in rows]),
        Column("true", [clean(row.true) for row in rows], right=False, key=True),
        Column("A reads", [clean(row.read[0]) for row in rows], right=False, key=True),
        Column("P(A)", probability(0)),
        Column("B reads", [clean(row.read[1]) for row in rows], right=False, key=True),
        Column("P(B)", probability(1)),
        Column("right", [row.right for row in rows], right=False),
    ]


def _verdict(runs: TwoRuns) -> list[str]:
    return [
        runs.comparison.sentence(),
        "Wilson intervals: of each run alone, on test examples like these. The test is about these two runs; other "
        "seeds may differ (compare groups for that).",
    ]


def _title(runs: TwoRuns) -> str:
    data = runs.results[0]["data"]
    return f"{runs.examples:,} test examples of {clean(data['name'])} ({clean(data['sha256'][:8])})"


def _count(runs: TwoRuns, limit: int) -> str:
    count = len(runs.disagreements)
    return f"The runs classify {count:,} example{'s'[: count != 1]} differently" + (
        f"; the {limit:,} of which they are most certain" if count > limit else ""
    )


# -- the four formats -------------------------------------------------------------------------------------------------


def _print(runs: TwoRuns, limit: int) -> None:
    out = console()
    out.print(_title(runs), style="bold")
    print_columns(out, _accuracies(runs))
    print_columns(out, _two_by_two(runs))
    for line, style in zip(_verdict(runs), ("", "dim"), strict=True):
        out.print(line, style=style)
    out.print(f"\n{_count(runs, limit)}", style="bold")
    if runs.disagreements:
        print_columns(out, _examples(runs, limit))


def _print_markdown(runs: TwoRuns, limit: int) -> None:
    print(f"**{_title(runs)}**\n")
    for columns in (_accuracies(runs), _two_by_two(runs)):
        print(as_markdown(columns))
        print()
    print("\n\n".join(_verdict(runs)))
    print(f"\n**{_count(runs, limit)}**")
    if runs.disagreements:
        print()
        print(as_markdown(_examples(runs, limit)))


def _print_csv(runs: TwoRuns, _limit: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("image", "true", "a", "p_a", "b", "p_b", "right"))
    for row in runs.disagreements:
        writer.writerow(
            (row.image, clean(row.true), clean(row.read[0]), row.probability[0], clean(row.read[1]),
             row.probability[1], row.right)
        )  # fmt: skip


def _print_json(runs: TwoRuns, _limit: int) -> None:
    sides, counts = [], runs.comparison
    for folder, result, count in zip(runs.folders, runs.results, runs.correct, strict=True):
        low, high = statistics.wilson(count, runs.examples)
        about = {"run_id": result["run_id"], "folder": str(folder), "right": count, "accuracy": count / runs.examples}
        sides.append(about | {"low": low, "high": high})
    content = {
        "data": {key: runs.results[0]["data"][key] for key in ("name", "sha256", "test")},
        "a": sides[0],
        "b": sides[1],
        "both_right": counts.both,
        "only_a_right": counts.only_a,
        "only_b_right": counts.only_b,
        "neither_right": counts.neither,
        "p": counts.p,
        "disagreements": [
            {
                "image": row.image,
                "true": row.true,
                "a": row.read[0],
                "b": row.read[1],
                "probability_a": row.probability[0],
                "probability_b": row.probability[1],
                "right": row.right,
            }
            for row in runs.disagreements
        ],
    }
    print(json.dumps(content, indent=2, allow_nan=False))
