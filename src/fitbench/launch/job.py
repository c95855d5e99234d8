"""One job: the recorded result of its configuration, or a run that is trained now."""

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
    """The result of this configuration, and whether it was recorded already; otherwise the run is trained now.

    A finished run that lacks a metric of the configuration is evaluated, not trained again.
    """
    result = recorded(config)
    if result is not None:
        return completed(config, result), True
    from fitbench.training.run import train

    trained = train(config, folder_of(config))
    assert trained is not None  # only a search's trials are pruned
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
    """The recorded result of this configuration, None if it is to be trained.

    Raises:
        FitbenchError: result.json is damaged.
        RequestError: the run was recorded with other data.
    """
    folder = folder_of(config)
    if config.force or state_of(folder) is not State.finished:
        return None
    _tidy(folder)
    result = read_result(folder)
    _check_data(config, result, folder)
    return result


def _tidy(folder: Path) -> None:
    """Remove what a process left that was killed between the result and its last system call."""
    if (folder / "claim.json").exists() or any(folder.glob(UNFINISHED)):
        with suppress(Claimed, OSError), claim(folder):
            tidy(folder)


def _check_data(config: Config, result: dict[str, Any], folder: Path) -> None:
    """A data set's path is no part of a run's identity: at another path, or changed, it must be the same data."""
    path = getattr(config.data, "path", None)
    recorded = result["config"]["data"].get("path")
    if path is None or (path == recorded and not _changed_since(Path(path), result["finished_at"])):
        return
    from fitbench.data.loading import load

    found = load(config.data).sha256
    if found != result["data"]["sha256"]:
        raise RequestError(
            f"{folder.name} is recorded with other data: {recorded} had SHA-256 {result['data']['sha256'][:8]}, "
            f"{path} has {found[:8]}; give this data set a name of its own, such as data.name=other"
        )


def _changed_since(path: Path, finished_at: str) -> bool:
    """Whether a file, or what lies directly in a folder, was written after that time; of what is gone, no."""
    if not path.exists():
        return False
    newest = max(part.stat().st_mtime for part in [path, *(path.iterdir() if path.is_dir() else ())])
    return newest > datetime.fromisoformat(finished_at).timestamp()


def cannot_write(error: OSError) -> str:
    """What is said of an error of the file system."""
    what = error.strerror or str(error)
    return f"{error.filename or 'outputs'}: {what}; runs are recorded below outputs=FOLDER, which must be writable"
