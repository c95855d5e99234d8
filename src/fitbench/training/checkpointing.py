"""Checkpoints during training: when the state is copied and written, and how training goes on from one.

The state is copied in memory after every epoch for which this takes a small part of the time. It is written from time
to time, or at once when the run is asked to stop.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fitbench.errors import FitbenchError
from fitbench.training import callback_state
from fitbench.training.checkpoint import Checkpoint, current_versions, write
from fitbench.training.notes import note

COPYING = 1 / 50  # of the time of an attempt: what copying the state may take
FREE_SECONDS = 0.1  # that copying may take in any attempt: an attempt of a few epochs copies the state after each


class Checkpoints(keras.callbacks.Callback):
    """Keeps the state of the model, the optimizer and the other callbacks as of the end of an epoch, and resumes one.

    The state is copied when it must be written, after the last epoch, and as often as `COPYING` allows. So epochs that
    take less time than a copy do not wait for one, and a run that is asked to stop loses little more than an epoch.

    It must stand behind the callbacks whose state it keeps: they reset themselves when training begins, and it sets
    them to where they were. `attempt_began` is the `time.perf_counter()` at which this attempt began. `names` are
    those of the user's callbacks, which are the last ones.
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
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.folder = folder
        self.every_seconds = every_seconds
        self.callbacks = callbacks
        self.names = ["" for _ in callbacks[len(names) :]] + list(names)
        self.built = [dict(vars(callback)) for callback in callbacks]  # their attributes before training begins
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
        for number in range(len(self.callbacks)):
            self._restore(number, self.resumed)

    def _restore(self, number: int, resumed: Checkpoint) -> None:
        """Give a callback the attributes that it had.

        What was None stays what the callback has made for this attempt when training began, such as an open file.
        """
        now, built = vars(self.callbacks[number]), self.built[number]
        values, left_out = callback_state.restored(resumed.callbacks[number], resumed.arrays)
        for name, value in values.items():
            of_this_attempt = now.get(name) is not built.get(name) and not callback_state.is_held(now.get(name))
            if value is not None or not of_this_attempt:
                now[name] = value
        lists: dict[str, list[np.ndarray]] = {}  # of checkpoints before there was `callback_state`
        for array in sorted(array for array in resumed.arrays if array.startswith(f"callback-{number}-")):
            lists.setdefault(array.split("-")[2], []).append(resumed.arrays[array])
        now.update(lists)
        if self.names[number]:
            for name, kind in left_out.items():
                note(
                    f"the callback {self.names[number]}: a checkpoint cannot hold the attribute {name} (its type is "
                    f"{kind}); it begins anew"
                )

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
        callbacks = []
        for number, callback in enumerate(self.callbacks):
            attributes, its_arrays = callback_state.state_of(callback, f"attribute-{number}")
            callbacks.append(attributes)
            arrays |= its_arrays
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
            callbacks=callbacks,
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
