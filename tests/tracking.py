"""What tests of trackers share: places without a network, and what the places' own readers say of a run."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

Points = dict[str, list[tuple[int, float]]]  # (step, value) of each name, in the order in which they were written


BREAKS = """
from pathlib import Path
import keras

class Break(keras.callbacks.Callback):
    # puts a file in the place of the folder of a tracker, in which nothing can be written then

    def on_train_end(self, logs=None):
        board = Path("board")
        if board.is_dir():
            board.rename("board-before")
            board.touch()
"""
BREAKING = "+training.callbacks.end={_target_: breaking_run.Break}"


def breaking_run(folder: Path) -> None:
    """Write the module of the callback `BREAKING`: when a run ends, its tracker with the folder board fails."""
    (folder / "breaking_run.py").write_text(BREAKS)


@contextmanager
def alone(folder: Path, mlflow_database: Path) -> Iterator[Path]:
    """Make a folder the current one, in which MLflow has a copy of an empty database, and let W&B be offline."""
    shutil.copy(mlflow_database, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(folder / "of_wandb"))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        for name in ("WANDB_API_KEY", "WANDB_DIR", "WANDB_PROJECT", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        yield folder


def in_mlflow(experiment: str, uri: str = "sqlite:///mlflow.db"):
    """The only run of an experiment, and its points."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    [run] = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    names = run.data.metrics
    history = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    return run, {name: sorted((point.step, point.value) for point in points) for name, points in history.items()}


def in_tensorboard(folder: Path) -> Points:
    """The points that TensorBoard reads in a folder. With a module of this name it does without TensorFlow."""
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    names = events.Tags()["scalars"]
    return {name: [(point.step, point.value) for point in events.Scalars(name)] for name in names}


def in_wandb(folder: Path) -> tuple[Points, dict[str, object]]:
    """The points in W&B's files in a folder, and the summary."""
    from fitbench.trackers import wandb_files

    points: Points = {}
    files = sorted(folder.glob("wandb/*run-*/*.wandb"), key=lambda path: path.parent.name)
    for path in files:
        for step, values in wandb_files.read([path])[0].items():
            for name, value in values.items():
                points.setdefault(name, []).append((step, value))
    return points, wandb_files.read(files)[1]
