"""Two runs on the same test images: which is right more often, and where they disagree."""

from __future__ import annotations

import csv
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.analysis import statistics
from fitbench.columns import Column, as_markdown, print_columns
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.text import clean, console, span

SHOWN = 20  # disagreements that tables show unless --limit says otherwise
DIGITS = 4


def compare_runs(a: Path, b: Path, limit: int | None, format: str) -> None:
    """Print McNemar's exact test on the stored predictions of two runs, and the images on which they disagree.

    Raises:
        RequestError: the runs were tested on different images, or one is not finished.
        FitbenchError: a file of a run is damaged.
    """
    pair = _read(a, b)
    shown = {"table": _print, "csv": _print_csv, "json": _print_json, "markdown": _print_markdown}
    shown[format](pair, limit or SHOWN)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs on the same N images. The indices count from 0 in the order of the test set.

    `results` are what result.json holds, `right` is bool [2, N]; `disagreements` are the images that the runs read
    differently, the one first of whose readings the two are most certain.
    """

    folders: tuple[Path, Path]
    results: tuple[dict[str, Any], dict[str, Any]]
    right: np.ndarray
    disagreements: list[Disagreement]

    @property
    def images(self) -> int:
        """How many test images there are."""
        return int(self.right.shape[1])

    @property
    def table(self) -> tuple[int, int, int, int]:
        """On how many images both are right, only A, only B, neither."""
        a, b = self.right
        return int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())


@dataclass(frozen=True)
class Disagreement:
    """An image that two runs read differently: their classes and probabilities (None for NaN), and who is right."""

    image: int
    true: str
    read: tuple[str, str]
    probability: tuple[float | None, float | None]
    right: str


def _read(a: Path, b: Path) -> Pair:
    results = reading.read_result(a), reading.read_result(b)
    shas = [result["data"]["sha256"] for result in results]
    if shas[0] != shas[1]:
        tested = [f"{result['data']['name']} ({sha:.8})" for result, sha in zip(results, shas, strict=True)]
        raise RequestError(
            f"the runs were tested on different images, {clean(tested[0])} and {clean(tested[1])}; McNemar's test "
            "needs the same test set"
        )
    one, other = (reading.read_predictions(folder, result) for folder, result in zip((a, b), results, strict=True))
    classes = results[0]["data"]["classes"]
    if classes != results[1]["data"]["classes"] or not np.array_equal(one.labels, other.labels):
        raise FitbenchError(f"{b}: its classes or test labels are others than those of {a}, though the SHA-256 is one")
    right = np.stack([one.predicted == one.labels, other.predicted == other.labels])
    return Pair((a, b), results, right, _disagreements(one, other, right, classes))


def _disagreements(
    one: reading.Predictions, other: reading.Predictions, right: np.ndarray, classes: list[str]
) -> list[Disagreement]:
    differ = np.flatnonzero(one.predicted != other.predicted)
    certain = np.stack([run.probabilities[differ].max(axis=1) for run in (one, other)]).astype(float)
    order = np.argsort(-np.nan_to_num(certain, nan=0.0).sum(axis=0), kind="stable")
    return [
        Disagreement(
            image=int(differ[i]),
            true=classes[one.labels[differ[i]]],
            read=(classes[one.predicted[differ[i]]], classes[other.predicted[differ[i]]]),
            probability=(_finite(certain[0, i]), _finite(certain[1, i])),
            right="A" if right[0, differ[i]] else "B" if right[1, differ[i]] else "neither",
        )
        for i in order
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# -- as columns -------------------------------------------------------------------------------------------------------


def _accuracies(pair: Pair) -> list[Column]:
    counts = [int(count) for count in pair.right.sum(axis=1)]
    return [
        Column("", ["A", "B"], right=False),
        Column("run", [clean(result["run_id"]) for result in pair.results], right=False, key=True),
        Column("right", [f"{count:,}" for count in counts]),
        Column("accuracy", [f"{count / pair.images:.{DIGITS}f}" for count in counts]),
        Column("95% interval", [span(statistics.wilson(count, pair.images), DIGITS) for count in counts]),
    ]


def _two_by_two(pair: Pair) -> list[Column]:
    both, only_a, only_b, neither = pair.table
    return [
        Column("", ["A right", "A wrong"], right=False),
        Column("B right", [f"{both:,}", f"{only_b:,}"]),
        Column("B wrong", [f"{only_a:,}", f"{neither:,}"]),
    ]


def _examples(pair: Pair, limit: int) -> list[Column]:
    shown = pair.disagreements[:limit]

    def probability(run: int) -> list[str]:
        return ["-" if one.probability[run] is None else f"{one.probability[run]:.3f}" for one in shown]

    return [
        Column("image", [str(one.image) for one in shown]),
        Column("true", [clean(one.true) for one in shown], right=False, key=True),
        Column("A reads", [clean(one.read[0]) for one in shown], right=False, key=True),
        Column("P(A)", probability(0)),
        Column("B reads", [clean(one.read[1]) for one in shown], right=False, key=True),
        Column("P(B)", probability(1)),
        Column("right", [one.right for one in shown], right=False),
    ]


def _verdict(pair: Pair) -> list[str]:
    _, only_a, only_b, _ = pair.table
    p = statistics.mcnemar(only_a, only_b)
    return [
        f"McNemar's exact test: of {only_a + only_b:,} images that one run alone reads right, A reads {only_a:,} and "
        f"B {only_b:,}; p = {p:.2g}.",
        "Wilson intervals: of each run alone, on test images like these. The test is about these two runs; other seeds "
        "may differ (compare groups for that).",
    ]


def _title(pair: Pair) -> str:
    data = pair.results[0]["data"]
    return f"{pair.images:,} test images of {clean(data['name'])} ({clean(data['sha256'][:8])})"


def _count(pair: Pair, limit: int) -> str:
    found = len(pair.disagreements)
    return f"The runs read {found:,} image{'s'[: found != 1]} differently" + (
        f"; the {limit:,} of which they are most certain" if found > limit else ""
    )


# -- the four formats -------------------------------------------------------------------------------------------------


def _print(pair: Pair, limit: int) -> None:
    out = console()
    out.print(_title(pair), style="bold")
    print_columns(out, _accuracies(pair))
    print_columns(out, _two_by_two(pair))
    for line, style in zip(_verdict(pair), ("", "dim"), strict=True):
        out.print(line, style=style)
    out.print(f"\n{_count(pair, limit)}", style="bold")
    if pair.disagreements:
        print_columns(out, _examples(pair, limit))


def _print_markdown(pair: Pair, limit: int) -> None:
    print(f"**{_title(pair)}**\n")
    for columns in (_accuracies(pair), _two_by_two(pair)):
        print(as_markdown(columns))
        print()
    print("\n\n".join(_verdict(pair)))
    print(f"\n**{_count(pair, limit)}**")
    if pair.disagreements:
        print()
        print(as_markdown(_examples(pair, limit)))


def _print_csv(pair: Pair, _limit: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("image", "true", "a", "p_a", "b", "p_b", "right"))
    for one in pair.disagreements:
        writer.writerow(
            (one.image, clean(one.true), clean(one.read[0]), one.probability[0], clean(one.read[1]),
             one.probability[1], one.right)
        )  # fmt: skip


def _print_json(pair: Pair, _limit: int) -> None:
    both, only_a, only_b, neither = pair.table
    runs = []
    for folder, result, count in zip(pair.folders, pair.results, pair.right.sum(axis=1).tolist(), strict=True):
        low, high = statistics.wilson(count, pair.images)
        about = {"run_id": result["run_id"], "folder": str(folder), "right": count, "accuracy": count / pair.images}
        runs.append(about | {"low": low, "high": high})
    content = {
        "data": {key: pair.results[0]["data"][key] for key in ("name", "sha256", "test")},
        "a": runs[0],
        "b": runs[1],
        "both_right": both,
        "only_a_right": only_a,
        "only_b_right": only_b,
        "neither_right": neither,
        "p": statistics.mcnemar(only_a, only_b),
        "disagreements": [
            {
                "image": one.image,
                "true": one.true,
                "a": one.read[0],
                "b": one.read[1],
                "probability_a": one.probability[0],
                "probability_b": one.probability[1],
                "right": one.right,
            }
            for one in pair.disagreements
        ],
    }
    print(json.dumps(content, indent=2, allow_nan=False))
