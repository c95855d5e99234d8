"""The trackers that runs are published to, opened by their names."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.errors import RequestError
from fitbench.text import either
from fitbench.trackers.event_folders import opened_below
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Description, Tracker, needs

if TYPE_CHECKING:
    from fitbench.trackers.wandb import WandbTracker

LONGEST_NAME = 200  # characters of an experiment

Open = Callable[[Description, str | None], Tracker]


def opener(name: str) -> Open:
    """What opens the tracker of this name for a run, at an address or folder; None: at its default.

    Raises:
        RequestError: there is no such tracker, or its package is not installed.
    """
    if name not in PLACES:
        raise RequestError(f"--to is {name!r}; it must be {either(list(PLACES))}")
    if importlib.util.find_spec(name) is None:
        raise needs(name, f"--to {name}")
    return PLACES[name]


def _tensorboard(run: Description, uri: str | None) -> TensorBoardTracker:
    return opened_below(run, Path(uri or "tensorboard"))


def _mlflow(run: Description, uri: str | None) -> MlflowTracker:
    """The run in the experiment that its logger was set to, or else in that of its study."""
    logger = run.config.get("logger")
    settings = logger.get("mlflow") if isinstance(logger, dict) else None
    experiment = settings.get("experiment") if isinstance(settings, dict) else None
    return MlflowTracker(run, uri, str(experiment)[:LONGEST_NAME] if experiment else None)


def _wandb(run: Description, uri: str | None) -> WandbTracker:
    from fitbench.trackers.wandb import WandbTracker

    return WandbTracker(run, Path(uri or "."))


PLACES: Mapping[str, Open] = {"mlflow": _mlflow, "tensorboard": _tensorboard, "wandb": _wandb}
