"""One job: returns the recorded result of its configuration, or trains the run."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from fitbench.config import Config
from fitbench.errors import RequestError
from fitbench.record.claims import Claimed, claim
from fitbench.record.files import UNFINISHED
from fitbench.record.folder import State, folder_of, state_of, tidy
from fitbench.record.reading import lacking, read_result


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


def recorded(config: Config) -> dict[str, Any] | None:
    """Return the recorded result of a configuration, or None if the run has to be trained.

    Raises:
        FitbenchError: result.json is damaged.
        RequestError: the run was recorded with other data.
    """
    folder = folder_of(config)
    if config.force or state_of(folder) is not State.finished:
        return None
    _remove_leftovers(folder)
    result = read_result(folder)
    _check_data(config, result, folder)
    return result


def _remove_leftovers(folder: Path) -> None:
    """Remove the files of a process that was killed after it had written the result."""
    if (folder / "claim.json").exists() or any(folder.glob(UNFINISHED)):
        with suppress(Claimed, OSError), claim(folder):
            tidy(folder)


def _check_data(config: Config, result: dict[str, Any], folder: Path) -> None:
    """Refuse data that differ from the recorded ones: the path of a data set is not part of the run's identity.

    Raises:
        RequestError: another path, or a changed file, holds other data.
    """
    path = getattr(config.data, "path", None)
    recorded_path = result["config"]["data"].get("path")
    if path is None or (path == recorded_path and not _changed_since(Path(path), result["finished_at"])):
        return
    from fitbench.data.loading import load

    sha256 = load(config.data).sha256
    if sha256 != result["data"]["sha256"]:
        raise RequestError(
            f"{folder.name} is recorded with other data: {recorded_path} had SHA-256 {result['data']['sha256'][:8]}, "
            f"{path} has {sha256[:8]}; give this data set another name, such as data.name=other"
        )


def _changed_since(path: Path, finished_at: str) -> bool:
    """Whether a file, or an entry of a folder, was written after a time (ISO 8601). False if the path is gone."""
    if not path.exists():
        return False
    newest = max(entry.stat().st_mtime for entry in [path, *(path.iterdir() if path.is_dir() else ())])
    return newest > datetime.fromisoformat(finished_at).timestamp()


def cannot_write(error: OSError) -> str:
    """Return the message about an error of the file system."""
    reason = error.strerror or str(error)
    return f"{error.filename or 'outputs'}: {reason}; runs are recorded below outputs=FOLDER, which must be writable"
