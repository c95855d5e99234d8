"""All that is needed to go on: checkpoint/ in the run folder.

A checkpoint is the state at the end of an epoch. It is copied in memory after every epoch for which this takes a small
part of the time, and written from time to time, or at once when the run is asked to stop. A file's name carries the
checksum of its content, so a damaged one is noticed. The one before is kept until the next is safely there.
"""

import functools
import hashlib
import io
import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, model_validator

from fitbench.config import Backend
from fitbench.errors import FitbenchError
from fitbench.record.files import check_fence, listed, outputs_of, read_bytes, replacing
from fitbench.record.parents import STATE
from fitbench.training.environment import versions
from fitbench.untrusted import LARGEST_BYTES, Unreadable, arrays_of, guarded, naming, open_file, parse_json

log = logging.getLogger(__name__)

# Attributes of callbacks that are set anew in each attempt: Keras turns the sign of `min_delta` in the first epoch of
# every `fit`, looks whether a CSV has its header, and the run folder may lie elsewhere by now.
SETTINGS = ("min_delta", "params", "append_header", "filename", "filepath", "log_dir")
WHOLE = "[0-9]*.npz"  # <epoch>-<checksum>.npz
COPYING = 1 / 50  # of the time of an attempt: what copying the state may take
FREE_SECONDS = 0.1  # that copying may take in any attempt: an attempt of a few epochs copies the state after each


class Checkpoint(BaseModel):
    """The state of a run after `epoch` epochs."""

    model_config = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)

    run_id: str
    versions: dict[str, str]  # of the packages that wrote it
    epoch: Annotated[int, Ge(1)]
    stopped: bool  # training was over (early stopping) although epochs were left
    seconds: float  # that the run had taken, over all attempts
    fit_seconds: float  # of those, in `fit`
    data_sha256: str
    history: list[dict[str, Any]]
    definitions: dict[str, str] = {}  # of the metrics in the history, by name
    callbacks: list[dict[str, Any]] = []  # attributes, in the order of the callbacks
    arrays: dict[str, np.ndarray] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        numbers = [epoch.get("epoch") for epoch in self.history]
        if len(numbers) != self.epoch or numbers != list(range(1, self.epoch + 1)):
            raise ValueError("its history does not have each epoch once")
        return self


def read(folder: Path) -> Checkpoint | None:
    """The newest usable checkpoint of a run, None if there is none.

    One that is damaged, of another run, or not of this version's fields is put aside with a warning.

    Raises:
        FitbenchError: checkpoint/ is a link that leaves the outputs folder.
        OSError, MemoryError: the system cannot read one now.
    """
    paths = listed(folder, "checkpoint", WHOLE)[::-1]
    for path in paths:
        try:
            checkpoint = _load(path, folder)
        except Unreadable as error:
            if isinstance(error.__cause__, OSError | MemoryError):  # which says nothing about the checkpoint
                raise error.__cause__ from None
            aside = path.with_name(f"aside-{path.name}")
            path.replace(aside)
            log.warning("%s %s; it is put aside as %s", path, error, aside.name)
            continue
        _warn_of_other_versions(path, checkpoint)
        return checkpoint
    if paths:
        log.warning("no usable checkpoint is left in %s: the run begins anew", folder)
    return None


def _load(path: Path, folder: Path) -> Checkpoint:
    with guarded(), open_file(path, outputs_of(folder)) as file:
        if hashlib.file_digest(file, "sha256").hexdigest()[:16] != path.stem.partition("-")[2]:
            raise Unreadable("is damaged")
        file.seek(0)
        content = file.read()
    return _parsed(content, folder)


def _parsed(content: bytes, folder: Path) -> Checkpoint:
    try:
        with guarded():
            arrays = arrays_of(io.BytesIO(content), max(LARGEST_BYTES, len(content)))
            state = parse_json(str(arrays.pop("state")))
            checkpoint = Checkpoint.model_validate({**state, "arrays": arrays})
    except Unreadable as error:
        if isinstance(error.__cause__, MemoryError):
            raise
        reason = " ".join(str(error.__cause__ or error).split())
        raise Unreadable(f"cannot be read by this version of fitbench ({reason:.200})") from None
    if checkpoint.run_id != folder.name:
        raise Unreadable(f"is of another run, {checkpoint.run_id:.200}")
    return checkpoint


def keep(folder: Path, epoch: int) -> None:
    """Keep the newest checkpoint, which is that of the last epoch, as state.npz of the run.

    Raises:
        FitbenchError: there is none of this epoch.
    """
    paths = listed(folder, "checkpoint", f"{epoch:06}-*.npz")
    if not paths:
        raise FitbenchError(f"{folder}/checkpoint has no state of epoch {epoch}, which training.keep_state=true keeps")
    with paths[-1].open("rb") as state, replacing(folder / STATE) as file:
        shutil.copyfileobj(state, file)


def read_state(folder: Path) -> Checkpoint:
    """What state.npz of a finished run holds.

    Raises:
        FitbenchError: it is damaged, of another run, or not of this version's fields; the message names it.
    """
    path = folder / STATE
    advice = "; train that run again with training.keep_state=true force=true"
    content = read_bytes(folder, STATE, largest=sys.maxsize - 1, advice=advice)
    with naming(path, advice):
        state = _parsed(content, folder)
    _warn_of_other_versions(path, state)
    return state


@functools.cache
def _versions() -> dict[str, str]:
    return versions(Backend(keras.config.backend()))


def _warn_of_other_versions(path: Path, checkpoint: Checkpoint) -> None:
    changed = [
        f"{name} {checkpoint.versions.get(name)} instead of {version}"
        for name, version in _versions().items()
        if checkpoint.versions.get(name) != version
    ]
    if changed:
        log.warning("%s was written with %s; the run goes on with these", path, ", ".join(changed))


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as a whole, then remove all but it and the one before."""
    target = folder / "checkpoint"
    check_fence(target)
    target.mkdir(exist_ok=True)
    state = {key: value for key, value in vars(checkpoint).items() if key != "arrays"}
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"state": np.array(json.dumps(state)), **checkpoint.arrays}
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    path = target / f"{checkpoint.epoch:06}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    with replacing(path) as file:
        file.write(content)
    for old in sorted(target.glob(WHOLE), reverse=True)[2:]:
        old.unlink()


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
            versions=_versions(),
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
