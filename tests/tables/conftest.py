"""Tables, and the run folders that their rows would leave."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitbench import metrics, user_metrics
from fitbench.config import Config, config_id, plain, run_id
from fitbench.record.folder import folder_of
from fitbench.record.result import write_result
from fitbench.tables.composing import configurations
from fitbench.tables.definition import Measure, Table
from fitbench.tables.measured import read_runs
from fitbench.tables.outcome import Outcome, outcomes
from fitbench.tables.reading import read
from fitbench.tables.results_file import Record
from fitbench.tables.sampling import with_deviations
from fitbench.tasks import task_of

from ..run_folders import SCHEMA_2

DEFINITION: dict[str, Any] = {
    "title": "A table",
    "source": "Somebody 1998, p. 5",
    "unit": "error_percent",
    "test_examples": 10000,
    "test_set": "same",
    "seeds": 5,
    "overrides": ["data=digits", "training.epochs=2"],
    "rows": [
        {"label": "softmax", "claimed": "8.4", "overrides": ["model=softmax"]},
        {
            "label": "mlp",
            "claimed": ["1.5", "1.7"],
            "overrides": ["model=mlp", "model.hidden=[20]"],
            "notes": "As written.",
        },
        {"label": "human", "claimed": "1.2", "measured": False, "source": "Nobody 2000"},
    ],
}


@pytest.fixture
def define(tmp_path):
    """Writes experiments/small/table.yaml with changed keys; gives its folder."""

    def write(rows: list[dict[str, Any]] | None = None, **changed: Any) -> Path:
        folder = tmp_path / "experiments" / "small"
        folder.mkdir(parents=True, exist_ok=True)
        content = {**DEFINITION, **changed, **({} if rows is None else {"rows": rows})}
        (folder / "table.yaml").write_text(
            json.dumps({key: value for key, value in content.items() if value is not ...})
        )
        return folder

    return write


@pytest.fixture(scope="session")
def _configurations():
    return {}


@pytest.fixture
def composed(tmp_path, _configurations):
    """`configurations` with runs in tmp_path/outputs, composed once for all tests with the same rows."""

    def of(table: Table) -> dict[str, Config]:
        key = (table.study, table.overrides, table.rows)
        if key not in _configurations:
            _configurations[key] = configurations(table, Path("outputs"))
        outputs = str(tmp_path / "outputs")
        return {label: config.model_copy(update={"outputs": outputs}) for label, config in _configurations[key].items()}

    return of


@pytest.fixture
def measure(composed):
    """Records the runs of a row with these values of its metric, by seed, or by seed and fold; gives their folders."""

    def record(
        table: Table,
        label: str,
        values: dict[int, float | None] | dict[tuple[int, int], float | None],
        test: int = 10000,
        sha256: str = "ab" * 32,
    ):
        config = composed(table)[label]
        [measure] = table.measures_of(label)
        keys = [key if isinstance(key, tuple) else (key, None) for key in values]
        return [
            finish(measure, config.model_copy(update={"seed": seed, "fold": fold}), value, test, sha256)
            for (seed, fold), value in zip(keys, values.values(), strict=True)
        ]

    return record


@pytest.fixture
def look(composed):
    """The outcomes of a table from the runs that are recorded."""

    def outcomes_of(table: Table) -> list[Outcome]:
        configs = composed(table)
        return outcomes(table, with_deviations(table, read_runs(table, configs), configs))

    return outcomes_of


def finish(measure: Measure, config: Config, value: float | None, test: int, sha256: str) -> Path:
    """The folder of a finished run with this value of a metric."""
    folder = folder_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    name = measure.metric.name
    task = config.known_task or task_of("classification")
    infos = {each: metrics.get(each).info() for each in (*task.default_metrics, "loss")}
    infos[name] = user_metrics.load(name, config.metrics.get(name)).info()
    values = {metrics.join(part, metric): 0.5 for part in metrics.PARTS for metric in infos}
    write_result(
        folder,
        {
            **SCHEMA_2, "run_id": run_id(config), "config_id": config_id(config), "seed": config.seed,
            "fold": config.fold, "study": config.study, "config": plain(config),
            "metrics": {**values, measure.name: value, "best_epoch": 1, "epochs": 2},
            "metric_info": infos,
            "timing": {"fit_seconds": 2.5, "seconds": 83.0, "examples_per_second": 8123.4},
            "task": task.name, "primary": task.default_metrics[0], "parameters": 12345,
            "data": {"name": config.data.name, "sha256": sha256, "train": 100, "validation": 20, "test": test,
                     task.names_key: ["0", "1"], "skipped": 0},
            "versions": {"python": "3.11.7", "keras": "3.15.1"}, "git": {"commit": "c0ffee" * 6, "dirty": False},
            "device": "cpu: Some Processor, 2 cores", "attempts": 1, "finished_at": "2026-01-02T03:04:05Z",
        },
    )  # fmt: skip
    return folder


def jobs_of(arguments: list[str]) -> list[dict[str, Any]]:
    """The jobs that the arguments of a launch name."""
    [path] = [argument.split("=", 1)[1] for argument in arguments if argument.startswith("hydra.sweeper.jobs=")]
    return json.loads(Path(path.strip("'")).read_text())


@pytest.fixture
def launched(monkeypatch) -> list[tuple[list[str], list[dict[str, Any]]]]:
    """The arguments and jobs of each launch, in place of launching them."""
    calls: list[tuple[list[str], list[dict[str, Any]]]] = []

    def launch(arguments: list[str]) -> int:
        calls.append((arguments, jobs_of(arguments)))
        print("what the sweep says")
        return 0

    monkeypatch.setattr("fitbench.launch.command.launch", launch)
    return calls


@pytest.fixture
def small(define) -> Table:
    return read(define())


MATRIX: dict[str, Any] = {
    "down": "network",
    "across": "data set",
    "lines": {
        "FCN": {"overrides": ["model=mlp"]},
        "MLP": {"overrides": ["model=mlp", "model.hidden=[9]"]},
        "softmax": {"overrides": ["model=softmax"]},
    },
    "columns": {name: {} for name in ("GunPoint", "Coffee", "Trace", "OSULeaf")},
    "cells": {
        "FCN": {
            "GunPoint": {"claimed": {"test_accuracy": "84.3 ± 0.3", "test_macro_f1": "0.80"}, "trainings": 10},
            "Coffee": {"claimed": {"test_accuracy": "90.0", "test_macro_f1": "0.90"}},
            "Trace": {"claimed": {"test_accuracy": "70.0", "test_macro_f1": "0.70"}},
            "OSULeaf": {"claimed": {"test_accuracy": "60.0", "test_macro_f1": "none stated"}},
        },
        "MLP": {
            "GunPoint": {"claimed": {"test_accuracy": "84.0", "test_macro_f1": "0.85"}},
            "Coffee": {"claimed": {"test_accuracy": "90.0", "test_macro_f1": "0.91"}},
            "Trace": {"claimed": {"test_accuracy": "75.0", "test_macro_f1": "0.75"}},
        },
        "softmax": {
            "GunPoint": {"claimed": {"test_accuracy": "70.0", "test_macro_f1": "0.71"}},
            "Coffee": {"claimed": {"test_accuracy": "80.0", "test_macro_f1": "0.80"}},
            "Trace": {"claimed": {"test_accuracy": "60.0", "test_macro_f1": "0.61"}},
        },
    },
}
METRICS = [
    {"metric": "test_accuracy", "unit": "percent", "tolerance": 1.0},
    {"metric": "test_macro_f1", "unit": "value", "tolerance": 0.01},
]
# The accuracies of the seeds, in the columns of each line. A macro F1 is 0.01 lower.
ACCURACIES: dict[str, dict[str, list[float]]] = {
    "FCN": {
        "GunPoint": [0.843, 0.844, 0.845],  # reproduced
        "Coffee": [0.940, 0.941, 0.942],  # better
        "Trace": [0.640, 0.641, 0.642],  # worse
    },
    "MLP": {
        "GunPoint": [0.80, 0.84, 0.88],  # inconclusive
        "Coffee": [0.899, 0.901],  # so far
        "Trace": [0.750, 0.751, 0.749],
    },
    "softmax": {"GunPoint": [0.700, 0.701, 0.699], "Coffee": [0.801, 0.800, 0.799], "Trace": []},
}


@pytest.fixture
def matrix(define) -> Table:
    """A matrix of 3 lines and 4 columns with two metrics."""
    return read(define(seeds=3, unit=..., metrics=METRICS, rows=..., matrix=MATRIX, test_examples=1000))


@pytest.fixture
def matrix_outcomes(matrix) -> list[Outcome]:
    """The outcomes of the matrix, from the accuracies above."""
    records = []
    for row in matrix.rows:
        line, column = row.cell
        values = ACCURACIES[line].get(column, [])
        shift = 0 if row.measure.name == "test_accuracy" else 0.01
        for seed in row.seeds:
            about = Record(row.label, row.measure.name, "c0ffee00", seed, None, "missing", data_sha256="ab")
            if seed < len(values):
                about = replace(about, state="finished", value=values[seed] - shift, test_examples=1000)
            records.append(about)
    return outcomes(matrix, records)
