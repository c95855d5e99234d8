"""What the search calls to train a run, with a formula in place of training: it takes no time and no TensorFlow.

It keeps what a run folder and a trial promise: a claim, a history, a checkpoint after every epoch from which it goes
on, and at the end a result, or pruned.json.
"""

import json
import logging
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from fitbench import metrics, selection, user_metrics
from fitbench.config import Config, config_id, plain, run_id
from fitbench.record.claims import claim
from fitbench.record.files import write_whole
from fitbench.record.folder import tidy
from fitbench.record.history import append_history, write_history
from fitbench.record.reading import read_result
from fitbench.record.result import SCHEMA, utc_now, write_pruned, write_result
from fitbench.tasks import task_of
from fitbench.training.run import Trial

log = logging.getLogger(__name__)


def after_epoch() -> None:
    """What tests put something else in place of."""


def accuracy(config: Config, epoch: int) -> float:
    """The better, the nearer the learning rate is to 0.01, the larger the batch and the later the epoch."""
    rate = config.optimizer["learning_rate"]
    best = 1 / (1 + abs(math.log10(rate) + 2)) + 0.2 * config.training.batch_size / 128
    falls = 0.5 if epoch == 2 and rate > 0.03 else 0.0
    return best * (1 - 0.5**epoch) - falls + 0.001 * math.sin(1e6 * rate + config.seed + 10 * (config.fold or 0))


def selected(config: Config) -> dict[str, Any]:
    """The metrics that the configuration selects for classes."""
    return selection.resolved(config.metrics, task_of("classification"))


def other_metric(name: str, value: float, config: Config) -> float | None:
    """The value of a metric other than accuracy: 1 - value if a smaller one is better; undefined for a batch of 64.

    The `log_loss` is always defined.
    """
    if user_metrics.from_config(name, selected(config)[name]).direction == "min":
        return 1 - value
    return None if name == "macro_f1" and config.training.batch_size == 64 else value / 2


def infos(config: Config) -> dict[str, Any]:
    """What result.json has in `metric_info`."""
    described = {name: user_metrics.from_config(name, entry) for name, entry in selected(config).items()}
    described["loss"] = metrics.get("loss")
    return {name: replace(metric, definition=metric.definition or name).info() for name, metric in described.items()}


def train(config: Config, folder: Path, trial: Trial, needs_trackers: bool = True) -> dict[str, Any] | None:
    """As `fitbench.training.run.train`. A model named `fails` fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with claim(folder):
        tidy(folder)
        if (folder / "result.json").exists():
            return read_result(folder)
        (folder / "error.txt").unlink(missing_ok=True)
        (folder / "pruned.json").unlink(missing_ok=True)
        path = folder / "train.log"
        attempts = 1 + (len(re.findall(" attempt ", path.read_text())) if path.exists() else 0)
        log.info("attempt %d of %s", attempts, folder.name)
        try:
            if config.model["name"] == "fails":
                raise ValueError("no luck\nwith this model")
            result = _train(config, folder, trial, attempts)
        except Exception as error:
            write_whole(folder / "error.txt", f"ValueError: {error}")
            raise
        log.info("pruned" if result is None else "finished")
    return result


def _train(config: Config, folder: Path, trial: Trial, attempts: int) -> dict[str, Any] | None:
    checkpoint = folder / "checkpoint" / "state.json"
    history: list[dict[str, Any]] = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
    write_history(folder, history)
    judged = [trial.prune(epoch) for epoch in history]  # all of them are reported
    pruned = any(judged) and len(history) < config.training.epochs
    while not pruned and len(history) < config.training.epochs:
        number = len(history) + 1
        value = accuracy(config, number)
        line = {"epoch": number, "seconds": 0.1, "learning_rate": 0.1, "loss": 1 - value, "accuracy": value}
        validation = {"val_loss": 1.01 - value, "val_accuracy": value - 0.01}
        others = {f"val_{name}": other_metric(name, value, config) for name in selected(config) if name != "accuracy"}
        history.append({**line, **validation, **others})
        append_history(folder, history[-1])
        checkpoint.parent.mkdir(exist_ok=True)
        write_whole(checkpoint, json.dumps(history))
        after_epoch()
        pruned = trial.prune(history[-1]) and number < config.training.epochs
    names = [name for name in selected(config) if name != "accuracy"]
    values = {
        "train_loss": history[-1]["loss"], "train_accuracy": history[-1]["accuracy"],
        "val_loss": history[-1]["val_loss"], "val_accuracy": history[-1]["val_accuracy"],
        **{f"train_{name}": history[-1][f"val_{name}"] for name in names},
        **{f"val_{name}": history[-1][f"val_{name}"] for name in names},
        "best_epoch": len(history), "epochs": len(history),
    }  # fmt: skip
    if pruned:
        write_whole(checkpoint, json.dumps(history))
        timing: dict[str, Any] = {"fit_seconds": 1.0}
        about = {"schema": SCHEMA, "run_id": run_id(config), "trial": trial.number, "metrics": values}
        write_pruned(folder, {**about, "metric_info": infos(config), "timing": timing, "pruned_at": utc_now()})
        return None
    result = {
        "schema": SCHEMA, "run_id": run_id(config), "config_id": config_id(config), "seed": config.seed,
        "study": config.study, "config": plain(config),
        "fold": config.fold, "task": "classification", "primary": "accuracy", "metric_info": infos(config),
        "metrics": {**values, "test_loss": 0.5, **dict.fromkeys((f"test_{name}" for name in selected(config)), 0.5)},
        "timing": {"fit_seconds": 1.0, "seconds": 2.0, "examples_per_second": 100.0},
        "parameters": 10 * config.training.batch_size,
        "data": {"name": "digits", "sha256": "0" * 64, "train": 8, "validation": 2, "test": 2, "skipped": 0,
                 "classes": ["0", "1"]},
        "versions": {"keras": "3"}, "git": {"commit": None, "dirty": None}, "device": "none", "attempts": attempts,
        "threads": None, "environment": {}, "code": {},
        "finished_at": utc_now(), "trial": trial.number,
    }  # fmt: skip
    write_result(folder, result)
    shutil.rmtree(checkpoint.parent)
    return result
