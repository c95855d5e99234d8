"""sweep.json in the folder of a study: which runs the sweeps have that are at work there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.record.files import exists, read_object, write_whole
from fitbench.record.schemas import Sweep, check
from fitbench.stderr import write_note
from fitbench.text import clean

FILE = "sweep.json"
SCHEMA = 1


@contextlib.contextmanager
def stated(folders: Sequence[Path]) -> Iterator[None]:
    """In this block, sweep.json in the folder of each study states which runs a launch has there.

    Runs that other launches have stated, and that have not begun, stay in it. The file is removed when the last launch
    ends. Only pages that show how far a sweep is need it, so the sweep goes on, with a note, if it cannot be written.

    Args:
        folders: of the runs of the launch.
    """
    studies: dict[Path, list[str]] = {}
    for folder in folders:
        studies.setdefault(folder.parent, []).append(folder.name)
    written = []
    for study, run_ids in studies.items():
        others = [run_id for run_id in _others(study, run_ids) if not exists(study / run_id)]
        if _write(study, [*run_ids, *others]):
            written.append(study)
    try:
        yield
    finally:
        for study in filter(exists, written):
            _write(study, _others(study, studies[study]))


def _others(study: Path, run_ids: Sequence[str]) -> list[str]:
    """The runs that sweep.json of a study holds beside these; none if it cannot be read."""
    try:
        sweep = read_sweep(study)
    except FitbenchError:  # it is written anew
        return []
    own = set(run_ids)
    return [run_id for run_id in sweep.run_ids if run_id not in own] if sweep is not None else []


def _write(study: Path, run_ids: Sequence[str]) -> bool:
    """Write sweep.json of a study, or remove it if there are no runs to state; gives whether that was possible."""
    try:
        if run_ids:
            study.mkdir(parents=True, exist_ok=True)
            sweep = {"schema": SCHEMA, "began": round(time.time(), 3), "run_ids": run_ids}
            write_whole(study / FILE, json.dumps(sweep, indent=1) + "\n")
        else:
            (study / FILE).unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        write_note(
            f"{clean(study / FILE)} cannot be written ({reason}); report --live does not tell how far the sweep is"
        )
        return False
    return True


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
