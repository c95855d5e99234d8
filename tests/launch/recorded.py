"""Reads what a study has recorded: its run folders, the processes that work on them, reproducible results."""

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.record.history import read_history
from fitbench.record.reading import read_result


def folders_of(study: Path, part: str = "") -> list[Path]:
    """Return the run folders of a study whose names contain `part`, in order."""
    return sorted(path for path in study.glob("*") if path.is_dir() and part in path.name)


def attempts(folder: Path) -> int:
    """Return how many attempts have told the log that they began."""
    return (folder / "train.log").read_text().count(" attempt ")


def last_attempt(folder: Path) -> int:
    """Return the number that the last attempt told the log. One that was killed before it could is counted in it."""
    return int(re.findall(r" attempt (\d+) of ", (folder / "train.log").read_text())[-1])


def record(folder: Path) -> dict[str, Any]:
    """Return what must be bit-identical, whichever process trained the run and however often it was interrupted."""
    with zipfile.ZipFile(folder / "model.keras") as model, np.load(folder / "predictions.npz") as predictions:
        return {
            "history": [{**epoch, "seconds": 0} for epoch in read_history(folder)],
            "metrics": read_result(folder)["metrics"],
            "weights": model.read("model.weights.h5"),
            "predictions": {name: predictions[name].tobytes() for name in predictions.files},
        }


def holders(study: Path) -> dict[int, Path]:
    """Return the folders of the runs that other processes work on now, by process id."""
    folders = {}
    for path in study.glob("*/claim.json"):
        try:
            folders[json.loads(path.read_text())["pid"]] = path.parent
        except (FileNotFoundError, ValueError):  # the claim was just removed, or is being written
            continue
    folders.pop(os.getpid(), None)
    return folders


def is_alive(pid: int) -> bool:
    """Whether a process of this machine exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
