"""How far runs are that are being trained, from their histories."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.record.folder import State
from fitbench.record.reading import read_history
from fitbench.text import rough_duration

if TYPE_CHECKING:
    import pandas as pd

EPOCH, LEFT = "epoch", "left"  # the columns
RECENT = 10  # epochs whose median time the next ones are thought to take
EPOCHS, STOPPING = "training.epochs", "training.early_stopping.monitor"


def add_progress(frame: pd.DataFrame) -> None:
    """Add two columns to a frame from `load_runs`: the epoch of running runs, and the time they need still.

    The epoch is as '7 of 20', and the time as '25 min', or 'at most 25 min' where early stopping may end the run; both
    are None where they are not known. Their primary metric on the validation part becomes that of the last epoch.
    """
    running = np.flatnonzero(frame["state"] == State.running.value).tolist()
    texts: dict[str, list[str | None]] = {name: [None] * len(frame) for name in (EPOCH, LEFT)}
    for row in running:
        run = frame.iloc[row]
        try:
            history = read_history(Path(run["folder"]))
        except FitbenchError:  # `fitbench show` of that run says what is wrong
            continue
        epochs = run.get(EPOCHS)
        total = int(epochs) if isinstance(epochs, (int, float)) and epochs == epochs else None  # noqa: PLR0124 - NaN
        texts[EPOCH][row] = _epoch(history, total)
        texts[LEFT][row] = _left(history, total, may_stop=isinstance(run.get(STOPPING), str))
        if history and isinstance(run["primary"], str):
            column = f"metrics.{metrics.join('val', run['primary'])}"
            value = history[-1].get(metrics.history_key("val", run["primary"]))
            if value is not None:
                frame.loc[frame.index[row], column] = value
    for name, values in texts.items():
        frame[name] = values


def _epoch(history: list[dict[str, Any]], total: int | None) -> str:
    """The last epoch of a history, of so many."""
    done = str(history[-1]["epoch"]) if history else "0"
    return done if total is None else f"{done} of {total}"


def _left(history: list[dict[str, Any]], total: int | None, may_stop: bool) -> str | None:
    """The time of the epochs that are missing."""
    seconds = [epoch["seconds"] for epoch in history[-RECENT:] if epoch.get("seconds") is not None]
    if total is None or not seconds:
        return None
    missing = max(total - history[-1]["epoch"], 0)
    return f"{'at most ' * may_stop}{rough_duration(median(seconds) * missing)}"
