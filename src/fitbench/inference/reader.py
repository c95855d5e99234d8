"""Loads the models of finished runs. A run may be untrusted: no code in it is executed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.config import Backend, Config, from_values
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.card import white_of
from fitbench.inference.inputs import inputs_of, recorded_inputs
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.record.inputs import Inputs
from fitbench.record.safety import Checked, Foreign, check
from fitbench.tasks import Task, task_of, threshold_of

if TYPE_CHECKING:
    import keras

    from fitbench.inference.footprint import Compiled

MAX_BATCH = 2**26  # numbers in the largest tensor that is computed for a batch


@dataclass(frozen=True, eq=False)
class Reader:
    """The model of a run, ready for use.

    Attributes:
        folder: the run folder.
        result: the content of result.json.
        model: from inputs [batch, *shape] to outputs [batch, outputs].
        inputs: what the model takes.
        names: the names of the outputs: of the classes, targets or labels.
    """

    folder: Path
    result: dict[str, Any]
    model: keras.Model
    inputs: Inputs
    names: tuple[str, ...]
    _compiled: Compiled

    @property
    def run_id(self) -> str:
        """The run_id."""
        return self.result["run_id"]

    @property
    def task(self) -> Task:
        """The task of the run."""
        return task_of(self.result["task"])

    @property
    def threshold(self) -> float:
        """The probability from which on a label counts as predicted, where the task has several labels."""
        return threshold_of(self.result)

    @property
    def batch_size(self) -> int:
        """The largest number of examples to compute at a time."""
        from fitbench.training.evaluate import batch_size

        return max(1, min(batch_size(self.inputs.shape), MAX_BATCH // self._compiled.largest))

    @property
    def max_value(self) -> float | None:
        """The value of white in the files of the run's data; see `white_of`."""
        return white_of(self.result)

    def outputs(self, inputs: Any) -> np.ndarray:
        """Compute the outputs of the model, float32 [N, outputs], for inputs [N, *shape].

        The values must be some that the type of `inputs` holds. They are computed `batch_size` at a time; N is at least
        1. Only one thread may call it at a time.
        """
        starts, dtype = range(0, len(inputs), self.batch_size), self.inputs.dtype
        batches = (np.asarray(inputs[start : start + self.batch_size], dtype) for start in starts)
        return np.concatenate([self._compiled.outputs(batch) for batch in batches])

    def recorded(self, outputs: np.ndarray) -> np.ndarray:
        """What is recorded of the outputs, as in predictions.npz: such as probabilities, float32 [N, classes]."""
        return self.task.recorded(outputs)

    def predictions(self, inputs: Any) -> np.ndarray:
        """Compute what is recorded, float32 [N, outputs], for inputs. Otherwise like `outputs`."""
        return self.recorded(self.outputs(inputs))


# -- result.json ------------------------------------------------------------------------------------------------------


def finished(folder: Path) -> dict[str, Any]:
    """Read the result of a run, which must be finished.

    Raises:
        FitbenchError: the run is not finished, result.json is damaged, or there is no task of the recorded name.
    """
    state = state_of(folder)
    if state is not State.finished:
        raise FitbenchError(f"{folder}: the run is {state.value}; only a finished run has a model")
    result = reading.read_result(folder)
    try:
        task_of(result["task"])
    except RequestError as error:
        raise FitbenchError(f"{folder}/result.json: {error}") from None
    return result


def configuration(result: dict[str, Any], folder: Path) -> Config:
    """Return the checked configuration of a finished run.

    Raises:
        FitbenchError: a value in result.json is missing or wrong.
    """
    try:
        return from_values(result["config"])
    except RequestError as error:
        raise FitbenchError(f"{folder}/result.json: config: {error}") from error


def backend_of(result: dict[str, Any], folder: Path) -> Backend:
    """Return the backend that a run was trained on.

    Raises:
        FitbenchError: the backend in result.json does not exist.
    """
    name = result["config"].get("backend")
    try:
        return Backend(name)
    except ValueError:
        allowed = " or ".join(backend.value for backend in Backend)
        raise FitbenchError(f"{folder}/result.json: config.backend is {name!r:.40}; expected {allowed}") from None


# -- model.keras ------------------------------------------------------------------------------------------------------


def open_run(folder: Path, trust: bool = False, on: Backend | None = None) -> Reader:
    """Load the model of a finished run, on the backend of the run. A process uses the backend of its first run.

    The model is compiled, so the first examples take no longer than others.

    Args:
        folder: a run folder.
        trust: also load a model that has code of its own, in modules on PYTHONPATH or in the file itself.
        on: use this backend instead. A saved model does not depend on the backend.

    Raises:
        RequestError: the backend of the run is not installed.
        FitbenchError: the run is not finished, a file of it is damaged, or its model does not take the inputs or
            give the outputs of the run. Without `trust`, also if the model needs code that belongs neither to Keras nor
            to fitbench.
    """
    return open_runs([folder], trust, on)[0]


def open_runs(folders: Sequence[Path], trust: bool = False, on: Backend | None = None) -> list[Reader]:
    """Load the models of several runs, all on the backend of the first. All files are checked first."""
    results = [finished(folder) for folder in folders]
    inputs = [recorded_inputs(folder) for folder in folders]
    checked = [check(folder / "model.keras", trust) for folder in folders]
    from fitbench.training import backend

    backend.load(on or backend_of(results[0], folders[0]))
    return [_open(*run, trust) for run in zip(folders, results, inputs, checked, strict=True)]


def _open(folder: Path, result: dict[str, Any], recorded: Inputs, checked: Checked, trust: bool) -> Reader:
    from fitbench.inference.footprint import compile_model
    from fitbench.training import backend
    from fitbench.training.reasons import reason
    from fitbench.training.saved_model import load_model

    path = folder / "model.keras"
    model = load_model(path, checked.numbers, _import(checked.own_code, result, path), trust)
    names, inputs = tuple(reading.output_names(result)), inputs_of(model, recorded, path)
    try:
        with backend.quiet():  # TensorFlow prints irrelevant warnings about uint8
            compiled = compile_model(model, inputs.shape, inputs.dtype)
            if not trust:
                compiled.check()
            outputs = compiled.outputs(inputs.examples())
    except FitbenchError as error:
        raise FitbenchError(f"{path}: {error}") from None
    except Exception as error:
        raise FitbenchError(f"{path}: does not take {inputs.described}, {inputs.dtype}: {reason(error)}") from error
    if outputs.shape != (2, len(names)):
        raise FitbenchError(
            f"{path}: the model has {outputs.shape[1:]} outputs per {inputs.noun}; result.json has {len(names)} "
            f"{task_of(result['task']).names_key}"
        )
    return Reader(folder, result, model, inputs, names, compiled)


def _import(own_code: Sequence[Foreign], result: dict[str, Any], path: Path) -> dict[str, Any]:
    """Import the user's code that the model needs. Return it by the names under which Keras looks it up."""
    target = str(result["config"]["model"].get("_target_") or "")
    modules = {each.module for each in own_code if each.module and each.module.partition(".")[0] != "keras"}
    # the module of the model's function may register classes under other names
    if own_code and "." in target and not target.startswith("fitbench."):
        modules.add(target.rpartition(".")[0])
    loaded = {}
    for module in sorted(modules - {"builtins"}):
        try:
            loaded[module] = importlib.import_module(module)
        except ImportError as error:
            raise FitbenchError(
                f"{path}: needs the module {module}, which cannot be imported ({error}); add its folder to PYTHONPATH"
            ) from error
    values = {each.registered_name: getattr(loaded.get(each.module), each.name, None) for each in own_code}
    return {name: value for name, value in values.items() if value is not None}
