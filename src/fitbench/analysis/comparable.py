"""Which runs may be compared with each other: those of one task that were tested on the same examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from fitbench import metrics
from fitbench.analysis.frame import plain_values, quantities_of, recorders
from fitbench.analysis.partition import connected
from fitbench.analysis.rows import FOLD_SHA256, TEST_INPUTS_SHA256, TEST_SHA256
from fitbench.config import OF_DRAWING
from fitbench.errors import RequestError
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

    Runs are in one set if they are of one task and were tested on the same examples, see `_tested_on`. A run that has
    not finished is in the set of the newest finished one with the same section `data`, else in one of this name. Runs
    of all sets are compared in what is no metric, as parameters and seconds are.

    Args:
        frame: from `load_runs`, or a part of it.
        metric: what is compared, as people name it; sets in which no run records it are left out.

    Raises:
        RequestError: there are no runs.
    """
    if frame.empty:
        raise RequestError("there are no runs to compare")
    if metric is not None and is_no_metric(frame, metric):
        return [Comparable(frame, _only(frame["task"]), _only(frame["data.name"]), "")]
    sets = [frame.iloc[rows] for rows in _sets(frame)]
    if metric is not None:
        name = metrics.split(metric.removeprefix("metrics."))[1]
        sets = [each for each in sets if len(recorders(each, name))] or sets
    sets.sort(key=lambda each: each["finished_at"].fillna(NEVER).max(), reverse=True)
    names = zip(sets, labels(sets), strict=True)
    return [Comparable(each, _only(each["task"]), _only(each["data.name"]), label) for each, label in names]


def is_no_metric(frame: pd.DataFrame, metric: str) -> bool:
    """Whether people mean a quantity that every run has, whatever its task and data."""
    return any(metric in (each.column, each.name) for each in quantities_of(frame).values() if each.metric is None)


def of_a_part(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of these quantities that is a metric, by which runs of different data cannot be compared; else None."""
    return next((name for name in names if not is_no_metric(frame, name)), None)


def _only(column: pd.Series) -> str:
    """The value of a column that has only one; else ''."""
    values = {value for value in plain_values(column) if value}
    return str(values.pop()) if len(values) == 1 else ""


# -- the sets ---------------------------------------------------------------------------------------------------------


def _sets(frame: pd.DataFrame) -> list[list[int]]:
    """The positions of the runs of each set."""
    sections = list(zip(*(plain_values(frame[name]) for name in _data_columns(frame)), strict=True))
    names, tasks, ended = (plain_values(frame[name]) for name in ("data.name", "task", "finished_at"))
    tested = list(_tested_on(frame))
    newest: dict[Hashable, int] = {}  # the last finished run of a section, with its task and without
    for row in sorted((row for row, signs in enumerate(tested) if signs), key=lambda row: ended[row] or NEVER):
        newest[sections[row]] = newest[sections[row], tasks[row]] = row
    for row, signs in enumerate(tested):
        if not signs:
            section, task = sections[row], tasks[row]
            of = newest.get((section, task) if task else section)
            tested[row] = [("unread", names[row], task)] if of is None else tested[of]
    sets: dict[int, list[int]] = {}
    for row, number in enumerate(connected(tested)):
        sets.setdefault(number, []).append(row)
    return list(sets.values())


def _data_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in map(str, frame.columns) if name.startswith("data.")]


def _tested_on(frame: pd.DataFrame) -> Iterator[list[Hashable]]:
    """The signs of what each run was tested on; runs that share one were tested on the same examples. [] without data.

    The same examples are sure if all arrays of the data set are the same, if the arrays of the test part are, or if the
    targets and row numbers of the test part are and the data set has the same name and drawing: then some columns of a
    table differ, or the size of images. Targets alone do not tell, because those of classes in order are often the
    same. Of runs without a test part a fold decides, by the examples that it holds back. Runs that were recorded
    without checksums of the test part have the first sign alone.
    """
    names = ("task", "dataset.sha256", "dataset.test", TEST_SHA256, TEST_INPUTS_SHA256, "data.name",
             "training.folds", "fold", FOLD_SHA256)  # fmt: skip
    columns = [plain_values(frame[name]) if name in frame else [None] * len(frame) for name in names]
    drawing = [plain_values(frame[name]) for name in OF_DRAWING if name in frame]
    for row, (task, sha256, examples, test, inputs, data, folds, fold, held_back) in enumerate(
        zip(*columns, strict=True)
    ):
        signs: list[Hashable] = []
        if sha256 is not None:
            signs.append((task, "arrays", sha256))
        if test is not None:
            signs.append((task, "test part", test, inputs))
            signs.append((task, "drawn", test, data, *(column[row] for column in drawing)))
        if not examples and held_back is not None:
            signs.append((task, "fold", folds, fold, held_back))
        yield signs


# -- their names ------------------------------------------------------------------------------------------------------


def labels(sets: Sequence[pd.DataFrame]) -> list[str]:
    """What tells each set from the others: the name of its data and, only where needed, more. '' for one set alone."""
    if len(sets) == 1:
        return [""]
    labels = [_names(each) for each in sets]
    for fact in (_task, _size, *(partial(_checksum, name=name) for name in CHECKSUMS_OF_SETS)):
        facts, counts = [fact(each) for each in sets], Counter(labels)
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
    if name not in frame:
        return ""
    recorded = frame[frame[name].notna()].sort_values("finished_at", kind="stable", na_position="first")
    return f"SHA-256 {str(recorded[name].iloc[-1])[:8]}" if len(recorded) else ""
