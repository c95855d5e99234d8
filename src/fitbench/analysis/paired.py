"""Two runs on the same test examples: which metric they are compared by, and the test of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench import metrics
from fitbench.analysis import scores, statistics
from fitbench.analysis.bootstrap import Bootstrap, paired_bootstrap, resamples_of
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.record.reading import Predictions
from fitbench.tasks import Task, threshold_of
from fitbench.text import clean


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two runs on N examples.

    `both`, `only_a`, `only_b` and `neither` count the examples that the runs classify correctly.
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def p(self) -> float:
        """The two-sided p-value."""
        return statistics.mcnemar(self.only_a, self.only_b)

    @property
    def correct(self) -> tuple[int, int]:
        """How many examples A and B classify correctly."""
        return self.both + self.only_a, self.both + self.only_b


Results = tuple[Mapping[str, Any], Mapping[str, Any]]  # what result.json of A and B holds
Both = tuple[Predictions, Predictions]


def metric_of(task: Task, results: Results, wanted: str | None) -> tuple[Metric, str]:
    """The metric that two runs of a task are compared by, and a remark where it is not the primary one of the runs.

    Args:
        wanted: as 'mae' or 'test_mae'; None: the primary metric of A. If that is a function of the user's, which
            cannot be computed here, it is the first default metric of the task.

    Raises:
        RequestError: the metric is not computed from predictions of the task; the message names those that are.
    """
    own = [name for result in results for name in _users(result)]
    primary = str(results[0]["primary"])
    if wanted is None and primary in own:
        remark = f"The primary metric, {primary}, is a function of the user's, which is not called here."
        return metrics.get(task.default_metrics[0]), remark
    part, name = (None, primary) if wanted is None else metrics.split(wanted)
    offered = [each for each in metrics.names_for(task.name) if each not in own]
    there = ", ".join(offered)
    if part not in (None, "test"):
        raise RequestError(f"--metric {clean(wanted)}: two runs are compared on the test part; use {clean(name)}")
    if name in own:
        raise RequestError(
            f"--metric {clean(name)}: it is a function of the user's, which is not called here; choose one of {there}"
        )
    metric = metrics.supplied(name)
    if metric is None or metric.score is None or not metric.is_for(task.name):
        raise RequestError(
            f"--metric {clean(name)}: it is not computed from the predictions of a run of {task.name}; choose one of "
            f"{there}"
        )
    return metric, ""


def _users(result: Mapping[str, Any]) -> list[str]:
    """The recorded metrics that fitbench does not supply, or not with this definition."""
    infos = result["metric_info"]
    return [name for name, info in infos.items() if info["definition"] != f"fitbench.{name}"]


def compare_on_examples(task: Task, metric: Metric, results: Results, both: Both) -> McNemar | Bootstrap:
    """McNemar's test for the metric that counts right examples, a paired bootstrap for any other.

    Where outputs are NaN, the metric is undefined. The bootstrap says so.
    """
    if metric.name == task.mcnemar and not any(np.isnan(run.outputs).any() for run in both):
        right_a, right_b = (scores.right(run.targets, run.outputs) for run in both)
        parts = (right_a & right_b, right_a & ~right_b, ~right_a & right_b, ~right_a & ~right_b)
        return McNemar(*(int(part.sum()) for part in parts))
    sides = [(np.asarray(run.outputs, np.float64), threshold_of(result))
             for run, result in zip(both, results, strict=True)]  # fmt: skip
    targets = both[0].targets

    def values(examples: np.ndarray) -> tuple[float | None, float | None]:
        a, b = (
            task.score([metric], targets[examples], outputs[examples], threshold)[metric.name]
            for outputs, threshold in sides
        )
        return a, b

    return paired_bootstrap(values, len(targets), resamples_of(both[0].outputs.size))
