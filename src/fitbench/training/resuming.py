"""The state that an attempt goes on from: its run's checkpoint, or what is kept of the run that it continues."""

from __future__ import annotations

from pathlib import Path

from fitbench.config import Config
from fitbench.config.parents import Parent
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.record import dataset
from fitbench.record.parents import folder_of_parent
from fitbench.training import checkpoint
from fitbench.training.checkpoint import Checkpoint

WAITED = ("wait", "stopped_epoch")  # of callbacks that stop training: how long they have waited, and where they stopped


def resumable(config: Config, folder: Path, data: Dataset) -> Checkpoint | None:
    """The state that the run goes on from, None if it begins anew.

    Raises:
        RequestError: the state is of other data, or of the same arrays under other names, or the parent has changed.
        FitbenchError: the parent's state is damaged.
    """
    resumed = checkpoint.read(folder)
    if resumed is not None:
        if difference := _difference(resumed, folder, data):
            raise RequestError(
                f"{folder.name} was interrupted with other data ({difference}); data.name=other makes another run, and "
                f"without {folder}/checkpoint it begins anew"
            )
        return resumed
    return None if config.parent is None else _state_of(config.parent, data)


def _state_of(parent: Parent, data: Dataset) -> Checkpoint:
    """The state of the parent. Where it had stopped early, callbacks wait anew."""
    folder = folder_of_parent(parent)
    state = checkpoint.read_state(folder)
    if difference := _difference(state, folder, data):
        raise RequestError(f"{folder.name} was trained with other data ({difference}); a run continues with its data")
    if not state.stopped:
        return state
    callbacks = [attributes | {key: 0 for key in WAITED if key in attributes} for attributes in state.callbacks]
    return state.model_copy(update={"stopped": False, "callbacks": callbacks})


def _difference(state: Checkpoint, folder: Path, data: Dataset) -> str | None:
    """How the data of a state differ from these."""
    if state.data_sha256 != data.sha256:
        return f"SHA-256 {state.data_sha256[:8]}, now {data.sha256[:8]}"
    recorded = dataset.read(folder)
    return recorded.difference(data.names, data.columns) if recorded else None
