"""The Keras callbacks of the configuration. Their files lie in the run folder, and go on when the run goes on."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from fitbench.config.interpolations import with_run_dir
from fitbench.errors import RequestError
from fitbench.record.files import write_whole
from fitbench.training import backend
from fitbench.training.reasons import is_wrong_request, reason
from fitbench.untrusted import naming, read_file

# The attribute of each of Keras's callbacks that names its file or folder.
PATHS = {
    keras.callbacks.CSVLogger: "filename",
    keras.callbacks.ModelCheckpoint: "filepath",
    keras.callbacks.TensorBoard: "log_dir",
}


def user_callbacks(settings: Mapping[str, Any], folder: Path, epochs: int) -> list[keras.callbacks.Callback]:
    """The callbacks that `training.callbacks` describes.

    `${run_dir:}` in a setting is the run folder, and relative paths of Keras's own callbacks are meant from there. A
    CSVLogger continues its file.

    Args:
        settings: a section with `_target_` for each name.
        folder: of the run.
        epochs: how many epochs the run has done in earlier attempts.

    Raises:
        RequestError: one cannot be created, is not a Keras callback, or cannot be used in a run.
    """
    callbacks = []
    for name, callback in settings.items():
        key = f"training.callbacks.{name}"
        callbacks.append(_created(key, with_run_dir(callback, str(folder.absolute()))))
        if isinstance(callbacks[-1], keras.callbacks.BackupAndRestore):
            raise RequestError(
                f"{key} is a BackupAndRestore, whose weights would take the place of those that the run resumes from; "
                "leave it out: every run keeps checkpoints, see training.checkpoint_seconds"
            )
        _place(callbacks[-1], folder)
        if isinstance(callbacks[-1], keras.callbacks.CSVLogger):
            _continue(callbacks[-1], folder, epochs)
    backend.reset_settings()  # a module of the user's may have changed them, when it was imported
    return callbacks


def _created(key: str, callback: Mapping[str, Any]) -> keras.callbacks.Callback:
    target = callback["_target_"]
    try:
        created = instantiate(callback, _convert_="all")
    except InstantiationException as error:
        if not is_wrong_request(error, target):
            raise
        raise RequestError(f"{key}: {target}: {reason(error)}") from error
    if not isinstance(created, keras.callbacks.Callback):
        raise RequestError(f"{key}: {target} is no keras.callbacks.Callback")
    return created


def _place(callback: keras.callbacks.Callback, folder: Path) -> None:
    """Let a relative path mean one in the run folder, whose folder is there."""
    for kind, attribute in PATHS.items():
        if isinstance(callback, kind):
            path = folder.absolute() / getattr(callback, attribute)
            setattr(callback, attribute, str(path))
            if "{" not in str(path.parent):  # as in {epoch:02d}, which Keras fills in
                path.parent.mkdir(parents=True, exist_ok=True)


def _continue(callback: keras.callbacks.CSVLogger, folder: Path, epochs: int) -> None:
    """Keep the rows of the epochs that the run has done, and append to them. A file elsewhere is left to `append`."""
    path = Path(callback.filename)
    if callback.append and folder.absolute() not in path.parents:
        return
    callback.append = True
    if path.exists():
        with naming(path):
            header, *rows = read_file(path, largest=sys.maxsize).splitlines(keepends=True) or [b""]
        separator = callback.sep.encode()
        done = [row for row in rows if row.endswith(b"\n") and _epoch(row.partition(separator)[0]) < epochs]
        write_whole(path, b"".join([header, *done]) if done else b"")


def _epoch(text: bytes) -> float:
    """The number of an epoch, from 0; infinite if this is none."""
    return int(text) if text.isdigit() else float("inf")
