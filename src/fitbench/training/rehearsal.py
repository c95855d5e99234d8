"""What the end of a run needs, tried before the first epoch: it must not be found out when all epochs are trained."""

import json
import os
import random
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fitbench.config import Config
from fitbench.config.builders import is_ours
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.tasks import THRESHOLD
from fitbench.training import backend, outputs, own_loss
from fitbench.training.evaluate import predict
from fitbench.training.parts import Parts
from fitbench.training.reasons import reason


def rehearse(parts: Parts, model: keras.Model, folder: Path) -> None:
    """Try what the end of the run needs. Models and metrics of fitbench's are known to do it.

    Args:
        parts: of the data.
        model: that will be saved; it takes raw examples.
        folder: of the run, where a file is written and removed.

    Raises:
        RequestError: a name cannot be recorded, a loss of the user's cannot be used, or the model cannot be saved,
            loaded, or used after that.
        FitbenchError: a metric of the user's fails.
        OSError: the folder cannot be written.
    """
    _check_names(parts.data)
    if not len(parts.held_back):  # else the metrics are computed after the first epoch
        _try_metrics(parts)
    if isinstance(parts.config.training.loss, dict):
        _try_loss(parts, model)
    if is_ours(parts.config.model["_target_"]):
        return
    state = random.getstate(), np.random.get_state()  # layers that are loaded draw from them
    try:
        _try_model(parts.config, model, parts.data, folder)
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])


def _check_names(data: Dataset) -> None:
    for name in data.names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise RequestError(
                f"data={data.name}: the name {name!a} cannot be recorded, because its name is not UTF-8; rename it"
            ) from None


def _try_metrics(parts: Parts) -> None:
    """Compute the user's metrics for all training examples, from random outputs."""
    names = [name for name, entry in parts.config.metrics.items() if entry is not None]
    if names:
        targets = parts.data.y_train[parts.kept]
        outputs = np.random.default_rng(0).normal(size=(len(targets), parts.objective.outputs))
        parts.measures.score(names, targets, outputs, THRESHOLD)


def _try_loss(parts: Parts, model: keras.Model) -> None:
    """Compute the loss of some training examples for the outputs of the model as it begins."""
    some = parts.examples()[0].first(outputs.EXAMPLES)
    given = parts.objective.outputs_for_loss(predict(model, some.inputs))
    own_loss.check(parts.objective.loss, parts.objective.name, some.targets, given, some.weights)


def _try_model(config: Config, model: keras.Model, data: Dataset, folder: Path) -> None:
    """Save the model, load it as one loads the model of a finished run, and compare what both say of some examples."""
    name, path = config.model["name"], folder / f".{os.getpid()}.new.rehearsal.keras"
    examples = np.asarray(data.x_train[np.arange(min(outputs.EXAMPLES, len(data.y_train)))])
    expected, again = predict(model, examples), predict(model, examples)
    try:
        try:
            with backend.quiet():
                model.save(path)
        except OSError:
            raise
        except Exception as error:
            raise RequestError(f"model={name} cannot be saved, as the end of a run needs: {reason(error)}") from error
        try:
            loaded = keras.saving.load_model(path, custom_objects=_own_code(path), compile=False, safe_mode=False)
            found = predict(loaded, examples)
        except Exception as error:
            raise RequestError(
                f"model={name} can be saved, but not be used after it is loaded again: {reason(error)}"
            ) from error
    finally:
        path.unlink(missing_ok=True)
    if _same(expected, again) and not _same(expected, found):  # some models draw random numbers for each output
        raise RequestError(
            f"model={name} gives other outputs after it is saved and loaded again; a layer of your own must create "
            "its weights in build and return all its settings from get_config"
        )


def _same(some: np.ndarray, others: np.ndarray) -> bool:
    return some.shape == others.shape and np.allclose(some, others, rtol=1e-3, atol=1e-4, equal_nan=True)


def _own_code(path: Path) -> dict[str, Any]:
    """The user's classes that a saved model needs, by the names under which Keras looks them up."""
    with zipfile.ZipFile(path) as archive:
        stack = [json.loads(archive.read("config.json"))]
    needed = {}
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            module, name = str(value.get("module")), str(value.get("class_name"))
            if module.partition(".")[0] not in ("keras", "builtins") and hasattr(sys.modules.get(module), name):
                needed[str(value.get("registered_name") or name)] = getattr(sys.modules[module], name)
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return needed
