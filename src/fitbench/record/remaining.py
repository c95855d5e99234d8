"""The time that runs need still, from the epochs that they have recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

RECENT = 10  # epochs whose median time the next ones are thought to take


def epoch_seconds(history: Sequence[Mapping[str, Any]]) -> float | None:
    """The seconds that the next epoch is thought to take; None without a recorded one."""
    seconds = [epoch["seconds"] for epoch in history[-RECENT:] if epoch.get("seconds") is not None]
    return median(seconds) if seconds else None


def seconds_left(history: Sequence[Mapping[str, Any]], epochs: int | None) -> float | None:
    """The seconds of the epochs that are missing of so many; None where they are not known.

    Args:
        history: the epochs of a run in order, as `read_history` gives them.
        epochs: how many epochs the run has unless something ends it sooner; None: unknown.
    """
    seconds = epoch_seconds(history)
    if epochs is None or seconds is None:
        return None
    return seconds * max(epochs - history[-1]["epoch"], 0)


def shared_by(workers: int, seconds: float, longest: float) -> float:
    """The seconds until all of several runs are done which so many workers share.

    Args:
        workers: 1 or more.
        seconds: of all the runs together.
        longest: the seconds of the longest of them.
    """
    return max(seconds / workers, longest)
