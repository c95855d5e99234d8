"""Run folders with the files that training writes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
from omegaconf import OmegaConf

from fitbench import metrics
from fitbench.config import config_id, plain, run_id
from fitbench.quantities import of_schema_1
from fitbench.record import dataset
from fitbench.record.files import write_whole
from fitbench.record.folder import folder_of
from fitbench.record.history import write_history
from fitbench.record.result import SCHEMA, write_pruned, write_result
from fitbench.tasks import THRESHOLD, task_of

# what a result of schema 2 has besides the values of schema 1, for a run that records accuracy and loss
SCHEMA_2: dict[str, Any] = {
    "schema": SCHEMA,
    "fold": None,
    "task": "classification",
    "primary": "accuracy",
    "metric_info": {name: metrics.get(name).info() for name in ("accuracy", "loss")},
    "threads": 2,
    "environment": {},
    "code": {},
}


def curves(epochs: int, validation: bool = True) -> list[dict[str, Any]]:
    """A history whose losses fall, the validation loss until epoch 3."""
    history = []
    for epoch in range(1, epochs + 1):
        line = {
            "epoch": epoch,
            "seconds": 0.5,
            "learning_rate": 0.001,
            "loss": 2.0 / epoch,
            "accuracy": 1 - 0.5 / epoch,
        }
        if validation:
            line |= {"val_loss": 0.5 + 0.1 * abs(epoch - 3), "val_accuracy": 0.9 - 0.02 * abs(epoch - 3)}
        history.append(line)
    return history


KAPPA = {  # what a run records in metric_info of a user's metric that fitbench does not supply
    "label": "Cohen's kappa", "direction": "max", "range": [-1.0, 1.0], "digits": 3, "unit": "", "proportion": False,
    "definition": "mine.kappa {} sha256:00",
}  # fmt: skip


def record_metrics(
    folder: Path,
    infos: dict[str, dict[str, Any]],
    values: dict[str, float | None] | None = None,
    epochs: dict[str, list[float | None]] | None = None,
    primary: str | None = None,
) -> Path:
    """Make the result of a run one of schema 2 that also records these metrics; gives the folder.

    Args:
        infos: entries of metric_info.
        values: recorded values, as {"test_kappa": 0.5}; those of `infos` that are not there are null.
        epochs: further columns of the history, as {"val_kappa": [0.1, 0.2]}.
        primary: the primary metric; None: accuracy.
    """
    path = folder / "result.json"
    result = json.loads(path.read_text())
    if "examples_per_second" not in result["timing"]:
        result["timing"]["examples_per_second"] = result["timing"].pop("images_per_second")
    known = result.get("metric_info", of_schema_1())
    absent = {f"{part}_{name}": None for part in ("train", "val", "test") for name in infos}
    result |= {
        "schema": 2, "fold": result.get("fold"), "task": "classification",
        "primary": primary or result.get("primary", "accuracy"),
        "metric_info": known | infos, "metrics": absent | result["metrics"] | (values or {}),
        "threads": None, "environment": {}, "code": {},
    }  # fmt: skip
    path.write_text(json.dumps(result))
    if epochs:
        history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        for i, line in enumerate(history):
            line.update({name: column[i] for name, column in epochs.items() if i < len(column)})
        write_history(folder, history)
    return folder


def predictions(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that are right for most images."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count).astype(np.int32)
    probabilities = random.random((count, classes), np.float32)
    probabilities[np.arange(count), labels] += 0.7
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def held_back(fold: int, folds: int, classes: int, examples: int = 120) -> dict[str, np.ndarray]:
    """The arrays of predictions.npz of the validation part, which is every `folds`-th of the training examples."""
    rows = np.arange(fold, examples, folds)
    labels, probabilities = predictions(len(rows), classes, seed=fold)
    return {"validation_labels": labels, "validation_probabilities": probabilities, "validation_rows": rows}


def as_task(
    folder: Path,
    task: str,
    targets: np.ndarray,
    outputs: np.ndarray,
    names: tuple[str, ...],
    threshold: float | None = None,
    rows: np.ndarray | None = None,
) -> Path:
    """Make a finished run one of regression or of several labels, with these predictions; gives the folder.

    All its metrics are scored by the task; the history records the first of them, and dataset.json the names.
    """
    of = task_of(task)
    result = json.loads((folder / "result.json").read_text())
    sha256 = result["data"]["sha256"]
    arrays = {of.targets_name: targets, of.outputs_name: outputs, "data_sha256": np.array(sha256)}
    np.savez(folder / "predictions.npz", **arrays, **({} if rows is None else {"rows": rows}))
    wanted = [metrics.get(name) for name in of.default_metrics]
    values = of.score(wanted, targets, outputs, threshold or THRESHOLD)
    kept = {
        key: result["metrics"][key] for key in (*(f"{part}_loss" for part in metrics.PARTS), "best_epoch", "epochs")
    }
    data = {key: value for key, value in result["data"].items() if key != "classes"}
    result |= {
        "task": task, "primary": wanted[0].name, "threshold": threshold,
        "metric_info": {metric.name: metric.info() for metric in (*wanted, metrics.get("loss"))},
        "metrics": kept | {f"{part}_{name}": value for part in metrics.PARTS for name, value in values.items()},
        "data": data | {"test": len(targets), of.names_key: list(names)},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for line in history:
        line[f"val_{wanted[0].name}"] = line.pop("val_accuracy", None)
        line.pop("accuracy", None)
    write_history(folder, history)
    described = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in names] if task == "regression" else names
    about = {"name": data["name"], "source": "x.csv", "sha256": sha256, "task": task, "shape": [3], "dtype": "float32"}
    dataset.write(folder, about | {of.names_key: described})
    return folder


def close_values(count: int, targets: int = 1, seed: int = 0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and values that are close to them, float32 [count, targets]."""
    random = np.random.default_rng(seed)
    true = random.normal(0, scale, (count, targets)).astype(np.float32)
    return true, true + random.normal(0, 0.3 * scale, true.shape).astype(np.float32)


def several_labels(count: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, int8 [count, labels], and probabilities that fit most of them."""
    random = np.random.default_rng(seed)
    true = (random.random((count, labels)) < 0.4).astype(np.int8)
    return true, np.clip(0.25 + 0.5 * true + random.normal(0, 0.2, true.shape), 0, 1).astype(np.float32)


def pruned_after(history: list[dict[str, Any]], run_id: str, trial: int | None) -> dict[str, Any]:
    """What pruned.json holds after these epochs."""
    last = history[-1]
    return {
        "schema": SCHEMA,
        "metric_info": SCHEMA_2["metric_info"],
        "run_id": run_id,
        "trial": trial,
        "metrics": {
            "train_loss": last["loss"],
            "train_accuracy": last["accuracy"],
            "val_loss": last["val_loss"],
            "val_accuracy": last["val_accuracy"],
            "best_epoch": min(3, len(history)),
            "epochs": len(history),
        },
        "timing": {"fit_seconds": 1.5},
        "pruned_at": "2026-01-02T03:04:05Z",
    }


@pytest.fixture(scope="session")
def composed(configure):
    """`configure`, once for each set of overrides: composing takes a tenth of a second."""
    return cache(configure)


@pytest.fixture(scope="session")
def _compositions():
    return {}


@pytest.fixture
def composed_once(monkeypatch, _compositions):
    """For tests that show many runs: `show` composes the defaults of a configuration, which takes most of its time."""
    compose = hydra.compose

    def once(name: str, overrides: list[str]) -> Any:
        key = (name, *overrides)
        if key not in _compositions:
            _compositions[key] = compose(name, overrides)
        return _compositions[key]

    monkeypatch.setattr(hydra, "compose", once)


@pytest.fixture
def make_run(composed, tmp_path):
    """Writes a run folder below `outputs`; gives the folder."""
    return maker(composed, tmp_path / "outputs")


@pytest.fixture
def make_fold(make_run):
    """Writes a run folder of one of four folds, of data without a test part; gives the folder."""

    def make(*overrides: str, fold: int = 0) -> Path:
        folds = ("training.validation=kfold", "training.folds=4", f"fold={fold}")
        return make_run(*folds, *overrides, labels=np.empty(0, np.int32), probabilities=np.empty((0, 3), np.float32))

    return make


def maker(composed: Any, below: Path) -> Any:
    """The function that `make_run` is. `composed` is the fixture, `below` the outputs folder."""

    def make(
        *overrides: str,
        outputs: Path = below,
        classes: tuple[str, ...] = ("cat", "dog", "owl"),
        history: list[dict[str, Any]] | None = None,
        labels: np.ndarray | None = None,
        probabilities: np.ndarray | None = None,
        sha256: str = "ab" * 32,
        finished: bool = True,
        trial: int | None = None,
        pruned: bool = False,
    ) -> Path:
        config = composed("model=mlp", *overrides).model_copy(update={"outputs": str(outputs)})
        folder = folder_of(config)
        folder.mkdir(parents=True)
        history = curves(5) if history is None else history
        write_whole(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain(config))))
        write_history(folder, history)
        if pruned:
            write_pruned(folder, pruned_after(history, run_id(config), trial))
        if pruned or not finished:
            return folder
        if labels is None or probabilities is None:
            labels, probabilities = predictions(60, len(classes))
        arrays = {"labels": labels, "probabilities": probabilities, "data_sha256": np.array(sha256)}
        arrays |= {} if config.fold is None else held_back(config.fold, config.training.folds, len(classes))
        np.savez(folder / "predictions.npz", **arrays)
        last = history[-1] if history else {}
        validation = len(arrays.get("validation_rows", range(20)))
        result = {
            **SCHEMA_2,
            "run_id": run_id(config),
            "config_id": config_id(config),
            "seed": config.seed,
            "fold": config.fold,
            "study": config.study,
            "config": plain(config),
            "metrics": {
                "train_loss": last.get("loss"),
                "train_accuracy": last.get("accuracy"),
                "val_loss": last.get("val_loss"),
                "val_accuracy": last.get("val_accuracy"),
                "best_epoch": min(3, len(history)) or None,
                "epochs": len(history),
                "test_loss": 0.5 if len(labels) else None,
                "test_accuracy": float((probabilities.argmax(axis=1) == labels).mean()) if len(labels) else None,
            },
            "timing": {"fit_seconds": 2.5, "seconds": 83.0, "examples_per_second": 8123.4} if history else
                      {"fit_seconds": None, "seconds": 83.0, "examples_per_second": None},
            "parameters": 12345,
            "data": {"name": config.data.name, "sha256": sha256, "train": 120 - validation, "validation": validation,
                     "test": len(labels), "classes": list(classes), "skipped": 0},
            "versions": {"keras": "3"},
            "git": {"commit": None, "dirty": None},
            "device": "cpu: Some Processor, 2 cores",
            "attempts": 1,
            "finished_at": "2026-01-02T03:04:05Z",
        } | ({} if trial is None else {"trial": trial})  # fmt: skip
        write_result(folder, result)
        return folder

    make.curves = curves
    make.predictions = predictions
    return make
