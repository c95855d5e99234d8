"""sweep.json in the folder of a study: which runs its newest sweep has."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from fitbench.record.files import read_object, write_whole
from fitbench.record.schemas import Sweep, check

FILE = "sweep.json"
SCHEMA = 1


def write_sweep(folders: Sequence[Path]) -> None:
    """State in the folder of each study which runs a launch has there, in the place of what an earlier launch stated.

    Args:
        folders: of the runs.
    """
    studies: dict[Path, list[str]] = {}
    for folder in folders:
        studies.setdefault(folder.parent, []).append(folder.name)
    for study, run_ids in studies.items():
        study.mkdir(parents=True, exist_ok=True)
        sweep = {"schema": SCHEMA, "began": round(time.time(), 3), "run_ids": run_ids}
        write_whole(study / FILE, json.dumps(sweep, indent=1) + "\n")


def read_sweep(study: Path) -> Sweep | None:
    """What sweep.json of a study holds; None if there is none.

    Raises:
        FitbenchError: it is damaged, or no such file; the message names it.
    """
    try:
        content = read_object(study, FILE, SCHEMA, depth=1)
    except FileNotFoundError:
        return None
    return check(Sweep, content, f"{study}/{FILE}: ")
