"""What a run records in `metrics` of its result: values of its epochs, and values of outputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fitbench import metrics, selection, user_metrics
from fitbench.config import AUTO, Config, EarlyStopping, Watched, recorded_metrics
from fitbench.metrics import Metric
from fitbench.tasks import Task, best_threshold
from fitbench.training import backend

ROUNDING = 2.0**-23  # of a 32-bit float, relative


@dataclass(frozen=True)
class Monitor:
    """What decides which of two epochs is better: a key of history.jsonl, and the metric whose value is there."""

    key: str
    metric: Metric


@dataclass(frozen=True)
class Measures:
    """The metrics of a run, and how their values come about.

    The metrics of the compiled step (`Task.step_metrics`) are computed from raw outputs, in every part. All others are
    computed from recorded outputs, such as probabilities, of a whole part. Raw outputs are those of the saved model.

    Attributes:
        metrics: what is recorded besides the loss, by name; the first is primary.
        task: of the run.
        threshold: that of the configuration: a probability, or 'auto'.
        stopping: the settings of early stopping, if there is any.
        monitor: what early stopping watches; without it the loss decides which epoch is the best, that of validation,
            or of training where there is no validation.
        plateau: what the schedule watches, if it lowers the learning rate on a plateau.
    """

    metrics: dict[str, Metric]
    task: Task
    threshold: float | Literal["auto"]
    stopping: EarlyStopping | None = None
    monitor: Monitor | None = None
    plateau: Monitor | None = None

    @property
    def primary(self) -> Metric:
        """The first metric of the configuration, which names the best run."""
        return next(iter(self.metrics.values()))

    @property
    def per_epoch(self) -> list[str]:
        """The metrics whose validation values are scored after each epoch: those that the step does not measure."""
        return [name for name in self.metrics if name not in self.task.step_metrics]

    @property
    def step_keys(self) -> list[str]:
        """The keys of history.jsonl of what the compiled steps measure, in the order of the file."""
        names = ("loss", *self.task.step_metrics)
        return [metrics.history_key(part, name) for part in ("train", "val") for name in names]

    def score(
        self, names: Iterable[str], targets: np.ndarray, raw: np.ndarray, threshold: float
    ) -> dict[str, float | None]:
        """The values of these metrics by name, for the targets and the raw outputs [N, outputs] of a whole part."""
        wanted = [self.metrics[name] for name in names]
        of_step = [metric for metric in wanted if metric.name in self.task.step_metrics]
        others = [metric for metric in wanted if metric not in of_step]
        values = self.task.score(of_step, targets, raw)
        if others:
            values |= self.task.score(others, targets, self.task.recorded(raw), threshold)
        return values

    def threshold_for(self, targets: np.ndarray, raw: np.ndarray) -> float:
        """The threshold of the configuration, or the best one for the raw outputs [N, outputs] on the validation part.

        It is the best for micro F1, whichever metrics are selected: they are no part of a run's identity.
        """
        if self.threshold != AUTO:
            return float(self.threshold)
        return best_threshold(metrics.get("micro_f1"), targets, self.task.recorded(raw))

    def of_epochs(
        self, history: list[dict[str, Any]], examples: Mapping[str, int], measured: bool = True
    ) -> dict[str, float | None]:
        """The values, by their names in the result, that the history has of the weights that the model has.

        Values of the training part are only those that the step measures. If the weights are not `measured`, because
        something has changed them since, or without epochs, there are none. Shares of the examples, of which a part has
        so many, are exact again: the step computes them in 32 bits.
        """
        if not history:
            return {"best_epoch": None, "epochs": 0}
        line = self.kept_epoch(history) if measured else {}
        values = {"best_epoch": self.best(history)["epoch"], "epochs": history[-1]["epoch"]}
        for part, names in (("train", self.task.epoch_means), ("val", self.metrics)):
            for name in ("loss", *names):
                if (key := metrics.history_key(part, name)) in line:
                    values[metrics.join(part, name)] = self.exact(name, line[key], examples[part])
        return values

    def exact(self, name: str, value: float | None, examples: int) -> float | None:
        """The value of a metric of the step on so many examples, without the rounding to 32 bits if it is a share."""
        metric = self.metrics.get(name) or metrics.get(name)
        return exact_share(value, examples) if metric.proportion else value

    def kept_epoch(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """The epoch whose weights the model has: the best where early stopping restores them, else the last."""
        return self.best(history) if self.stopping and self.stopping.restore_best_weights else history[-1]

    def best(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """The best epoch as early stopping counts: a change of no more than `min_delta` is none.

        Epochs before `start_from_epoch` do not count. If there are no others, the last one is the best: its weights are
        those that the model has.
        """
        monitor = self.monitor or Monitor("val_loss" if "val_loss" in history[-1] else "loss", metrics.get("loss"))
        start, min_delta = (self.stopping.start_from_epoch, self.stopping.min_delta) if self.stopping else (0, 0.0)
        best, *later = history[start:] or history[-1:]
        for epoch in later:
            if monitor.metric.is_better(epoch.get(monitor.key), best.get(monitor.key), min_delta):
                best = epoch
        return best

    @property
    def needed(self) -> set[str]:
        """The keys of history.jsonl that every epoch must have."""
        return {"loss", *(monitor.key for monitor in (self.monitor, self.plateau) if monitor)}

    def missing(self, part: str, values: Mapping[str, Any]) -> list[str]:
        """The metrics, with the loss, that have no entry for this part among the values."""
        return [name for name in ("loss", *self.metrics) if metrics.join(part, name) not in values]


def of(config: Config, task: Task) -> Measures:
    """What a run of the configuration measures. If it has metrics of the user's, the backend is started for them.

    Raises:
        RequestError: a metric of the user's cannot be imported.
    """
    if any(entry is not None for entry in config.metrics.values()):
        backend.start(config)  # the module may import Keras
    loaded = recorded_metrics(config, task, user_metrics.load)
    return Measures(
        loaded,
        task,
        config.training.threshold,
        config.training.early_stopping,
        _monitor(config.stopping_monitor, config, task),
        _monitor(config.schedule_monitor, config, task),
    )


def _monitor(watched: Watched | None, config: Config, task: Task) -> Monitor | None:
    """The key and the metric of what is watched after each epoch; None if nothing is.

    Raises:
        RequestError: the epochs of a run of this task do not measure it.
    """
    if watched is None:
        return None
    part, metric = selection.monitored(watched.name, config.metrics, task)
    return Monitor(metrics.history_key(part, metric.name), metric)


def exact_share(value: float | None, examples: int) -> float | None:
    """The share of so many examples that has this value when it is rounded to 32 bits; another value as it is."""
    if value is None or not math.isfinite(value) or not examples:
        return value
    share = round(value * examples) / examples
    return share if math.isclose(share, value, rel_tol=ROUNDING) else value


def arranged(values: Mapping[str, float | None], names: Iterable[str], parts: Iterable[str]) -> dict[str, Any]:
    """`metrics` of a result: loss and metrics of each part, then what is of no part. Absent or not finite is null."""
    keys = [metrics.join(part, name) for part in parts for name in ("loss", *names)]
    finite = {key: value if value is not None and math.isfinite(value) else None for key, value in values.items()}
    return {key: finite.get(key) for key in (*keys, "best_epoch", "epochs")}
