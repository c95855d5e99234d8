"""What the files of one run hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from fitbench import metrics
from fitbench.analysis.axes import UNLIMITED, Ends
from fitbench.analysis.drawings import drawings_of
from fitbench.analysis.rows import task_and_primary
from fitbench.analysis.series import axis_label, metrics_of
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.record import evaluations, reading
from fitbench.record.folder import State, state_of
from fitbench.tasks import threshold_of
from fitbench.text import hint


class Panel(NamedTuple):
    """A metric over the epochs: its name in the history, its label, and the range that it can have."""

    name: str
    label: str
    limits: Ends = UNLIMITED


@dataclass
class RunFiles:
    """What the files of a run hold. Those that only some commands need are read when they are asked for."""

    folder: Path
    state: State
    config: dict[str, Any]
    history: list[dict[str, Any]]
    task: str  # '' of a run that has not read its data yet
    primary: str  # the name of the primary metric
    result: dict[str, Any] | None = None
    pruned: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The run_id of a finished run, else the name of its folder."""
        return self.result["run_id"] if self.result else self.folder.name

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of a finished or pruned run, if it has one."""
        ended = self.result or self.pruned
        return ended["metrics"]["best_epoch"] if ended else None

    @property
    def metric_info(self) -> Mapping[str, Any]:
        """The description of the metrics of a finished or pruned run."""
        ended = self.result or self.pruned
        return ended["metric_info"] if ended else {}

    @property
    def has_test_part(self) -> bool:
        """Whether the run has finished, and has a test part."""
        return self.result is not None and reading.has_test_part(self.result)

    @property
    def drawings(self) -> tuple[str, ...]:
        """The names of the drawings of the run's task, which need its predictions."""
        return drawings_of(self.result) if self.result and self.predictions is not None else ()

    @property
    def names(self) -> list[str]:
        """The names of the outputs of a finished run: its classes, targets or labels."""
        return reading.output_names(self.result) if self.result else []

    @property
    def threshold(self) -> float:
        """The probability from which on a finished run of several labels predicts a label."""
        return threshold_of(self.result or {})

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that the run describes; the primary one comes first."""
        return metrics_of(self.metric_info, self.primary)

    @cached_property
    def changed(self) -> list[str]:
        """The arguments with which `fitbench train` composes the run's configuration."""
        from fitbench.analysis.changes import changes

        return changes(self.config)

    @cached_property
    def predictions(self) -> reading.Predictions | None:
        """The predictions of a finished run on its test part; None without this part, or without predictions.npz.

        Raises:
            FitbenchError: predictions.npz is damaged.
        """
        if not self.has_test_part or not (self.folder / "predictions.npz").exists():
            return None
        assert self.result is not None
        return reading.read_predictions(self.folder, self.result)

    @cached_property
    def evaluations(self) -> list[dict[str, Any]]:
        """What is recorded of a finished run on other data.

        Raises:
            FitbenchError: a file of an evaluation is damaged.
        """
        return evaluations.read(self.folder, self.result) if self.result else []

    def panels(self, metric: str | None = None) -> list[Panel]:
        """What learning curves show: the loss, and a metric (None: the primary one)."""
        return [self.panel(name) for name in dict.fromkeys(("loss", metric or self.primary))]

    def panel(self, name: str) -> Panel:
        """How a metric is drawn that the run describes, or fitbench supplies; of any other only the name is known."""
        metric = self.metrics.get(name) or metrics.supplied(name)
        return (
            Panel(name, axis_label(metric), (metric.low, metric.high))
            if metric
            else Panel(name, name.replace("_", " "))
        )


def in_history(name: str, history: Sequence[Mapping[str, Any]], argument: str) -> str:
    """The metric that is meant by 'kappa' or 'val_kappa'.

    Raises:
        RequestError: the history lacks it; the message begins with `argument`, which gave the name.
    """
    recorded = dict.fromkeys(metrics.split(key)[1] for epoch in history for key in epoch if key not in metrics.RESERVED)
    metric = name if name in recorded else metrics.split(name)[1]
    if metric not in recorded:
        raise RequestError(f"{argument}: the history has no {name!r}; {hint(metric, recorded)}")
    return metric


def read_run(folder: Path) -> RunFiles:
    """The run in this folder.

    Raises:
        FitbenchError: a file of the run cannot be read; the message names it.
    """
    state, history = state_of(folder), reading.read_history(folder)
    result = reading.read_result(folder) if state is State.finished else None
    pruned = reading.read_pruned(folder) if state is State.pruned else None
    config = result["config"] if result else reading.read_config(folder)
    task, primary = (result["task"], result["primary"]) if result else task_and_primary(config, folder)
    return RunFiles(folder, state, config, history, task, primary or "loss", result, pruned)
