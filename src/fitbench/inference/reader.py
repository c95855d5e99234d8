"""The model of a finished run, loaded to read images. The run may be a stranger's: nothing in it is executed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.config import Backend, Config, from_values
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.safety import Foreign, foreign, names
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.tasks import Task, task_of

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Reader:
    """A run's model, ready to read images.

    Attributes:
        folder: the run folder.
        result: what its result.json says.
        model: from pixels, uint8 [batch, height, width, channels], to outputs [batch, classes].
        shape: [height, width, channels] of the images.
        classes: the names of the classes.
    """

    folder: Path
    result: dict[str, Any]
    model: keras.Model
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    _compiled: Any

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.result["run_id"]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The model's outputs, float32 [N, classes], for images, uint8 [N, height, width, channels].

        As many as are given are computed at a time: hand over batches, of `batch_size` at most. One thread at a time.
        """
        return self._compiled(images)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [N, classes], for images, uint8 [N, height, width, channels]; else as `logits`."""
        return self.recorded(self.logits(images))

    def recorded(self, outputs: np.ndarray) -> np.ndarray:
        """What is recorded of the model's outputs, as in predictions.npz: probabilities, float32 [N, classes]."""
        return self.task.recorded(outputs, str(self.result["config"]["training"].get("loss")))

    @property
    def task(self) -> Task:
        """The run's task.

        Raises:
            RequestError: there is no task of the name that is recorded.
        """
        return task_of(self.result["task"])

    @property
    def batch_size(self) -> int:
        """How many images are computed at a time where there are many."""
        from fitbench.training.evaluate import batch_size

        return batch_size(self.shape)


def open_run(folder: Path, trust: bool = False, on: Backend | None = None) -> Reader:
    """Load the model of a finished run, on the run's backend; of several in a process, on that of the first.

    The first images are not read more slowly than the rest: what must be compiled has been.

    Args:
        folder: a run folder.
        trust: also load a model that has code of its own, whose modules are on PYTHONPATH, or in the file itself.
        on: this backend in place of the run's; a saved model has none.

    Raises:
        RequestError: the run's backend is not installed.
        FitbenchError: the run is not finished, or a file of it is damaged, or its model is not that of a run; or asks
            for code that is neither Keras's nor fitbench's, without `trust`.
    """
    return open_runs([folder], trust, on)[0]


def open_runs(folders: Sequence[Path], trust: bool = False, on: Backend | None = None) -> list[Reader]:
    """The same of several runs, all on the backend of the first; everything is checked before anything is loaded."""
    results = [finished(folder) for folder in folders]
    paths = [folder / "model.keras" for folder in folders]
    own = [_allowed(path, trust) for path in paths]
    from fitbench.training import backend

    backend.load(on or backend_of(results[0], folders[0]))
    return [
        _open(folder, result, path, code, trust)
        for folder, result, path, code in zip(folders, results, paths, own, strict=True)
    ]


def finished(folder: Path) -> dict[str, Any]:
    """The result of a run that has a model to use.

    Raises:
        FitbenchError: the run is not finished, or result.json is damaged.
    """
    state = state_of(folder)
    if state is not State.finished:
        raise FitbenchError(f"{folder}: the run is {state.value}; only a finished one has a model to use")
    return reading.read_result(folder)


def configuration(result: dict[str, Any], folder: Path) -> Config:
    """The configuration of a finished run, every value of its type.

    Raises:
        FitbenchError: a value in result.json is missing, or of the wrong type.
    """
    try:
        return from_values(result["config"])
    except RequestError as error:
        raise FitbenchError(f"{folder}/result.json: config: {error}") from error


def backend_of(result: dict[str, Any], folder: Path) -> Backend:
    """The backend that a run was trained on.

    Raises:
        FitbenchError: result.json says none that there is.
    """
    name = result["config"].get("backend")
    try:
        return Backend(name)
    except ValueError:
        known = " or ".join(backend.value for backend in Backend)
        raise FitbenchError(f"{folder}/result.json: config.backend is {name!r:.40}; expected {known}") from None


def _allowed(path: Path, trust: bool) -> list[Foreign]:
    found = foreign(path)
    if found and not trust:
        raise FitbenchError(
            f"{path}: asks for {names(found)}, which is no layer of Keras or fitbench that only computes: it could do "
            "anything on this computer. If you trust where the run is from, add --trust"
        )
    return found


def _open(folder: Path, result: dict[str, Any], path: Path, own: list[Foreign], trust: bool) -> Reader:
    import keras

    import fitbench.models.layers  # noqa: F401  # registers them
    from fitbench.training import backend
    from fitbench.training.evaluate import compiled

    objects = _import(own, result, path) if trust else {}
    try:
        model = keras.saving.load_model(path, custom_objects=objects, compile=False, safe_mode=not trust)
    except Exception as error:  # whatever a damaged or a hostile file makes Keras raise
        raise FitbenchError(f"{path}: Keras cannot load it: {_first_line(error)}") from error
    if not isinstance(model, keras.Model):
        raise FitbenchError(f"{path}: holds a {type(model).__name__}; expected a model")
    classes = tuple(result["data"]["classes"])
    shape = _image_shape(model, path)
    predict = compiled(model, shape)
    try:
        with backend.quiet():  # TensorFlow says of uint8 what concerns nobody
            outputs = predict(np.zeros((2, *shape), np.uint8))
    except Exception as error:
        raise FitbenchError(f"{path}: does not take images, uint8 {shape}: {_first_line(error)}") from error
    if outputs.shape != (2, len(classes)):
        raise FitbenchError(
            f"{path}: gives {outputs.shape[1:]} outputs per image; result.json has {len(classes)} classes"
        )
    return Reader(folder, result, model, shape, classes, predict)


def _image_shape(model: keras.Model, path: Path) -> tuple[int, int, int]:
    shape = getattr(model, "input_shape", None)
    if not (isinstance(shape, tuple) and len(shape) == 4 and all(isinstance(side, int) for side in shape[1:])):
        raise FitbenchError(f"{path}: takes {shape}; expected images, [batch, height, width, channels]")
    if shape[3] not in (1, 3):
        raise FitbenchError(f"{path}: takes images of {shape[3]} channels; expected 1 (grey) or 3 (RGB)")
    return shape[1:]


def _import(own: list[Foreign], result: dict[str, Any], path: Path) -> dict[str, Any]:
    """The code of the user's own that the model asks for, by the names under which it does."""
    target = str(result["config"]["model"].get("_target_") or "")
    modules = {thing.module for thing in own if thing.module and thing.module.partition(".")[0] != "keras"}
    if own and "." in target and not target.startswith("fitbench."):  # which may register classes under other names
        modules.add(target.rpartition(".")[0])
    loaded = {}
    for module in sorted(modules - {"builtins"}):
        try:
            loaded[module] = importlib.import_module(module)
        except ImportError as error:
            raise FitbenchError(
                f"{path}: asks for the module {module}, which cannot be imported ({error}); its folder must be on "
                "PYTHONPATH"
            ) from error
    found = {thing: getattr(loaded.get(thing.module), thing.name, None) for thing in own}
    return {thing.registered_name: value for thing, value in found.items() if value is not None}


def _first_line(error: BaseException) -> str:
    lines = str(error).rpartition("Exception encountered: ")[2].strip().splitlines()  # Keras says the cause last
    return (lines[0] if lines else type(error).__name__)[:300]
