"""The trackers that a configuration names."""

from collections.abc import Iterator
from pathlib import Path

from fitbench.config import Config, plain, run_id
from fitbench.trackers import tensorboard
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
    run = Description(config.study, run_id(config), plain(config))
    if (board := logger.tensorboard) is not None:
        events = folder / tensorboard.FOLDER if board.folder is None else Path(board.folder) / run.study / run.run_id
        yield TensorBoardTracker(run, events)
    if logger.mlflow is not None:
        yield MlflowTracker(run, logger.mlflow.uri, logger.mlflow.experiment)
    if (settings := logger.wandb) is not None:
        files = folder if settings.folder is None else Path(settings.folder)
        yield WandbTracker(run, files, settings.project, settings.entity, settings.mode)
