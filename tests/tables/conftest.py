"""Tables, and the run folders that their rows would leave."""

import json
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
        {"label": "human", "claimed": "0.2", "measured": False, "source": "Nobody 2000"},
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


@pytest.fixture
def small(define) -> Table:
    return read(define())
