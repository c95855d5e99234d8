"""What `compare`, `plot` and `report` are asked for, in terms of the recorded runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench import metrics
from fitbench.analysis.comparable import comparable
from fitbench.analysis.frame import (
    column,
    load_runs,
    primary_of,
    quantities_of,
    say_unread,
)
from fitbench.analysis.search_record import FILE as SEARCH
from fitbench.analysis.studies import Which, fitting, narrowed, of_named_studies
from fitbench.analysis.telling import default_keys
from fitbench.errors import RequestError
from fitbench.quantities import Quantity, find
from fitbench.stderr import write_note
from fitbench.text import clean, counted

if TYPE_CHECKING:
    import pandas as pd


def selected_runs(which: Which) -> pd.DataFrame:
    """The runs that a command is about, one or more. What cannot be read is named on stderr.

    Raises:
        RequestError: as `load_runs`, `filters.select` and `of_named_studies`, or no run remains.
    """
    which.check()
    frame = load_runs(*which.paths)
    say_unread(frame)
    if frame.empty:
        raise RequestError("none of the runs can be read")
    kept = fitting(frame, which)
    if kept.empty:
        raise RequestError(f"--where {which.where!r} keeps none of the {len(of_named_studies(frame, which))} runs")
    return narrowed(kept, which, finished=True)


def newest_set(frame: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The runs of the newest of the sets that may be compared, see `comparable`; what is left out is said on stderr."""
    newest, *others = comparable(frame, metric)
    if others:
        count = len(frame) - len(newest.frame)
        has_own_name = newest.data not in ("", *(each.data for each in others))
        advice = f"--where \"{'data' if has_own_name else 'dataset.sha256'} == '..'\""
        write_note(
            f"runs on {clean(newest.label)}, the newest; {counted(count, 'run')} on other data or of other tasks "
            f"{'is' if count == 1 else 'are'} left out; {advice} selects others"
        )
    return newest.frame


def measured(frame: pd.DataFrame, metric: str | None) -> Quantity:
    """The quantity that `--metric` names; None stands for the primary metric of the runs.

    It is that on the test part. It is that on the validation part where all finished runs have folds, which are there
    to validate, where one of them has no test part, which folds do not need, and in the studies of searches, which have
    chosen by the validation part.

    Raises:
        RequestError: the runs do not record it, or have different definitions of it.
    """
    return find(metric or metrics.join(default_part(frame), primary_of(frame)), quantities_of(frame))


def default_part(frame: pd.DataFrame) -> str:
    """The part on which the runs are compared unless a person says otherwise: 'val' or 'test', see `measured`."""
    finished = frame[frame["state"] == "finished"]
    counted = finished if len(finished) else frame
    by_validation = counted["fold"].notna().all() or (counted["dataset.test"] == 0).any() or _of_searches(counted)
    return "val" if by_validation else "test"


def _of_searches(frame: pd.DataFrame) -> bool:
    """Whether the runs belong to studies of searches, and all have a validation part."""
    studies = set(map(os.path.dirname, frame["folder"]))
    return not (frame["dataset.validation"] == 0).any() and all(Path(study, SEARCH).is_file() for study in studies)


def keys(frame: pd.DataFrame, by: str | None) -> list[str]:
    """The columns that `--by` names, with commas between them; None stands for `telling.default_keys`.

    Raises:
        RequestError: a name fits no column, or several.
    """
    return (
        default_keys(frame)
        if by is None
        else list(dict.fromkeys(column(frame, name.strip()) for name in by.split(",")))
    )
