"""Which runs may be compared with each other: those of one task that were tested on the same data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fitbench import metrics
from fitbench.analysis.frame import plain_values, recorders
from fitbench.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

NEVER = datetime.fromtimestamp(0, UTC)  # of runs that have not finished


@dataclass(frozen=True)
class Comparable:
    """Runs that may be compared with each other.

    Attributes:
        frame: the runs.
        task, data: their task, and the name of their data set.
        label: what tells these runs from those of the other sets; '' where there is one set.
    """

    frame: pd.DataFrame
    task: str
    data: str
    label: str


def comparable(frame: pd.DataFrame, metric: str | None) -> list[Comparable]:
    """The runs of a frame in sets of one task and data set, that of the newest run first.

    Args:
        frame: from `load_runs`, or a part of it.
        metric: what is compared, as people name it; sets in which no run records it are left out.

    Raises:
        RequestError: no run records the metric.
    """
    places: dict[tuple[str, str], list[int]] = {}
    tasks, names = plain_values(frame["task"]), plain_values(frame["data.name"])
    for row, key in enumerate(zip(tasks, names, strict=True)):
        places.setdefault((key[0] or "", key[1] or ""), []).append(row)
    sets = [(task, data, frame.iloc[rows]) for (task, data), rows in places.items()]
    if metric is not None:
        name = metrics.split(metric.removeprefix("metrics."))[1]
        if any(len(recorders(part, name)) for _, _, part in sets):
            sets = [each for each in sets if len(recorders(each[2], name))]
    if not sets:
        raise RequestError("there are no runs to compare")
    sets.sort(key=lambda each: each[2]["finished_at"].fillna(NEVER).max(), reverse=True)
    several = len({task for task, _, _ in sets}) > 1
    return [
        Comparable(part, task, data, "" if len(sets) == 1 else f"{data} ({task})" if several and task else data)
        for task, data, part in sets
    ]
