"""The files that a run goes on from: those in checkpoint/, and state.npz.

A checkpoint is the state at the end of an epoch. A file's name carries the checksum of its content, so a damaged one is
noticed. The one before is kept until the next is safely there.
"""

import functools
import hashlib
import io
import json
import logging
import shutil
import sys
from collections.abc import Iterable
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

WHOLE = "[0-9]*.npz"  # <epoch>-<checksum>.npz
ANY_SIZE = sys.maxsize  # of a state, which is as large as the model and its optimizer, and has every epoch


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
    paths = _newest_first(listed(folder, "checkpoint", WHOLE))
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


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    """Checkpoints by epoch, which has six digits or more."""
    return sorted(paths, key=lambda path: (len(path.name.partition("-")[0]), path.name), reverse=True)


def _load(path: Path, folder: Path) -> Checkpoint:
    with guarded(), open_file(path, outputs_of(folder)) as file:
        if hashlib.file_digest(file, "sha256").hexdigest()[:16] != path.stem.partition("-")[2]:
            raise Unreadable("is damaged")
        file.seek(0)
        content = file.read()
    return _parsed(content, folder)


def _parsed(content: bytes, folder: Path) -> Checkpoint:
    """The checkpoint of a run, from the content of a file.

    Raises:
        Unreadable: it is damaged, not of this version's fields, or of another run. If its arrays do not fit into
            memory, a MemoryError is the cause.
    """
    try:
        with guarded():
            arrays = arrays_of(io.BytesIO(content), max(LARGEST_BYTES, len(content)))
            state = parse_json(str(arrays.pop("state")), most=ANY_SIZE)
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
    content = read_bytes(folder, STATE, largest=ANY_SIZE, advice=advice)
    with naming(path, advice):
        state = _parsed(content, folder)
    _warn_of_other_versions(path, state)
    return state


@functools.cache
def current_versions() -> dict[str, str]:
    """The versions that a checkpoint of this process states."""
    return versions(Backend(keras.config.backend()))


def _warn_of_other_versions(path: Path, checkpoint: Checkpoint) -> None:
    changed = [
        f"{name} {checkpoint.versions.get(name)} instead of {version}"
        for name, version in current_versions().items()
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
    for old in _newest_first(target.glob(WHOLE))[2:]:
        old.unlink()
