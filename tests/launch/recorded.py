"""What a study has recorded: its run folders, who works on them, and all of a run that must be the same again."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.record.history import read_history
from fitbench.record.reading import read_result


def folders_of(study: Path, part: str = "") -> list[Path]:
    """The run folders of a study whose names have this part, in order."""
    return sorted(path for path in study.glob("*") if path.is_dir() and part in path.name)


def attempts(folder: Path) -> int:
    return (folder / "train.log").read_text().count(" attempt ")


def record(folder: Path) -> dict[str, Any]:
    """All that must not depend on who trained a run and what it went through, to the last bit."""
    with zipfile.ZipFile(folder / "model.keras") as model, np.load(folder / "predictions.npz") as predictions:
        return {
            "history": [{**epoch, "seconds": 0} for epoch in read_history(folder)],
            "metrics": read_result(folder)["metrics"],
            "weights": model.read("model.weights.h5"),
            "predictions": {name: predictions[name].tobytes() for name in predictions.files},
        }


def holders(study: Path) -> dict[int, Path]:
    """Which other processes work on which runs at this moment."""
    found = {}
    for path in study.glob("*/claim.json"):
        try:
            found[json.loads(path.read_text())["pid"]] = path.parent
        except (FileNotFoundError, ValueError):  # it has just been removed, or is being written
            continue
    found.pop(os.getpid(), None)
    return found
