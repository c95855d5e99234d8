"""What the files of one run hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.analysis.series import axis_label, metrics_of, primary_of
from fitbench.errors import FitbenchError
from fitbench.metrics import Metric
from fitbench.record import evaluations, reading
from fitbench.record.folder import State, state_of
from fitbench.tasks import task_of


@dataclass
class RunFiles:
    """What the files of a run hold. `predictions` is None without predictions.npz.

    `metrics` are those that the result, or pruned.json, describes; the primary one comes first.
    """

    folder: Path
    state: State
    config: dict[str, Any]
    history: list[dict[str, Any]]
    changed: list[str]
    result: dict[str, Any] | None = None
    pruned: dict[str, Any] | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    predictions: reading.Predictions | None = None
    plots: list[Path] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run_id of a finished run, else the name of its folder."""
        return self.result["run_id"] if self.result else self.folder.name

    @property
    def primary(self) -> str:
        """The name of the primary metric."""
        return self.result["primary"] if self.result else primary_of(self.config)

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of a finished or pruned run, if it has one."""
        ended = self.result or self.pruned
        return ended["metrics"]["best_epoch"] if ended else None

    @property
    def drawings(self) -> tuple[str, ...]:
        """The names of the drawings of the run's task, which need its predictions."""
        return task_of(self.result["task"]).drawings if self.result and self.predictions is not None else ()

    @property
    def classes(self) -> list[str]:
        """The names of the classes of a finished run."""
        return self.result["data"]["classes"] if self.result else []

    def panels(self, metric: str | None = None) -> list[tuple[str, str]]:
        """What learning curves show: the loss, and a metric (None: the primary one), as pairs of name and label."""
        names = dict.fromkeys(("loss", metric or self.primary))
        return [(name, label_of(name, self.metrics)) for name in names]


def label_of(name: str, described: Mapping[str, Metric]) -> str:
    """What an axis calls a metric that the run describes, or fitbench supplies; else its name."""
    metric = described.get(name) or metrics.supplied(name)
    return axis_label(metric) if metric else name.replace("_", " ")


def read_run(folder: Path) -> RunFiles:
    """Read all that the folder holds of a run.

    Raises:
        FitbenchError: a file of the run is damaged.
    """
    from fitbench.analysis.changes import changes

    state = state_of(folder)
    result = reading.read_result(folder) if state is State.finished else None
    pruned = reading.read_pruned(folder) if state is State.pruned else None
    config = result["config"] if result else reading.read_config(folder)
    run = RunFiles(folder, state, config, reading.read_history(folder), changes(config), result, pruned)
    try:
        run.metrics = metrics_of(result or pruned or {"metric_info": {}}, run.primary)
    except FitbenchError as error:
        raise FitbenchError(f"{folder / ('result.json' if result else 'pruned.json')}: {error}") from None
    if result:
        run.evaluations = evaluations.read(folder, result)
        if (folder / "predictions.npz").exists():
            run.predictions = reading.read_predictions(folder, result)
    return run
