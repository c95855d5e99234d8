"""Metrics that a finished run lacks, evaluated from its saved model. Nothing is trained."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.config import Config, run_id
from fitbench.config.code import code_of
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import PARTS, join
from fitbench.record.claims import claim
from fitbench.record.files import outputs_of
from fitbench.record.history import read_history
from fitbench.record.reading import check_metrics, has_test_part, lacking, read_predictions, read_result
from fitbench.record.result import write_result
from fitbench.stderr import write_note
from fitbench.tasks import task_of, threshold_of
from fitbench.text import first_line
from fitbench.training import backend, measures
from fitbench.training.measures import Measures, arranged
from fitbench.training.randomness import seed
from fitbench.untrusted import naming, open_file

if TYPE_CHECKING:
    import keras

    from fitbench.training.parts import Parts

log = logging.getLogger(__name__)


def evaluate_lacking(config: Config, folder: Path) -> dict[str, Any]:
    """Evaluate a finished run for the metrics that it lacks, and record them in its result; gives the result.

    What the history has of them is recorded, as in a new run. All other values of the training and validation part are
    computed by the saved model, and the test part is scored from predictions.npz. The first metric of the configuration
    becomes primary. The history stays as it is.

    Raises:
        Claimed: another process works on the run.
        RequestError: the data are not those of the run, a metric is of another task, or one of the user's cannot be
            imported or has the name of another that is recorded.
        FitbenchError: a file of the run is damaged.
    """
    with claim(folder, wait=True):
        result = read_result(folder)
        check_metrics(config, result, remedy="")  # another process may have recorded some a moment ago
        names = lacking(config, result)
        if not names:
            return result
        config.check_for(task_of(result["task"]))
        code = code_of({"metrics": {name: config.metrics.get(name) for name in names}})
        backend.choose(config.backend)
        measured = measures.of(config, task_of(result["task"]))
        predictions = read_predictions(folder, result) if has_test_part(result) else None
        data, threshold = _same_data(config, result, names), threshold_of(result)
        values = _of_history(measured, folder, names, result) | result["metrics"]
        values |= _values(config, folder, data, measured, values, threshold)
        if predictions is not None:
            added = [measured.metrics[name] for name in names]
            test = measured.task.score(added, predictions.targets, predictions.outputs, threshold)
            values |= {join("test", name): value for name, value in test.items()}
        infos = {name: metric.info() for name, metric in measured.metrics.items()}
        for name in infos.keys() & result["metric_info"].keys():
            infos[name]["definition"] = result["metric_info"][name]["definition"]  # its values are recorded
        info = {name: about for name, about in (result["metric_info"] | infos).items() if name != "loss"}
        result |= {
            "primary": measured.primary.name,
            "metrics": arranged(values, info, PARTS),
            "metric_info": {**info, "loss": result["metric_info"]["loss"]},
            "code": code | result["code"],
        }
        write_result(folder, result)
    text = f"{folder.name}: evaluated its saved model for {', '.join(names)}"
    if not {*names} <= {*measured.task.step_metrics}:
        text += "; its history has no such values"
    log.info(text)
    if config.progress:
        write_note(text)
    return result


def _same_data(config: Config, result: dict[str, Any], names: list[str]) -> Dataset:
    data, trained = load(config.data, config.task), result["data"]["sha256"]
    if data.sha256 != trained:
        raise RequestError(
            f"{result['run_id']} lacks {', '.join(names)}, and cannot be evaluated with other data: it was trained "
            f"with SHA-256 {trained[:8]}, the data now have {data.sha256[:8]}"
        )
    return data


def _of_history(
    measured: Measures, folder: Path, names: list[str], result: Mapping[str, Any]
) -> dict[str, float | None]:
    """What the history has of these metrics in the epoch whose weights the model has.

    If something has changed the weights since, there is nothing. Then the recorded loss is not that of the epoch.
    """
    history = read_history(folder) if {*names} & {*measured.task.step_metrics} else []
    if not history or measured.kept_epoch(history).get("loss") != result["metrics"].get("train_loss"):
        return {}
    examples = {"train": result["data"]["train"], "val": result["data"]["validation"]}
    wanted = {join(part, name) for part in PARTS for name in names}
    return {key: value for key, value in measured.of_epochs(history, examples).items() if key in wanted}


def _values(
    config: Config,
    folder: Path,
    data: Dataset,
    measured: Measures,
    present: Mapping[str, float | None],
    threshold: float,
) -> dict[str, float | None]:
    """The values of the training and the validation part that are not present."""
    backend.start(config)
    from fitbench.training.evaluate import predict
    from fitbench.training.parts import Parts

    with backend.on(config.device):
        parts = Parts.of(config, data, measured)
        model = _saved_model(parts, folder)

        def raw_outputs(prepared: Any) -> np.ndarray:
            return parts.objective.in_units(predict(model, prepared))

        return parts.missing_values(raw_outputs, present, threshold)


def _saved_model(parts: Parts, folder: Path) -> keras.Model:
    """The model of the run, from prepared inputs. It is built as for training and gets the saved weights.

    So the code that runs is that of the configuration, whatever the file asks for.
    """
    from fitbench.training import networks
    from fitbench.training.building import build

    config = parts.config
    networks.forget()
    seed(config, shared=False)
    model = build(config, parts.prepared, parts.objective, len(parts.kept))
    saved = networks.saved_model(model, parts)
    saved(np.asarray(parts.data.x_train[np.arange(1)]))  # a model without an input shape has no weights before
    path = folder / "model.keras"
    try:
        with naming(path), open_file(path, outputs_of(folder)):  # Keras would wait for whoever writes to a FIFO
            saved.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise FitbenchError(
            f"{path}: the weights of {run_id(config)} cannot be read: {first_line(error):.200}; train the run "
            "again with force=true"
        ) from error
    return model
