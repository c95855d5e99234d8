"""Earlier runs that another run begins with or continues: where they are, and checksums of what is taken from them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fitbench.config import Config
from fitbench.config.parents import Parent
from fitbench.errors import RequestError
from fitbench.record.code import check_continued
from fitbench.record.files import exists, outputs_of
from fitbench.record.folder import State, state_of
from fitbench.record.interrupted import begin_anew, has_checkpoint
from fitbench.record.naming import find_run, is_chosen
from fitbench.record.reading import check_metrics, read_config, read_result
from fitbench.record.safety import weights_sha256
from fitbench.text import clean
from fitbench.untrusted import guarded, naming, open_file, open_member

STATE = "state.npz"  # of a run's last epoch, which it keeps with training.keep_state=true
MODEL = "model.keras"


def find_finished(key: str, text: str, outputs: Path) -> Path:
    """The folder of the finished run that a key of the configuration names, as `find_run` finds it.

    Raises:
        RequestError: no run or several runs fit, or the run is not finished; the message begins with the key.
    """
    try:
        folder = find_run(text, outputs, finished=True)
    except RequestError as error:
        raise RequestError(f"{key}: {error}") from None
    if (state := state_of(folder)) is not State.finished:
        raise RequestError(f"{key}: {folder} is {state.value}; the run must be finished")
    return folder


def check_fixed(key: str, text: str, folder: str | Path, outputs: str | Path) -> None:
    """Refuse `@latest` and `@best` where the same command must mean the same runs when it is launched again.

    Args:
        key: of the configuration.
        text: what a person typed.
        folder: of the run that is meant now.
        outputs: where its name was looked for.

    Raises:
        RequestError: the text is such a name; the message has the name of the run.
    """
    if is_chosen(text):
        name = Path(folder).relative_to(outputs)
        raise RequestError(
            f"{key}={text} is {clean(folder)} now; in a sweep, search or table write {key}={clean(name)}, so that the "
            "same command means the same runs"
        )


def lacks_state(config: Config, folder: Path) -> bool:
    """Whether a finished run has not kept the state that the configuration asks for."""
    return config.training.keep_state and not exists(folder / STATE)


def checksum(folder: Path, name: str) -> str:
    """The SHA-256 of the state, or of the weights of the model, that a run keeps in the file of this name.

    The configurations of a sweep ask for the same files, which are read again only if they have changed.

    Raises:
        RequestError: there is no such file.
        FitbenchError: it cannot be read.
    """
    path = folder / name
    if not exists(path):
        raise RequestError(f"{path}: there is no such file; train the run again with force=true")
    status = path.stat()
    return _checksum(path.absolute(), status.st_mtime_ns, status.st_size)


@cache
def _checksum(path: Path, _changed: int, _size: int) -> str:
    return _OF_FILE[path.name](path)


def _of_state(path: Path) -> str:
    """The SHA-256 of the arrays. The rest of the state follows from them, or says how long training took."""
    digest = hashlib.sha256()
    with naming(path), guarded(), open_file(path, outputs_of(path.parent)) as file, zipfile.ZipFile(file) as archive:
        for name in sorted(set(archive.namelist()) - {"state.npy"}):
            with open_member(archive, name) as array:
                digest.update(f"{name} {hashlib.file_digest(array, 'sha256').hexdigest()}\n".encode())  # type: ignore[arg-type]
    return digest.hexdigest()


_OF_FILE: dict[str, Callable[[Path], str]] = {STATE: _of_state, MODEL: weights_sha256}


def check_parent(config: Config) -> None:
    """Refuse a run whose parent has changed, or has other code or other metrics; before that code is imported.

    Raises:
        RequestError: with what has changed.
        FitbenchError: a file of the parent is damaged.
    """
    if config.parent is not None:
        result = read_result(folder_of_parent(config.parent))
        check_continued(config, result)
        check_metrics(config, result, remedy="")


def check_checkpoints(config: Config, folder: Path) -> None:
    """Refuse checkpoints of a run that continues another state of its parent; before config.yaml is written.

    With `force=true` they are removed, so that the run begins anew.

    Raises:
        RequestError: with both checksums.
        FitbenchError: config.yaml is damaged.
    """
    if config.parent is None or not has_checkpoint(folder):
        return
    if difference := other_state(config, read_config(folder)):
        refusal = f"{folder.name} was interrupted when it continued another state of its parent ({difference})"
        begin_anew(config, folder, f"{refusal}; force=true begins it anew")


def folder_of_parent(parent: Parent) -> Path:
    """The folder of the run that is continued, which still has the state that the configuration names.

    Raises:
        RequestError: as `check_same`.
    """
    return check_same("continue", parent.folder, STATE, parent.sha256)


def other_state(config: Config, recorded: Mapping[str, Any]) -> str | None:
    """How the state that a recorded run has continued differs from the one of a configuration; None if it does not."""
    parent, earlier = config.parent, recorded.get("parent")
    if parent is None or not isinstance(earlier, Mapping) or earlier.get("sha256") == parent.sha256:
        return None
    return f"SHA-256 {clean(earlier.get('sha256')):.8}, now {parent.sha256[:8]}"


def check_same(key: str, folder: str, name: str, sha256: str) -> Path:
    """The folder of an earlier run whose file still has the checksum that the configuration has.

    Raises:
        RequestError: it is not there any more, or has another checksum; the message begins with the key.
        FitbenchError: the file cannot be read.
    """
    path = Path(folder)
    if not exists(path / name):
        raise RequestError(f"{key}: {path / name} does not exist any more; put the run back, or name another")
    if (now := checksum(path, name)) != sha256:
        raise RequestError(
            f"{key}: {path / name} had SHA-256 {sha256[:8]} and now has {now[:8]}: the run was trained again; launch "
            "the command again, which takes it as it is now"
        )
    return path
