"""The trackers by their names, opened for a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from fitbench.config import Config, plain, run_id
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.history import read_history
from fitbench.record.notes import Notes, read_notes
from fitbench.stderr import write_note
from fitbench.text import clean, in_sentence
from fitbench.trackers.description import Description
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Tracker, TrackerError
from fitbench.trackers.wandb import WandbTracker

TRACKERS: dict[str, type[Tracker]] = {each.name: each for each in (MlflowTracker, TensorBoardTracker, WandbTracker)}


def opened(config: Config, folder: Path, only: str | None = None) -> Iterator[Tracker]:
    """Open each tracker of `logger` for the run of a configuration.

    Args:
        config: of the run.
        folder: of the run.
        only: the name of the only one to open.

    Raises:
        RequestError: the package of one is not installed, or it lacks a setting.
        TrackerError: one does not answer.
    """
    chosen = {} if config.logger is None else config.logger.chosen
    chosen = {name: settings for name, settings in chosen.items() if only in (None, name)}
    check_installed(chosen)
    run = _description(config, folder)
    for name, settings in chosen.items():
        yield TRACKERS[name].for_training(run, folder, settings)


def check_installed(names: Iterable[str]) -> None:
    """Check that the packages of trackers are there.

    Raises:
        RequestError: the package of one is not installed.
    """
    for name in names:
        _check_installed(TRACKERS[name], f"logger={name}")


def check_answers(config: Config, folder: Path) -> None:
    """Check before a run is launched that each tracker of its `logger` can be opened. Nothing of the run is sent.

    Args:
        config: of the run.
        folder: of the run, which need not be there.

    Raises:
        RequestError: the package of one is not installed, it lacks a setting, or it does not answer.
    """
    try:
        for tracker in opened(config, folder):
            tracker.close()
    except TrackerError as error:
        raise refusal(error) from error


def refusal(error: TrackerError) -> RequestError:
    """What a launch says whose tracker has failed before anything was trained."""
    return RequestError(
        f"{error}; nothing was trained. Start without logger=NAME to train the run, and send it later with "
        "fitbench publish."
    )


def opener(name: str, uri: str | None) -> Callable[[Description], Tracker]:
    """What opens the tracker of this name for a recorded run, at an address or folder; None: at its default.

    Raises:
        RequestError: there is no such tracker, or its package is not installed.
    """
    if name not in TRACKERS:
        raise RequestError(f"--to is {name!r}; it must be {in_sentence(list(TRACKERS))}")
    _check_installed(TRACKERS[name], f"--to {name}")
    return partial(TRACKERS[name].for_publishing, uri=uri)


def _check_installed(tracker: type[Tracker], wanted_by: str) -> None:
    for module in tracker.modules:
        if importlib.util.find_spec(module) is None:
            raise RequestError(
                f"{wanted_by} needs pip install 'fitbench[{tracker.name}]': the package {module} is not installed"
            )


def _description(config: Config, folder: Path) -> Description:
    noted = _notes(folder)
    return Description(
        study=config.study,
        run_id=run_id(config),
        config=plain(config),
        tags=noted.tags,
        note=noted.note,
        folder=str(folder.resolve()),
        losses={epoch["epoch"]: epoch.get("loss") for epoch in read_history(folder)},
    )


def _notes(folder: Path) -> Notes:
    """What people noted of a run; nothing, with a warning, if that cannot be read."""
    try:
        return read_notes(folder)
    except FitbenchError as error:
        write_note(f"the run is sent without its tags and note: {clean(error)}")
        return Notes()
