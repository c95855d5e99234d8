"""Which of several studies a command is about: the one that is named, all of them, or the newest."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.analysis.frame import plain_values
from fitbench.errors import RequestError
from fitbench.text import clean, counted

if TYPE_CHECKING:
    import pandas as pd

RUN_AND_END = ("study", "folder", "finished_at")


def narrowed(frame: pd.DataFrame, study: str | None, every: bool) -> pd.DataFrame:
    """The runs of one study of a frame from `load_runs`: the one named, or else the newest. With `every`, all runs.

    If runs of other studies are left out because none was named, a line on stderr says so.

    Raises:
        RequestError: no run is of the study; the message names the nearest.
    """
    studies = frame["study"].unique().tolist()
    if study is not None:
        if study not in studies:
            nearest = difflib.get_close_matches(study, studies, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(studies))}"
            raise RequestError(f"--study {study}: there is no such study here; {clean(hint)}")
        return frame[frame["study"] == study]
    if every or len(studies) < 2:
        return frame
    newest = newest_study(frame)
    chosen = frame[frame["study"] == newest]
    more, others = counted(len(frame) - len(chosen), "run"), "1 other study"
    if len(studies) > 2:
        others = f"{len(studies) - 1} other studies"
    sys.stderr.write(
        f"fitbench: study {clean(newest)}, the newest; --study NAME shows another, --all adds {more} of {others}\n"
    )
    return chosen


def newest_study(frame: pd.DataFrame) -> str:
    """The first of `newest_first`."""
    return newest_first(frame)[0]


def newest_first(frame: pd.DataFrame) -> list[str]:
    """The studies of a frame, that whose run changed last first: it finished, or a file of it was written."""
    latest: dict[str, float] = {}
    for study, folder, ended in zip(*(plain_values(frame[name]) for name in RUN_AND_END), strict=True):
        latest[study] = max(latest.get(study, 0.0), ended.timestamp() if ended else last_change(folder))
    return sorted(latest, key=lambda name: (latest[name], name), reverse=True)


def last_change(folder: str | Path) -> float:
    """When a file of the run was last written, as seconds since 1970; 0 if the folder has gone."""
    try:
        with os.scandir(folder) as entries:
            return max((entry.stat().st_mtime for entry in entries if entry.is_file()), default=0.0)
    except OSError:  # it has gone, or a file of it has
        return 0.0
