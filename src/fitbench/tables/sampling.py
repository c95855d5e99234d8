"""The sampling of the test examples, for the records of a metric that is no proportion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fitbench import metrics, user_metrics
from fitbench.config import Config
from fitbench.errors import FitbenchError
from fitbench.metrics import Metric
from fitbench.record import reading
from fitbench.record.folder import State
from fitbench.tables.bootstrap import deviation
from fitbench.tables.definition import Measure, Table
from fitbench.tables.measured import run_folder
from fitbench.tables.outcome import evaluation_sets, of_rows
from fitbench.tables.results_file import Record
from fitbench.tasks import task_of, threshold_of


def with_deviations(table: Table, records: Sequence[Record], configurations: Mapping[str, Config]) -> list[Record]:
    """The records with the bootstrap's deviation where a verdict needs it, computed from predictions.npz.

    That is the case for a metric that is no proportion and a claim on other test examples. Where the deviation cannot
    be computed, `reason` of the record says why.

    Args:
        table: the table.
        records: those of its runs.
        configurations: of each measured row by its label; they say where the runs are.
    """
    by_row = of_rows(table, records)
    needed = {
        row.key: row.measure
        for row in table.rows
        if not (row.measure.metric.proportion or evaluation_sets(row, by_row[row.key]).same)
    }
    return [
        _with_deviation(record, measure, configurations[record.row])
        if record.state == State.finished.value and (measure := needed.get((record.row, record.metric)))
        else record
        for record in records
    ]


def _with_deviation(record: Record, measure: Measure, config: Config) -> Record:
    folder = run_folder(config, record.seed, record.fold)
    try:
        result = reading.read_result(folder)
        score = _score(measure.metric, config, result)
        predictions = _predictions(measure.part, folder, result)
        return replace(record, bootstrap_deviation=deviation(score, predictions.targets, predictions.outputs))
    except FitbenchError as error:
        return replace(record, reason=f"no bootstrap: {str(error).removeprefix(f'{folder}/')}")


def _predictions(part: str, folder: Path, result: Mapping[str, Any]) -> reading.Predictions:
    """The recorded predictions of the part.

    Raises:
        FitbenchError: there are none, or predictions.npz is damaged.
    """
    if metrics.is_held_back(part) and result["fold"] is not None:
        return reading.read_validation_predictions(folder, result)
    if part != "test":
        raise FitbenchError(f"predictions.npz does not hold the {metrics.PARTS[part]} part")
    return reading.read_predictions(folder, result)


def _score(
    metric: Metric, config: Config, result: Mapping[str, Any]
) -> Callable[[np.ndarray, np.ndarray], float | None]:
    """The metric's value for targets and recorded outputs, as the run's task scores them, with the run's threshold.

    Raises:
        FitbenchError: there is none, it cannot be imported, or it is not the one that the run recorded.
    """
    loaded = user_metrics.load(metric.name, config.metrics.get(metric.name))
    if loaded.score is None:
        raise FitbenchError(f"{metric.label} is not computed from predictions")
    if loaded.definition != result["metric_info"][metric.name]["definition"]:
        raise FitbenchError(f"{metric.name} is defined otherwise in the run than here")
    task, threshold = task_of(result["task"]), threshold_of(result)
    return lambda targets, outputs: task.score([loaded], targets, outputs, threshold)[metric.name]
