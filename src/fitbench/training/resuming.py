"""The state that an attempt goes on from: its run's checkpoint, or what is kept of the run that it continues."""

from __future__ import annotations

from pathlib import Path

from fitbench.config import Config
from fitbench.config.parents import Parent
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.record import dataset
from fitbench.record.interrupted import begin_anew
from fitbench.record.parents import folder_of_parent
from fitbench.training import checkpoint
from fitbench.training.checkpoint import Checkpoint
from fitbench.user_metrics import redefined

STOPPED = "stopped_epoch"  # of callbacks that stop training, and of no others: where they stopped
ANEW = {"wait": 0, STOPPED: 0}  # with this they count as if they had not stopped


def resumable(config: Config, folder: Path, data: Dataset) -> Checkpoint | None:
    """The state that the run goes on from, None if it begins anew.

    Raises:
        RequestError: the state is of other data, of the same arrays under other names, or has values of another metric
            under the name of one of the run's; or the parent has changed.
        FitbenchError: the parent's state is damaged.
    """
    resumed = checkpoint.read(folder)
    if resumed is not None:
        if difference := _difference(resumed, folder, data):
            raise RequestError(
                f"{folder.name} was interrupted with other data ({difference}); data.name=other makes another run, and "
                f"without {folder}/checkpoint it begins anew"
            )
        if not (redefinition := redefined(config.metrics, resumed.definitions)):
            return resumed
        begin_anew(
            config,
            folder,
            f"{folder.name} was interrupted with another definition: {redefinition}; give the metric as it is now "
            "another name, or begin the run anew with force=true",
        )
    return None if config.parent is None else _state_of(config, config.parent, data)


def _state_of(config: Config, parent: Parent, data: Dataset) -> Checkpoint:
    """The state of the parent. Where it had stopped early, what stops training waits anew."""
    folder = folder_of_parent(parent)
    state = checkpoint.read_state(folder)
    if difference := _difference(state, folder, data):
        raise RequestError(f"{folder.name} was trained with other data ({difference}); a run continues with its data")
    if redefinition := redefined(config.metrics, state.definitions):
        raise RequestError(
            f"{folder.name} has epochs with another definition: {redefinition}; give the metric as it is now another "
            "name"
        )
    if not state.stopped:
        return state
    callbacks = [attributes | (ANEW if STOPPED in attributes else {}) for attributes in state.callbacks]
    return state.model_copy(update={"stopped": False, "callbacks": callbacks})


def _difference(state: Checkpoint, folder: Path, data: Dataset) -> str | None:
    """How the data of a state differ from these."""
    if state.data_sha256 != data.sha256:
        return f"SHA-256 {state.data_sha256[:8]}, now {data.sha256[:8]}"
    recorded = dataset.read(folder)
    return recorded.difference(data.names, data.columns) if recorded else None
