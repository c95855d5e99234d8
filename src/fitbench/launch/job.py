"""One job: returns the recorded result of its configuration, or trains the run."""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fitbench.config import Config, FileData
from fitbench.data.fingerprint import fingerprint
from fitbench.errors import CURRENT_FOLDER_REMOVED, FitbenchError, RequestError
from fitbench.record import dataset
from fitbench.record.claims import claim
from fitbench.record.code import check_recorded
from fitbench.record.files import UNFINISHED, exists
from fitbench.record.folder import State, folder_of, state_of, tidy
from fitbench.record.reading import lacking, output_names, read_result

FingerprintOf = Callable[..., str | None]  # of paths, as `fingerprint`
LIMITS = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # of processes, open files and memory


def run(config: Config) -> tuple[dict[str, Any], bool]:
    """Return the result of a configuration and whether it was recorded before. If not, the run is trained now.

    A finished run that lacks a metric of the configuration is evaluated, not trained again.
    """
    result = recorded(config)
    if result is not None:
        return completed(config, result), True
    from fitbench.training.run import train

    trained = train(config, folder_of(config))
    assert trained is not None  # only trials of a search are pruned
    return trained, False


def completed(config: Config, result: dict[str, Any]) -> dict[str, Any]:
    """The result of a finished run with every metric of the configuration; those that it lacks are evaluated now.

    Raises:
        FitbenchError: they cannot be evaluated.
    """
    if not lacking(config, result):
        return result
    from fitbench.training.added import evaluate_lacking

    return evaluate_lacking(config, folder_of(config))


def recorded(config: Config, fingerprint_of: FingerprintOf = fingerprint) -> dict[str, Any] | None:
    """Return the recorded result of a configuration, or None if the run has to be trained.

    `fingerprint_of` looks at the files of a data set; the runs of a sweep share what it found.

    Raises:
        FitbenchError: result.json is damaged.
        RequestError: the run was recorded with other data or other code of the user's.
    """
    folder = folder_of(config)
    if config.force or state_of(folder) is not State.finished:
        return None
    _remove_leftovers(folder)
    result = read_result(folder)
    check_recorded(config, result, folder)
    _check_data(config, result, folder, fingerprint_of)
    return result


def _remove_leftovers(folder: Path) -> None:
    """Remove the files of a process that was killed after it had written the result."""
    if exists(folder / "claim.json") or any(folder.glob(UNFINISHED)):
        with suppress(FitbenchError, OSError), claim(folder):
            tidy(folder)


def _check_data(config: Config, result: dict[str, Any], folder: Path, fingerprint_of: FingerprintOf) -> None:
    """Refuse data that differ from the recorded ones: the path of a data set is not part of the run's identity.

    The data are read only if their paths or their fingerprint are not the recorded ones. A data set that is gone, which
    nobody can have changed, is not missed.

    Raises:
        RequestError: the files hold other examples, or their classes or columns have other names.
        DataError: the files cannot be read.
    """
    if not isinstance(config.data, FileData):
        return
    recorded, its_config, paths = result["data"], result["config"]["data"], config.data.paths
    recorded_path, path = its_config.get("path"), config.data.path
    recorded_paths = tuple(each for each in (recorded_path, its_config.get("test_path")) if each is not None)
    if paths == recorded_paths and fingerprint_of(*map(Path, paths)) in (None, recorded.get("fingerprint")):
        return
    from fitbench.data.loading import load

    data = load(config.data, config.task)
    if data.sha256 != recorded["sha256"]:
        difference = f"{recorded_path} had SHA-256 {recorded['sha256'][:8]}, {path} has {data.sha256[:8]}"
    elif list(data.names) != output_names(result):
        theirs, ours = (", ".join(names[:5]) for names in (output_names(result), data.names))
        difference = f"{recorded_path} had {theirs}, {path} has {ours}"
    elif (its_data := dataset.read(folder)) and (other := its_data.difference(data.names, data.columns)):
        difference = f"{recorded_path} differs from {path}: {other}"
    else:
        return
    raise RequestError(
        f"{folder.name} is recorded with other data: {difference}; give this data set another name, such as "
        "data.name=other"
    )


def cannot_write(error: OSError) -> str:
    """Return the message about an error of the operating system, which is most often one of the outputs folder."""
    reason = error.strerror or str(error)
    if error.errno in LIMITS:
        return f"{reason}: a limit of this process or of the machine is reached; 'ulimit -a' shows those of the process"
    if error.errno == errno.ENOENT and error.filename is None:
        return CURRENT_FOLDER_REMOVED
    return f"{error.filename or 'outputs'}: {reason}; runs are recorded below outputs=FOLDER, which must be writable"
