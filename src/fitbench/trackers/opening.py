"""The trackers that a configuration names."""

from collections.abc import Iterator
from pathlib import Path

from fitbench.config import Config, plain, run_id
from fitbench.record.history import read_history
from fitbench.record.notes import read_notes
from fitbench.trackers import tensorboard
from fitbench.trackers.event_folders import opened_below
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Description, Tracker
from fitbench.trackers.wandb import WandbTracker


def opened(config: Config, folder: Path) -> Iterator[Tracker]:
    """Open each tracker of `logger` for the run of a configuration.

    Args:
        config: of the run.
        folder: of the run.

    Raises:
        RequestError: the package of one is not installed, or it lacks a setting.
        TrackerError: one does not answer.
    """
    logger = config.logger
    if logger is None:
        return
    run = _description(config, folder)
    if (board := logger.tensorboard) is not None:
        own = folder / tensorboard.FOLDER
        yield TensorBoardTracker(run, own) if board.folder is None else opened_below(run, Path(board.folder))
    if logger.mlflow is not None:
        yield MlflowTracker(run, logger.mlflow.uri, logger.mlflow.experiment)
    if (settings := logger.wandb) is not None:
        files = folder if settings.folder is None else Path(settings.folder)
        yield WandbTracker(run, files, settings.project, settings.entity, settings.mode)


def _description(config: Config, folder: Path) -> Description:
    noted = read_notes(folder)
    return Description(
        study=config.study,
        run_id=run_id(config),
        config=plain(config),
        tags=noted.tags,
        note=noted.note,
        folder=str(folder.resolve()),
        losses={epoch["epoch"]: epoch.get("loss") for epoch in read_history(folder)},
    )
