"""The run folder: where it lies, and which state its files say it is in."""

from __future__ import annotations

import shutil
from enum import Enum
from pathlib import Path

from fitbench.config import Config, run_id
from fitbench.record.claims import claimed


class State(Enum):
    """What a run folder's files say about the run."""

    finished = "finished"
    failed = "failed"
    pruned = "pruned"
    running = "running"
    interrupted = "interrupted"


def folder_of(config: Config) -> Path:
    """Where the run of this configuration is recorded: outputs/<study>/<run_id>."""
    return Path(config.outputs) / config.study / run_id(config)


def state_of(folder: Path) -> State:
    """The state of a run, from its files and nothing else."""
    if (folder / "result.json").exists():
        return State.finished
    if (folder / "error.txt").exists():
        return State.failed
    if claimed(folder):
        return State.running
    if (folder / "pruned.json").exists():
        return State.pruned
    return State.interrupted


def tidy(folder: Path) -> None:
    """Remove the checkpoints that a killed process has left of a finished run. Only for the holder of the claim."""
    if (folder / "result.json").exists() and (folder / "checkpoint").exists():
        shutil.rmtree(folder / "checkpoint")
