"""The objectives of a search: recorded numbers that it maximizes or minimizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fitbench import metrics, quantities, selection, user_metrics
from fitbench.config import AUTO, Config
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tasks import Task
from fitbench.tuning.settings import Settings

# Objectives that are no metrics, with their columns.
COSTS = {"parameters": "parameters", "fit_seconds": "timing.fit_seconds", "seconds": "timing.seconds"}


@dataclass(frozen=True)
class Objective:
    """A number of a run that a search maximizes or minimizes.

    Attributes:
        name: as in `metrics` or `timing` of result.json, or 'parameters'.
        direction: 'maximize' or 'minimize'.
        label: for tables and axes, as in 'validation macro F1'.
        part: 'val' or 'train'; None for what is no metric.
        metric: None for what is no metric. It cannot score.
        in_steps: whether it is a metric that training measures in its steps.
    """

    name: str
    direction: str
    label: str
    part: str | None = None
    metric: Metric | None = None
    in_steps: bool = False

    @property
    def per_epoch(self) -> bool:
        """Whether each line of a history has it."""
        if self.metric is None:
            return False
        return self.part == "val" or self.in_steps

    def recorded_in(self, result: Mapping[str, Any]) -> bool:
        """Whether the result of a finished run has it, be it undefined."""
        return self.metric is None or self.name in result["metrics"]

    def of_result(self, result: Mapping[str, Any]) -> float | None:
        """The value of a finished run; None where the run lacks it or it is undefined."""
        if self.metric is not None:
            return result["metrics"].get(self.name)
        return result["parameters"] if self.name == "parameters" else result["timing"][self.name]

    def of_epoch(self, epoch: Mapping[str, Any]) -> float | None:
        """The value after an epoch, from the line of the history; None where epochs do not measure it."""
        if self.metric is None or self.part is None or not self.per_epoch:
            return None
        return epoch.get(metrics.history_key(self.part, self.metric.name))

    def best(self, values: list[float]) -> float:
        """The best of these values."""
        return max(values) if self.direction == "maximize" else min(values)


def objectives(settings: Settings, config: Config, task: Task) -> list[Objective]:
    """The objectives of a search, the first first.

    Args:
        settings: `objective` and `direction` of them. With the direction `auto` it is that of the metric. The objective
            `auto` is the primary metric on the validation part.
        config: the configuration of a trial, which defines the metrics.
        task: of the trials.

    Raises:
        RequestError: an objective does not exist, is there twice or is of the test set, or there are more or fewer
            directions than objectives.
    """
    selected = selection.resolved(config.metrics, task)
    names = [metrics.join("val", next(iter(selected))) if name == AUTO else name for name in settings.objective]
    directions = settings.direction * len(names) if len(settings.direction) == 1 else settings.direction
    if len(set(names)) < len(names):
        raise RequestError(f"search.objective is {names}; one of them is there twice")
    if len(directions) != len(names):
        raise RequestError(f"search.direction is {directions}; it must have one for each of {', '.join(names)}")
    return [_objective(name, direction, selected, task) for name, direction in zip(names, directions, strict=True)]


def _objective(name: str, direction: str, selected: Mapping[str, Any], task: Task) -> Objective:
    part, metric_name = metrics.split(name)
    if part == "test" or name == "test":
        raise RequestError(
            f"search.objective={name}: a search that looks at the test set makes its results worthless; "
            "use val_accuracy, val_loss or another metric of the validation set"
        )
    if name in COSTS:
        quantity = quantities.quantities([])[COSTS[name]]
        return Objective(name, _direction(direction, quantity.direction), quantity.label)
    metric = _metric(metric_name, selected, task) if part is not None else None
    if part is None or metric is None:
        available = _available(selected, task)
        raise RequestError(f"search.objective={name}: there is no such objective; there are {available}")
    label = f"{metrics.PARTS[part]} {metric.label}"
    in_steps = metric.name in ("loss", *task.step_metrics)
    return Objective(name, _direction(direction, metric.direction), label, part, metric, in_steps)


def _direction(setting: str, direction: str) -> str:
    return setting if setting != "auto" else "maximize" if direction == "max" else "minimize"


def _metric(name: str, selected: Mapping[str, Any], task: Task) -> Metric | None:
    """The metric of this name that the configuration selects or that fitbench supplies for the task."""
    if name in selected:
        return user_metrics.from_config(name, selected[name])
    metric = metrics.supplied(name)
    return metric if metric is not None and metric.is_for(task.name) else None


def _available(selected: Mapping[str, Any], task: Task) -> str:
    """What an objective can be: the selected metrics by their full names, then the others."""
    names = [metrics.join(part, name) for part in ("val", "train") for name in (*selected, "loss")]
    others = [name for name in metrics.names_for(task.name) if name not in (*selected, "loss")]
    return f"{', '.join((*names, *COSTS))}, and val_ and train_ of {', '.join(others)}"


def with_objectives(selected: Mapping[str, Any], wanted: Sequence[Objective]) -> dict[str, Any]:
    """`metrics` of a configuration and behind them the metrics of the objectives, so that the runs record them."""
    names = [objective.metric.name for objective in wanted if objective.metric is not None]
    return {**selected, **{name: None for name in names if name != "loss" and name not in selected}}


def check_trial(config: Config, wanted: Sequence[Objective]) -> None:
    """Refuse a configuration whose runs have no such objective.

    Raises:
        RequestError: there is no validation set, or the model is not trained by epochs.
    """
    for objective in wanted:
        if objective.part != "val":
            continue
        if not config.training.validation_split:
            raise RequestError(
                f"search.objective={objective.name} needs a validation set; training.validation_split is 0"
            )
        if "solver" in config.model:
            raise RequestError(
                f"search.objective={objective.name}: model={config.model['name']} is computed and has no validation"
            )
