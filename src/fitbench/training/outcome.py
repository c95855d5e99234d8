"""What a run records at its end: model.keras, predictions.npz, and result.json or pruned.json."""

import logging
import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fitbench.config import config_id, plain, run_id
from fitbench.data.folds import fold_sha256
from fitbench.data.memory import take
from fitbench.metrics import PARTS, join
from fitbench.record import dataset
from fitbench.record.files import beside, replacing
from fitbench.record.result import SCHEMA, utc_now
from fitbench.training import backend
from fitbench.training.checkpoint import Checkpoint
from fitbench.training.environment import git_state, versions
from fitbench.training.epochs import Trained
from fitbench.training.evaluate import predict
from fitbench.training.fit import evaluate
from fitbench.training.measures import arranged
from fitbench.training.networks import Network
from fitbench.training.parts import Parts, RawOutputs, Values
from fitbench.training.trial import Trial
from fitbench.training.variables import variables

log = logging.getLogger(__name__)


def write_model(model: keras.Model, folder: Path) -> None:
    """Write model.keras."""
    with beside(folder / "model.keras") as new, backend.quiet():  # on JAX, saving makes Keras look for TensorFlow
        model.save(new)


def values_of_training(parts: Parts, network: Network, trained: Trained) -> Values:
    """The values of the training and the validation part that training has measured.

    If something has changed the weights since, the network is evaluated on both parts as they are now.
    """
    measures = parts.measures
    counts = {"train": len(parts.kept), "val": len(parts.held_back)}
    values = measures.of_epochs(trained.history, counts, trained.measured)
    if trained.measured or network.loops is None:
        return values
    log.info("the weights have changed since their validation, so they are evaluated again")
    for part, examples in zip(("train", "val"), parts.examples(), strict=True):
        if examples is not None:
            logs = evaluate(network.loops, examples)
            names = [name for name in ("loss", *measures.task.step_metrics) if name in logs]
            values |= {join(part, name): measures.exact(name, logs[name], counts[part]) for name in names}
    return values


def raw_outputs(parts: Parts, network: Network) -> RawOutputs:
    """A function from prepared inputs to outputs in the units of the targets, as the saved model gives them."""
    return lambda inputs: parts.objective.in_units(predict(network.model, inputs))


def values(
    parts: Parts, network: Network, model: keras.Model, trained: Trained, folder: Path, threshold: float
) -> Values:
    """The values of every part; the test part is read for them, and its predictions are written.

    Args:
        parts: of the data.
        network: what was trained; it takes prepared inputs.
        model: the same from raw inputs to outputs in the units of the targets.
        trained: how it was trained.
        folder: of the run.
        threshold: that makes decisions of outputs.
    """
    data, measures = parts.data, parts.measures
    values = values_of_training(parts, network, trained)
    values |= parts.missing_values(raw_outputs(parts, network), values, threshold)
    outputs = np.empty((0, len(data.names)), np.float32)
    if data.has_test_part:
        outputs = predict(model, data.x_test)
        values |= parts.values("test", measures.missing("test", {}), data.y_test, outputs, data.w_test, threshold)
    arrays: dict[str, Any] = {
        measures.task.targets_name: data.y_test,
        measures.task.outputs_name: measures.task.recorded(outputs),
        "data_sha256": np.array(data.sha256),
    }
    if data.rows_test is not None:
        arrays["rows"] = data.rows_test
    if parts.config.training.has_folds:
        arrays |= _held_back(parts, raw_outputs(parts, network))
    with replacing(folder / "predictions.npz") as file:
        np.savez(file, **arrays)
    return values


def _held_back(parts: Parts, raw_of: RawOutputs) -> dict[str, np.ndarray]:
    """The arrays of predictions.npz of the fold that is held back, from raw outputs on it."""
    data, task, rows = parts.data, parts.measures.task, parts.held_back
    arrays = {
        f"validation_{task.targets_name}": data.y_train[rows],
        f"validation_{task.outputs_name}": task.recorded(raw_of(take(parts.prepared.x_train, rows))),
        "validation_rows": rows,
    }
    if data.rows_train is not None:
        arrays["validation_file_rows"] = data.rows_train[rows]
    return arrays


def result(
    parts: Parts, model: keras.Model, values: Values, timing: dict[str, float | None], threshold: float
) -> dict[str, Any]:
    """What result.json holds, but for what only the attempt knows."""
    config, data, measures = parts.config, parts.data, parts.measures
    return {
        "schema": SCHEMA,
        "run_id": run_id(config),
        "config_id": config_id(config),
        "seed": config.seed,
        "fold": config.fold,
        "study": config.study,
        "config": plain(config),
        "task": measures.task.name,
        "primary": measures.primary.name,
        "metrics": arranged(values, measures.metrics, PARTS),
        "metric_info": parts.metric_info,
        **({"threshold": threshold} if measures.task.has_threshold else {}),
        "timing": timing,
        "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "fingerprint": data.fingerprint,
            **({} if config.fold is None else {"fold_sha256": fold_sha256(data, parts.held_back)}),
            "test_sha256": data.test_sha256,
            "test_inputs_sha256": data.test_inputs_sha256,
            "train": len(parts.kept),
            "validation": len(parts.held_back),
            "test": len(data.y_test),
            measures.task.names_key: list(data.names),
            "skipped": len(data.skipped),
            "weighted": data.w_test is not None and bool((data.w_test != 1).any()),
        },
        "versions": versions(config.backend),
        "git": git_state(),
        "environment": variables(),
        "threads": backend.cpu_threads(),
        "finished_at": utc_now(),
    }


def timing(parts: Parts, trained: Trained, began: float, resumed: Checkpoint | None) -> dict[str, float | None]:
    """How long the run took, over all attempts; `began` is the `time.perf_counter()` at which this one began."""
    speeds = [len(parts.kept) / epoch["seconds"] for epoch in trained.history]
    return {
        "fit_seconds": trained.fit_seconds,
        "seconds": time.perf_counter() - began + (resumed.seconds if resumed else 0.0),
        "examples_per_second": float(np.median(speeds)) if speeds else None,
    }


def pruned(parts: Parts, trial: Trial, network: Network, trained: Trained) -> dict[str, Any]:
    """What pruned.json holds: the metrics are those that training has measured up to now."""
    measures = parts.measures
    return {
        "schema": SCHEMA,
        "run_id": run_id(parts.config),
        "trial": trial.number,
        "metrics": arranged(values_of_training(parts, network, trained), measures.metrics, ("train", "val")),
        "metric_info": parts.metric_info,
        "timing": {"fit_seconds": trained.fit_seconds},
        "pruned_at": utc_now(),
    }


def write_dataset(parts: Parts, folder: Path) -> None:
    """Write dataset.json: what the reader found in the data."""
    data, task = parts.data, parts.measures.task
    names: list[Any] = list(data.names)
    if scale := parts.scale:
        names = [
            {"name": name, "mean": float(mean), "deviation": float(deviation)}
            for name, mean, deviation in zip(data.names, scale.mean, scale.deviation, strict=True)
        ]
    content = {
        "name": data.name,
        "source": data.source,
        "sha256": data.sha256,
        "task": data.task,
        "shape": list(data.x_test.shape[1:]),
        "dtype": str(data.x_test.dtype),
        "kind": data.kind,
        task.names_key: names,
        "columns": [column.model_dump(exclude_none=True) for column in data.columns],
        "notes": list(data.notes),
        **({} if data.vocabulary is None else {"vocabulary": data.vocabulary}),
    }
    dataset.write(folder, content)
