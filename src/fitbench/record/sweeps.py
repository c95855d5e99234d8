"""sweep.json in the folder of a study: which runs the sweeps have that are at work there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record import processes
from fitbench.record.files import exists, read_object, write_whole
from fitbench.record.schemas import Sweep, check
from fitbench.stderr import write_note
from fitbench.text import clean
from fitbench.untrusted import LARGEST_BYTES

FILE = "sweep.json"
SCHEMA = 1
MOST_VALUES = LARGEST_BYTES // 10  # each run is on a line of its own


@contextlib.contextmanager
def stated(folders: Sequence[Path]) -> Iterator[None]:
    """In this block, sweep.json in the folder of each study states which runs a launch has there.

    Runs that other launches have stated, and that have not begun, stay in it unless the process of their launch was
    killed. The file is removed when the last launch ends. Only pages that show how far a sweep is need it, so the sweep
    goes on, with a note, if it cannot be written.

    Args:
        folders: of the runs of the launch.
    """
    studies: dict[Path, list[str]] = {}
    for folder in folders:
        studies.setdefault(folder.parent, []).append(folder.name)
    written = []
    for study, run_ids in studies.items():
        own = {**processes.this_process(), "run_ids": run_ids}
        begun = [path.name for path in study.glob("*")]
        if _write(study, [own, *_others(study, {*run_ids, *begun})]):
            written.append(study)
    try:
        yield
    finally:
        for study in filter(exists, written):
            _write(study, _others(study, {*studies[study]}))


def _others(study: Path, left_out: Collection[str]) -> list[dict[str, Any]]:
    """The launches that sweep.json of a study holds, with those of their runs that are not left out."""
    try:
        sweep = read_sweep(study)
    except FitbenchError:  # it is written anew
        return []
    launches = [] if sweep is None else [launch.model_dump() for launch in sweep.launches]
    for launch in launches:
        launch["run_ids"] = [run_id for run_id in launch["run_ids"] if run_id not in left_out]
    return [launch for launch in launches if launch["run_ids"]]


def _write(study: Path, launches: Sequence[Mapping[str, Any]]) -> bool:
    """Write sweep.json of a study, or remove it if there are no runs to state; gives whether that was possible."""
    run_ids = [run_id for launch in launches for run_id in launch["run_ids"]]
    try:
        if run_ids:
            study.mkdir(parents=True, exist_ok=True)
            sweep = {"schema": SCHEMA, "began": round(time.time(), 3), "run_ids": run_ids, "launches": launches}
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
    """What sweep.json of a study holds, without the launches whose process was killed; None if there is none left.

    Raises:
        FitbenchError: it is damaged, or no such file; the message names it.
    """
    try:
        content = read_object(study, FILE, SCHEMA, most=MOST_VALUES, depth=1)
    except FileNotFoundError:
        return None
    sweep = check(Sweep, content, f"{study}/{FILE}: ")
    if not sweep.launches:
        return sweep
    launches = [launch for launch in sweep.launches if processes.exists(launch) is not False]
    run_ids = [run_id for launch in launches for run_id in launch.run_ids]
    return sweep.model_copy(update={"launches": launches, "run_ids": run_ids}) if launches else None
