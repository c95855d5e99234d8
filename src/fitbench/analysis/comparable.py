"""Which runs may be compared with each other: those of one task that were tested on the same examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fitbench.analysis.frame import by_finish, plain_values, quantities_of, records, without_attrs
from fitbench.analysis.rows import TEST_INPUTS_SHA256, TEST_SHA256
from fitbench.errors import RequestError
from fitbench.record.tested_on import PLACES, connected, signs
from fitbench.text import counted, first_of

if TYPE_CHECKING:
    import pandas as pd

NAMED = 3  # data sets that a label names at most
CHECKSUMS_OF_SETS = (TEST_SHA256, TEST_INPUTS_SHA256, "dataset.sha256")  # that tell sets of one name apart
NEVER = datetime.fromtimestamp(0, UTC)  # of runs that have not finished


@dataclass(frozen=True)
class Comparable:
    """Runs that may be compared with each other.

    Attributes:
        frame: the runs.
        task, data: their task, and the name of their data set; '' where these are several, or not known.
        label: what tells these runs from those of the other sets; '' where there is one set.
    """

    frame: pd.DataFrame
    task: str
    data: str
    label: str


def comparable(frame: pd.DataFrame, metric: str | None) -> list[Comparable]:
    """The runs of a frame in sets that may be compared, that of the newest run first.

    Runs are in one set if they are of one task and were tested on the same examples, see `tested_on.signs`. A run that
    has not finished is in the set of the newest finished one with the same section `data`, else in one of this name.

    Args:
        frame: from `load_runs`, or a part of it.
        metric: what is compared, as people name it; sets in which no run records it are left out. What every run has,
            as parameters and seconds, leaves out none.

    Raises:
        RequestError: there are no runs.
    """
    if frame.empty:
        raise RequestError("there are no runs to compare")
    sets = [frame.iloc[rows] for rows in _sets(frame)]
    if metric is not None:
        sets = [each for each in sets if records(each, metric)] or sets
    sets.sort(key=lambda each: each["finished_at"].fillna(NEVER).max(), reverse=True)
    names = zip(sets, labels(sets), strict=True)
    return [Comparable(each, _only(each["task"]), _only(each["data.name"]), label) for each, label in names]


def is_no_metric(frame: pd.DataFrame, metric: str) -> bool:
    """Whether people mean a quantity that every run has, whatever its task and data."""
    return any(metric in (each.column, each.name) for each in quantities_of(frame).values() if each.metric is None)


def first_metric(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of these quantities that not every run has, by which sets are left out; None without such a one."""
    return next((name for name in names if not is_no_metric(frame, name)), None)


def _only(column: pd.Series) -> str:
    """The value of a column that has only one; else ''."""
    values = {value for value in plain_values(column) if value}
    return str(values.pop()) if len(values) == 1 else ""


# -- the sets ---------------------------------------------------------------------------------------------------------


def _sets(frame: pd.DataFrame) -> list[list[int]]:
    """The positions of the runs of each set."""
    frame = without_attrs(frame)
    sections = list(zip(*(plain_values(frame[name]) for name in _data_columns(frame)), strict=True))
    names, tasks, ended = (plain_values(frame[name]) for name in ("data.name", "task", "finished_at"))
    tested = _tested_on(frame)
    newest: dict[Hashable, int] = {}  # the last finished run of a section, with its task and without
    for row in sorted((row for row, found in enumerate(tested) if found), key=lambda row: ended[row] or NEVER):
        newest[sections[row]] = newest[sections[row], tasks[row]] = row
    for row, found in enumerate(tested):
        if not found:
            section, task = sections[row], tasks[row]
            of = newest.get((section, task) if task else section)
            tested[row] = [("unread", names[row], task)] if of is None else tested[of]
    sets: dict[int, list[int]] = {}
    for row, number in enumerate(connected(tested)):
        sets.setdefault(number, []).append(row)
    return list(sets.values())


def _data_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in map(str, frame.columns) if name.startswith("data.")]


def _tested_on(frame: pd.DataFrame) -> list[list[Hashable]]:
    """The `signs` of what each run was tested on."""
    columns = [plain_values(frame[name]) if name in frame else [None] * len(frame) for name in PLACES]
    return [signs(dict(zip(PLACES, values, strict=True))) for values in zip(*columns, strict=True)]


# -- their names ------------------------------------------------------------------------------------------------------


def labels(sets: Sequence[pd.DataFrame]) -> list[str]:
    """What tells each set from the others: the name of its data and, only where needed, more. '' for one set alone."""
    if len(sets) == 1:
        return [""]
    labels = [_names(each) for each in sets]
    checksums = [[_checksum(each, name) for each in sets] for name in CHECKSUMS_OF_SETS]
    for facts in (list(map(_task, sets)), list(map(_size, sets)), *checksums):
        counts = Counter(labels)
        told = {label: {found for found, of in zip(facts, labels, strict=True) if of == label} for label in counts}
        labels = [
            f"{label} ({found})" if counts[label] > 1 and len(told[label]) > 1 and found else label
            for label, found in zip(labels, facts, strict=True)
        ]
    counts, seen = Counter(labels), Counter[str]()
    for place, label in enumerate(labels):  # what has recorded nothing that tells it apart has a number
        if counts[label] > 1:
            seen[label] += 1
            labels[place] = f"{label} ({seen[label]})"
    return [label.replace(") (", ", ") for label in labels]


def _names(frame: pd.DataFrame) -> str:
    names = dict.fromkeys(name for name in plain_values(frame["data.name"]) if name is not None)
    return first_of(names, NAMED) or "no name"


def _task(frame: pd.DataFrame) -> str:
    return _only(frame["task"])


def _size(frame: pd.DataFrame) -> str:
    sizes = {int(size) for size in plain_values(frame["dataset.test"]) if size is not None}
    if not sizes:
        return "nothing finished"
    return "" if len(sizes) > 1 else counted(size, "test example") if (size := sizes.pop()) else "no test part"


def _checksum(frame: pd.DataFrame, name: str) -> str:
    """The first digits of the checksum in this column that the run recorded which finished last."""
    values = [value for value in plain_values(by_finish(frame)[name]) if value] if name in frame else []
    return f"SHA-256 {str(values[-1])[:8]}" if values else ""
