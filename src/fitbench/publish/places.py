"""The trackers that runs are published to, opened by their names."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.errors import RequestError
from fitbench.text import either
from fitbench.trackers.event_folders import opened_below
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Description, Tracker, needs

if TYPE_CHECKING:
    from fitbench.trackers.wandb import WandbTracker

LONGEST_NAME = 200  # characters of an experiment or a project

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
    return MlflowTracker(run, uri, _set(run, "mlflow", "experiment"))


def _wandb(run: Description, uri: str | None) -> WandbTracker:
    """The run in the project that its logger was set to, or else in that of its study."""
    from fitbench.trackers.wandb import WandbTracker

    return WandbTracker(run, Path(uri or "."), _set(run, "wandb", "project"), _set(run, "wandb", "entity"))


def _set(run: Description, place: str, key: str) -> str | None:
    """What a run's logger was set to. The configuration may be a stranger's."""
    value = logger_of(run.config).get(place)
    text = value.get(key) if isinstance(value, dict) else None
    return str(text)[:LONGEST_NAME] if text else None


def logger_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section `logger` of a recorded configuration, empty if there is none."""
    logger = config.get("logger")
    return logger if isinstance(logger, dict) else {}


PLACES: Mapping[str, Open] = {"mlflow": _mlflow, "tensorboard": _tensorboard, "wandb": _wandb}
