"""Checkpoints during training: when the state is copied and written, and how training goes on from one.

The state is copied in memory after every epoch for which this takes a small part of the time. It is written from time
to time, or at once when the run is asked to stop.
"""

import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fitbench.errors import FitbenchError
from fitbench.training.checkpoint import Checkpoint, current_versions, write

# Attributes of callbacks that are set anew in each attempt: Keras turns the sign of `min_delta` in the first epoch of
# every `fit`, looks whether a CSV has its header, and the run folder may lie elsewhere by now.
SETTINGS = ("min_delta", "params", "append_header", "filename", "filepath", "log_dir")
COPYING = 1 / 50  # of the time of an attempt: what copying the state may take
FREE_SECONDS = 0.1  # that copying may take in any attempt: an attempt of a few epochs copies the state after each


class Checkpoints(keras.callbacks.Callback):
    """Keeps the state of the model, the optimizer and the other callbacks as of the end of an epoch, and resumes one.

    The state is copied when it must be written, after the last epoch, and as often as `COPYING` allows. So epochs that
    take less time than a copy do not wait for one, and a run that is asked to stop loses little more than an epoch.

    It must stand behind the callbacks whose state it keeps: they reset themselves when training begins, and it sets
    them to where they were. `attempt_began` is the `time.perf_counter()` at which this attempt began.
    """

    def __init__(
        self,
        folder: Path,
        every_seconds: float,
        callbacks: list[keras.callbacks.Callback],
        history: list[dict[str, Any]],
        resumed: Checkpoint | None,
        attempt_began: float,
        data_sha256: str,
        definitions: dict[str, str],
    ) -> None:
        super().__init__()
        self.folder = folder
        self.every_seconds = every_seconds
        self.callbacks = callbacks
        self.history = history
        self.resumed = resumed
        self.data_sha256 = data_sha256
        self.definitions = (resumed.definitions if resumed else {}) | definitions
        self.latest: Checkpoint | None = None
        self.written = time.perf_counter()
        self.copying_seconds = 0.0  # that copies have taken in this attempt
        self.attempt_began = attempt_began
        self.began = attempt_began - (resumed.seconds if resumed else 0.0)
        self.fit_began = time.perf_counter() - (resumed.fit_seconds if resumed else 0.0)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Set everything to where the checkpoint left it.

        Raises:
            FitbenchError: the model or the callbacks have changed since.
        """
        if self.resumed is None:
            return
        arrays = self.resumed.arrays
        variables = _variables(self.model)
        shapes = [arrays[name].shape for name in arrays if name.startswith("variable-")]
        same_callbacks = len(self.callbacks) == len(self.resumed.callbacks)
        if shapes != [tuple(variable.shape) for variable in variables] or not same_callbacks:
            raise FitbenchError(
                f"the state of {self.resumed.run_id} is of a model with other weights, or of other callbacks, than "
                f"those that are built now; without {self.folder}/checkpoint the run begins anew"
            )
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"variable-{index}"])
        for number, (callback, attributes) in enumerate(zip(self.callbacks, self.resumed.callbacks, strict=True)):
            vars(callback).update(attributes)
            lists: dict[str, list[np.ndarray]] = {}
            for name in sorted(name for name in arrays if name.startswith(f"callback-{number}-")):
                lists.setdefault(name.split("-")[2], []).append(arrays[name])
            vars(callback).update(lists)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Copy the state if it is time; write it if the last time is long enough ago."""
        began = time.perf_counter()
        due = began - self.written >= self.every_seconds
        last = bool(self.model.stop_training) or epoch + 1 >= self.params["epochs"]
        if due or last or self.copying_seconds <= FREE_SECONDS + COPYING * (began - self.attempt_began):
            self.latest = self._state(epoch + 1)
            self.copying_seconds += time.perf_counter() - began
        if due:
            self.write()

    def _state(self, epoch: int) -> Checkpoint:
        """A copy of the state after `epoch` epochs."""
        arrays = {
            f"variable-{index}": keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable))
            for index, variable in enumerate(_variables(self.model))
        }
        for number, callback in enumerate(self.callbacks):
            for name, value in vars(callback).items():
                if isinstance(value, list) and value and all(isinstance(item, np.ndarray) for item in value):
                    arrays |= {f"callback-{number}-{name}-{index:04}": item for index, item in enumerate(value)}
        return Checkpoint.model_construct(  # checked when it is read
            run_id=self.folder.name,
            versions=current_versions(),
            epoch=epoch,
            stopped=bool(self.model.stop_training),
            seconds=time.perf_counter() - self.began,
            fit_seconds=self.fit_seconds(),
            data_sha256=self.data_sha256,
            history=list(self.history),
            definitions=self.definitions,
            callbacks=[_attributes(callback) for callback in self.callbacks],
            arrays=arrays,
        )

    def fit_seconds(self) -> float:
        """Seconds in `fit` up to now, over all attempts."""
        return time.perf_counter() - self.fit_began

    def write(self) -> None:
        """Write the newest copy of the state, if there is one that was not written."""
        if self.latest is not None:
            write(self.folder, self.latest)
            self.latest = None
            self.written = time.perf_counter()


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, random state, and the state of the optimizer, or of all optimizers of a model that has more."""
    optimizers = [model.optimizer]
    for value in vars(model).values():
        if isinstance(value, keras.optimizers.Optimizer) and all(value is not optimizer for optimizer in optimizers):
            optimizers.append(value)
    return [*model.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The attributes of a callback that JSON can hold: best so far, epochs waited, a list of losses.

    Those of `SETTINGS` are not state.
    """
    attributes = {}
    for name, value in vars(callback).items():
        if name in SETTINGS or value is None:
            continue
        try:
            attributes[name] = json.loads(json.dumps(value, default=_number))  # a copy: a list may go on growing
        except (TypeError, ValueError):
            continue
    return attributes


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
