"""How far runs are that are being trained, from their histories."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.record.folder import State
from fitbench.record.reading import read_history
from fitbench.record.remaining import seconds_left
from fitbench.text import rough_duration

if TYPE_CHECKING:
    import pandas as pd

EPOCH, LEFT = "epoch", "left"  # the columns
EPOCHS, STOPPING = "training.epochs", "training.early_stopping.monitor"


def add_progress(frame: pd.DataFrame) -> None:
    """Add two columns to a frame from `load_runs`: the epoch of running runs, and the time they need still.

    The epoch is as '7 of 20', and the time as '25 min', or 'at most 25 min' where early stopping may end the run; both
    are None where they are not known. Their primary metric on the validation part becomes that of the last epoch.
    """
    texts: dict[str, list[str | None]] = {name: [None] * len(frame) for name in (EPOCH, LEFT)}
    totals: list[Any] = frame[EPOCHS].tolist() if EPOCHS in frame else [None] * len(frame)
    may_stop = frame[STOPPING].notna().tolist() if STOPPING in frame else [False] * len(frame)
    for row in np.flatnonzero(frame["state"] == State.running.value).tolist():
        try:
            history = read_history(Path(frame["folder"].iloc[row]))
        except FitbenchError:  # `fitbench show` of that run says what is wrong
            continue
        total = int(totals[row]) if isinstance(totals[row], (int, float)) and isfinite(totals[row]) else None
        texts[EPOCH][row] = _epoch(history, total)
        texts[LEFT][row] = _left(history, total, may_stop[row])
        primary = frame["primary"].iloc[row]
        if history and isinstance(primary, str):
            value = history[-1].get(metrics.history_key("val", primary))
            if value is not None:
                frame.loc[frame.index[row], f"metrics.{metrics.join('val', primary)}"] = value
    for name, values in texts.items():
        frame[name] = values


def _epoch(history: list[dict[str, Any]], total: int | None) -> str:
    """The last epoch of a history, of so many."""
    done = str(history[-1]["epoch"]) if history else "0"
    return done if total is None else f"{done} of {total}"


def _left(history: list[dict[str, Any]], total: int | None, may_stop: bool) -> str | None:
    """The time of the epochs that are missing."""
    seconds = seconds_left(history, total)
    return None if seconds is None else f"{'at most ' * may_stop}{rough_duration(seconds)}"
