"""Two runs on the same test examples: which one is better, and where they disagree."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.analysis import statistics
from fitbench.analysis.bootstrap import Bootstrap
from fitbench.analysis.disagreements import DECIMALS, DISAGREEMENTS, Side
from fitbench.analysis.paired import McNemar, compare_on_examples, metric_of
from fitbench.analysis.scores import decimals_of
from fitbench.columns import Column, Note, Table
from fitbench.errors import FitbenchError, RequestError
from fitbench.formats import print_as
from fitbench.metrics import Metric
from fitbench.record import reading
from fitbench.record.tested_on import same_examples
from fitbench.tasks import Task, task_of, threshold_of
from fitbench.text import below, clean, number, span

ROWS = 20  # disagreements in a table unless --limit says otherwise
DIGITS = 4
ABOUT = "The test is about these two runs; other seeds may differ (compare groups for that)."


def compare_runs(a: Path, b: Path, metric: str | None, limit: int | None, format: str) -> None:
    """Print the paired test of two runs on their stored predictions, and the examples on which they disagree.

    Args:
        metric: what they are compared by, as `paired.metric_of` takes it.
        limit: how many examples are shown, the first ones; None: `ROWS` in a table, and all in CSV and JSON.

    Raises:
        RequestError: the runs were tested on different examples, one is not finished, or the metric cannot be computed
            from their predictions.
        FitbenchError: a file of a run is damaged.
    """
    runs = _read(a, b, metric)
    if format == "json":
        print(json.dumps(_as_json(runs, limit), indent=2, allow_nan=False))
    else:
        values = DISAGREEMENTS[runs.task.disagreements].columns(runs.examples[:limit])
        print_as(format, _tables(runs, limit or ROWS), values)


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs of a task on the same test examples.

    `results` are what result.json holds, `remark` says why another metric than the primary one is compared, and
    `examples` are those on which the runs differ most, as `DISAGREEMENTS` lists them.
    """

    task: Task
    folders: tuple[Path, Path]
    results: tuple[dict[str, Any], dict[str, Any]]
    metric: Metric
    remark: str
    comparison: McNemar | Bootstrap
    examples: list[dict[str, Any]]

    @property
    def count(self) -> int:
        """How many test examples there are."""
        return int(self.results[0]["data"]["test"])


def _read(a: Path, b: Path, wanted: str | None) -> TwoRuns:
    results = reading.read_result(a), reading.read_result(b)
    tasks = [result["task"] for result in results]
    if tasks[0] != tasks[1]:
        raise RequestError(f"{a} is of the task {clean(tasks[0])} and {b} of {clean(tasks[1])}; choose runs of one")
    if not same_examples(*results):
        tested = [f"{result['data']['name']} ({result['data']['sha256']:.8})" for result in results]
        raise RequestError(
            f"the runs were tested on different examples, {clean(tested[0])} and {clean(tested[1])}; a paired test "
            "needs the same test part"
        )
    if not reading.has_test_part(results[0]):
        raise RequestError(f"{a} and {b} have no test part, on which two runs are compared; compare groups with --by")
    task = task_of(tasks[0])
    metric, remark = metric_of(task, results, wanted)
    both = reading.read_predictions(a, results[0]), reading.read_predictions(b, results[1])
    names = reading.output_names(results[0])
    if names != reading.output_names(results[1]) or not np.array_equal(both[0].targets, both[1].targets):
        raise FitbenchError(
            f"{b}: its {task.names_key} or test targets differ from those of {a}, though they record the same test part"
        )
    if both[0].rows is None:  # an older fitbench has trained A
        both = replace(both[0], rows=both[1].rows), both[1]
    sides = Side(both[0], threshold_of(results[0])), Side(both[1], threshold_of(results[1]))
    examples = DISAGREEMENTS[task.disagreements].rows(*sides, names)
    return TwoRuns(task, (a, b), results, metric, remark, compare_on_examples(task, metric, results, both), examples)


# -- what is printed --------------------------------------------------------------------------------------------------


def _tables(runs: TwoRuns, limit: int) -> list[Table]:
    title = f"{runs.count:,} test examples of {_data(runs)}"
    remarks = [Note(runs.remark, "yellow")] * bool(runs.remark)
    if isinstance(runs.comparison, McNemar):
        alone, test = _right(runs, runs.comparison), _mcnemar(runs.comparison)
    else:
        alone, test = _values(runs, runs.comparison), Table("", [], _bootstrap(runs, runs.comparison))
    tables = [Table(title, [*_named(runs), *alone], remarks), test]
    listing, count = DISAGREEMENTS[runs.task.disagreements], len(runs.examples)
    shown = runs.examples[:limit]
    if not count:
        return [*tables, Table("", [], [Note(listing.title(0, 0), "bold")])]
    return [*tables, Table(listing.title(count, len(shown)), listing.columns(shown), listing.notes(shown))]


def _data(runs: TwoRuns) -> str:
    """The data set with the first digits of its checksum, of A and of B where the inputs of their examples differ."""
    names, shas = ([result["data"][key] for result in runs.results] for key in ("name", "sha256"))
    digits = shas[0][:8] if shas[0] == shas[1] else f"{shas[0][:8]} in A, {shas[1][:8]} in B"
    return f"{' and '.join(dict.fromkeys(names))} ({digits})"


def _named(runs: TwoRuns) -> list[Column]:
    names = [clean(result["run_id"]) for result in runs.results]
    return [Column("", ["A", "B"], right=False), Column("run", names, right=False, key=True)]


def _right(runs: TwoRuns, counts: McNemar) -> list[Column]:
    return [
        Column("right", [f"{count:,}" for count in counts.correct]),
        Column("accuracy", [f"{count / runs.count:.{DIGITS}f}" for count in counts.correct]),
        Column("95% interval", [span(statistics.wilson(count, runs.count), DIGITS) for count in counts.correct]),
    ]


def _mcnemar(counts: McNemar) -> Table:
    """Which of the examples each run has right, and the test."""
    sentence = (
        f"McNemar's exact test: of {counts.only_a + counts.only_b:,} test examples that one run alone classifies "
        f"correctly, A classifies {counts.only_a:,} and B {counts.only_b:,}; p = {_p(counts.p)}."
    )
    two_by_two = [
        Column("", ["A right", "A wrong"], right=False),
        Column("B right", [f"{counts.both:,}", f"{counts.only_b:,}"]),
        Column("B wrong", [f"{counts.only_a:,}", f"{counts.neither:,}"]),
    ]
    wilson = f"Wilson intervals: of each run alone, on test examples like these. {ABOUT}"
    return Table("", two_by_two, [Note(sentence, ""), Note(wilson)])


def _values(runs: TwoRuns, found: Bootstrap) -> list[Column]:
    columns = [Column(runs.metric.label, [number(value, runs.metric.digits) for value in (found.a, found.b)])]
    if runs.metric.of_decisions and runs.task.has_threshold:
        columns.append(Column("threshold", [f"{threshold_of(result):.2f}" for result in runs.results]))
    return columns


def _bootstrap(runs: TwoRuns, found: Bootstrap) -> list[Note]:
    """The difference of the runs, its interval and the test, in sentences."""
    metric = runs.metric
    better = "Higher" if metric.higher_is_better else "Lower"
    if found.difference is None:
        return [Note(f"{metric.label} is undefined for {'A' if found.a is None else 'B'}, so nothing is tested.", "")]
    undefined = f", on {found.undefined:,} of which it is undefined" * bool(found.undefined)
    drawn = f"{found.resamples:,} resamples of the test examples{undefined}"
    if found.interval is None:
        apart = f"{metric.label}: A - B is {number(found.difference, metric.digits)}"
        return [Note(f"{apart}. Paired bootstrap: no interval, because it is undefined on most of {drawn}.", "")]
    assert found.p is not None
    width = found.interval[1] - found.interval[0]
    digits = decimals_of(width, metric.digits) if width > 0 else metric.digits
    apart = f"{metric.label}: A - B is {number(found.difference, digits)}, 95% interval {span(found.interval, digits)}"
    return [
        Note(f"{apart}; p {'<' if found.is_least else '='} {_p(found.p)}. {better} is better.", ""),
        Note(f"Paired bootstrap, percentile interval: {drawn}. {ABOUT}"),
    ]


def _p(p: float) -> str:
    """A p-value with two significant digits, more where it is just below 0.05."""
    return below(statistics.SIGNIFICANT, p, 2, "g")


def _as_json(runs: TwoRuns, limit: int | None) -> dict[str, Any]:
    a, b = (result["data"] for result in runs.results)
    data = {key: a[key] if a[key] == b[key] else None for key in ("name", "sha256", "test")}
    sides = [
        {"run_id": result["run_id"], "folder": str(folder), "data_sha256": result["data"]["sha256"]}
        for folder, result in zip(runs.folders, runs.results, strict=True)
    ]
    found = runs.comparison
    content = _mcnemar_json(found, sides, runs.count) if isinstance(found, McNemar) else _bootstrap_json(found, sides)
    about = {"metric": runs.metric.name, "higher_is_better": runs.metric.higher_is_better}
    return {"data": data, **about, **content, "disagreements": list(map(_shown, runs.examples[:limit]))}


def _shown(example: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in example.items() if key != DECIMALS}


def _mcnemar_json(counts: McNemar, sides: list[dict[str, Any]], examples: int) -> dict[str, Any]:
    for side, count in zip(sides, counts.correct, strict=True):
        low, high = statistics.wilson(count, examples)
        side |= {"right": count, "accuracy": count / examples, "low": low, "high": high}
    return {
        "a": sides[0],
        "b": sides[1],
        "test": "McNemar",
        "both_right": counts.both,
        "only_a_right": counts.only_a,
        "only_b_right": counts.only_b,
        "neither_right": counts.neither,
        "p": counts.p,
    }


def _bootstrap_json(found: Bootstrap, sides: list[dict[str, Any]]) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    return {
        "a": sides[0] | {"value": found.a},
        "b": sides[1] | {"value": found.b},
        "test": "paired bootstrap",
        "difference": found.difference,
        "low": low,
        "high": high,
        "p": found.p,
        "resamples": found.resamples,
        "undefined": found.undefined,
    }
