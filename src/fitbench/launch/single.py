"""A single run: trained unless it is recorded, with what a person should know about it on stderr."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException

from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import run
from fitbench.record.folder import folder_of
from fitbench.record.trash import trained_anew
from fitbench.stderr import write_note


def train_one(config: Config) -> tuple[Path, dict[str, Any], bool]:
    """Train the run of a configuration unless it is recorded.

    Returns:
        its folder, its result, and whether the result was recorded before.

    Raises:
        FitbenchError: the run failed. Of an error of another kind, which is its cause, the message names the type and
            error.txt.
    """
    folder = folder_of(config)
    if text := trained_anew([folder]):
        write_note(text)
    try:
        return folder, *run(config)
    except FitbenchError:
        raise
    except Exception as error:
        raise _unexpected_failure(folder, error) from error


@contextmanager
def without_refused(folder: Path) -> Iterator[None]:
    """In this block a run that is refused leaves nothing in its folder, which stays if it was not empty before."""
    is_new = not folder.exists() or not any(folder.iterdir())  # Hydra may have created it
    try:
        yield
    except RequestError:
        refusal = {"config.yaml", "dataset.json", "error.txt", "train.log"}  # layers may be refused after the data
        if is_new and folder.exists() and {path.name for path in folder.iterdir()} <= refusal:
            shutil.rmtree(folder)
        raise


def _unexpected_failure(folder: Path, error: BaseException) -> FitbenchError:
    path = folder / "error.txt"
    where = f"the traceback is in {path}" if path.exists() else "the traceback could not be recorded"
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__  # of the code that Hydra called
    return FitbenchError(f"{folder.name} failed: {type(error).__name__}: {error}; {where}")
