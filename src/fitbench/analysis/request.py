"""What `compare`, `plot` and `report` are asked for, in terms of the recorded runs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench import metrics
from fitbench.analysis.comparable import comparable
from fitbench.analysis.filters import parse, select
from fitbench.analysis.frame import (
    column,
    load_runs,
    newest_task,
    of_task,
    primary_of,
    quantities_of,
    recorders,
    say_left_out,
)
from fitbench.analysis.studies import narrowed
from fitbench.analysis.telling import default_keys
from fitbench.errors import RequestError
from fitbench.quantities import Quantity, find
from fitbench.text import clean, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Which:
    """Which runs a command is about.

    Attributes:
        paths: as `load_runs` takes them; none: outputs/.
        where: a filter, see `filters`.
        study: the name of a study of which the runs must be.
        every: whether runs of all studies count. If not, and no study is named, the command is about the newest, unless
            there are several paths or the filter has a condition on `study`.
    """

    paths: Sequence[str | Path] = ()
    where: str | None = None
    study: str | None = None
    every: bool = False

    @property
    def of_all_studies(self) -> bool:
        """Whether the request does not narrow the runs to one study."""
        return self.every or len(self.paths) > 1 or (self.where is not None and "study" in _names(self.where))


def _names(where: str) -> set[str]:
    return {node.id for node in ast.walk(parse(where)) if isinstance(node, ast.Name)}


def selected_runs(which: Which) -> pd.DataFrame:
    """The runs that a command is about, one or more. What cannot be read is named on stderr.

    Raises:
        RequestError: as `load_runs`, `filters.select` and `studies.narrowed`, or no run remains.
    """
    if which.study is not None and which.every:
        raise RequestError("--study and --all exclude each other; leave one out")
    if which.where is not None:
        parse(which.where)
    frame = load_runs(*which.paths)
    say_left_out(frame.attrs["left_out"])
    if frame.empty:
        raise RequestError("none of the runs can be read")
    kept = select(frame, which.where) if which.where is not None else frame
    if kept.empty:
        raise RequestError(f"--where {which.where!r} keeps none of the {len(frame)} runs")
    return narrowed(kept, which.study, which.of_all_studies)


def of_one_task(frame: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The runs that are compared, which are of one task: of those that record the metric, that of the newest.

    What is left out, and why, is said on stderr and stands in `attrs["other_tasks"]`. Runs of any tasks are compared in
    what is no metric, as their time is.
    """
    name = None if metric is None else metrics.split(metric.removeprefix("metrics."))[1]
    recording = frame if name is None else recorders(frame, name)
    task = newest_task(recording)
    if recording.empty or not task:
        return frame
    chosen = of_task(frame, task)
    others = [name for name in dict.fromkeys(frame["task"].dropna()) if name not in (task, "")]
    if others:
        count, newest = len(frame) - len(chosen), "the newest run" + (f" with {name}" if name else "")
        said = (
            f"{newest} is of {clean(task)}; {counted(count, 'run')} of {clean(' and '.join(others))} "
            f'{"is" if count == 1 else "are"} left out; --where "task == {clean(repr(others[0]))}" selects others'
        )
        chosen.attrs |= {"task": task, "other_tasks": said}
        sys.stderr.write(f"fitbench: {said}\n")
    return chosen


def newest_set(frame: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The runs of the newest of the sets that may be compared, see `comparable`; what is left out is said on stderr."""
    newest, *others = comparable(frame, metric)
    if others:
        count = len(frame) - len(newest.frame)
        sys.stderr.write(
            f"fitbench: runs on {clean(newest.label)}, the newest; {counted(count, 'run')} on other data or of other "
            f"tasks {'is' if count == 1 else 'are'} left out; --where \"data == '..'\" selects others\n"
        )
    return newest.frame


def measured(frame: pd.DataFrame, metric: str | None) -> Quantity:
    """The quantity that `--metric` names; None stands for the primary metric of the runs.

    It is that on the test part. It is that on the validation part where all finished runs have folds, which are there
    to validate, or where one of them has no test part, which folds do not need.

    Raises:
        RequestError: the runs do not record it, or have different definitions of it.
    """
    return find(metric or metrics.join(default_part(frame), primary_of(frame)), quantities_of(frame))


def default_part(frame: pd.DataFrame) -> str:
    """The part on which the runs are compared unless a person says otherwise: 'val' or 'test', see `measured`."""
    finished = frame[frame["state"] == "finished"]
    counted = finished if len(finished) else frame
    return "val" if counted["fold"].notna().all() or (counted["dataset.test"] == 0).any() else "test"


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
