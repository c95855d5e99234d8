"""The trackers that runs are published to, opened by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fitbench.errors import RequestError
from fitbench.text import either
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tracker import Description, Tracker

Open = Callable[[Description, str | None], Tracker]

PLACES: Mapping[str, Open] = {"mlflow": MlflowTracker}


def opener(name: str) -> Open:
    """What opens the tracker of this name for a run, at an address or folder; None: at its default.

    Raises:
        RequestError: there is no such tracker.
    """
    if name not in PLACES:
        raise RequestError(f"--to is {name!r}; it must be {either(list(PLACES))}")
    return PLACES[name]
