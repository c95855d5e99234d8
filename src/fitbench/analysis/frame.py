"""The runs below some paths as a tidy DataFrame: one row per run, or one per epoch.

What cannot be read is left out, with its reason, and never stops the rest.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.analysis.names import find_column
from fitbench.analysis.rows import (
    CHECKSUMS,
    CONFIGURED_TASK,
    DATASET,
    FIXED,
    IDENTITY,
    INFO,
    LAST,
    NAMES,
    NOTED,
    ORIGIN,
    STARTED,
    TASK,
    UNREAD_NOTES,
    Row,
    configuration_row,
    is_configuration,
    read_row,
)
from fitbench.config import SECTIONS
from fitbench.config.identity import HASHED_AS
from fitbench.errors import FitbenchError, RequestError
from fitbench.quantities import Quantity, quantities, with_task
from fitbench.record import reading
from fitbench.record.folder import LeftOut, absent, run_folders
from fitbench.stderr import write_note
from fitbench.tasks import TASKS, Classification
from fitbench.text import clean, encodable

if TYPE_CHECKING:
    import pandas as pd

RUN = ("folder", "study", "run_id", "seed", "fold")  # what a history says of the run of an epoch
EPOCH = ("epoch", "seconds", "learning_rate")  # what it says of every epoch, beside metrics
NAMED = 20  # folders that are left out and named


def load_runs(*paths: str | Path) -> pd.DataFrame:
    """The runs below the paths, one row per run folder, sorted by folder. Without a path: below outputs/.

    A path is an outputs folder, a study, a run folder, or anything above. A run folder is one that holds config.yaml
    or result.json; nothing is looked for inside of one, nor in folders whose name begins with a dot.

    Columns, in this order: folder, study, run_id, config_id, seed (int64), fold (from 0; NaN without folds), state
    (finished, failed, pruned, running or interrupted); the configuration that makes a run's identity, flattened with
    dots (model.name, optimizer.learning_rate, ...; lists as JSON text, null and empty as missing; weights by class as
    one text, {common:1,rare:5}; a loss of the user's own as its `_target_`, beside its arguments; another `_target_`
    only where runs of one name differ in it; config.task, the key `task`, only where runs differ in it); training.start
    (the run_id of the run whose weights a run begins with; only where one does); task (which the data decided), primary
    (the metric that names the best run); metrics.<part>_<metric> for every metric that a run records,
    metrics.best_epoch, metrics.epochs, timing.* (seconds; examples per second), parameters, dataset.*, device, threads,
    code (the user's modules with the first digits of their SHA-256), attempts, trial (its number in the search that it
    is of), git.*, versions.*; finished_at (UTC), error (the line that says what failed); tags (JSON text) and note,
    which people gave the run. Columns of numbers are int64 or float64, and float64 with NaN where a run lacks the
    value. A pruned run has the metrics up to its last epoch; other runs that are not finished have none.

    `attrs["left_out"]` is a list of (folder, reason): what cannot be read and has no row. `attrs["unread_notes"]` is a
    list of (folder, reason): runs whose notes.json is damaged, which have a row. `quantities_of` gives what the metrics
    are.

    Raises:
        RequestError: a path is no folder, or there is no run folder below any of them.
    """
    left_out: LeftOut = []
    found: list[Row] = []
    paths = paths or ("outputs",)
    folders = list(run_folders(_checked(paths), left_out))
    for folder in folders:
        try:
            row = read_row(folder)
        except FitbenchError as error:
            left_out.append((folder, without_folder(error, folder)))
        else:
            if row is not None:
                found.append(row)
    if not folders and not left_out:
        raise RequestError(
            f"no runs below {', '.join(map(str, paths))}; a run folder holds config.yaml or result.json "
            "(fitbench train makes one)"
        )
    return frame_of(found, left_out)


def frame_of(found: Iterable[Row], left_out: LeftOut) -> pd.DataFrame:
    """The rows that `read_row` gives as `load_runs` gives them. The rows stay as they are."""
    rows = sorted(map(dict, found), key=lambda row: row["folder"])
    _name_alike(rows)
    unread = [(row["folder"], row.pop(UNREAD_NOTES)) for row in rows if UNREAD_NOTES in row]
    recorded = _Recorded({row["folder"]: row.pop(INFO) for row in rows if INFO in row})
    available = _available(recorded.values())
    frame = _frame(rows, _columns(rows, available), {*available, *DATASET[1:], "fold", "attempts", "trial"})
    frame.attrs["left_out"] = sorted(left_out)
    frame.attrs[UNREAD_NOTES] = [(folder, without_folder(why, folder)) for folder, why in unread]
    frame.attrs[INFO] = recorded
    return frame


def _name_alike(rows: Sequence[Row]) -> None:
    """Write a setting in one way where the rows have two that make the same identity: cross_entropy in place of auto.

    The value changes only in rows of a task that has the other one.
    """
    for column, names in HASHED_AS.items():
        there = {row.get(column) for row in rows}
        for value, other in names.items():
            if {value, other} <= there:
                for row in rows:
                    if row.get(column) == value and row["task"] in TASKS and other in TASKS[row["task"]].losses:
                        row[column] = other


def configurations(jobs: Iterable[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Runs that need not exist yet, one row each, with the columns of `load_runs` that their configurations decide.

    Args:
        jobs: the folder of each run, and its whole configuration.
    """
    rows = [configuration_row(folder, config) for folder, config in jobs]
    names = dict.fromkeys(name for row in rows for name in row)
    return _frame(rows, [name for name in names if not name.endswith("._target_") or _tells(name, rows)], {"fold"})


def load_history(*paths: str | Path) -> pd.DataFrame:
    """The epochs of the runs below the paths, one row per run and epoch, sorted by folder and epoch.

    Columns: folder, study, run_id, seed, fold, epoch (int64, from 1), seconds, learning_rate; for every metric of the
    runs its value on the training part, as in 'loss', and then on the validation part, as in 'val_loss'; and whatever
    else the histories record (float64, NaN where a value was not recorded). Runs of every state; `attrs["left_out"]` as
    `load_runs`.

    Raises:
        RequestError: a path is no folder, or there is no run folder below any of them.
    """
    return histories(load_runs(*paths))


def histories(frame: pd.DataFrame) -> pd.DataFrame:
    """The epochs of the runs of a frame from `load_runs`, or of a part of it, as `load_history` gives them."""
    left_out = list(frame.attrs.get("left_out", []))
    rows: list[Row] = []
    for run in zip(*(frame[name].tolist() for name in RUN), strict=True):
        try:
            epochs = reading.read_history(Path(run[0]))
        except FitbenchError as error:
            left_out.append((run[0], without_folder(error, run[0])))
            continue
        rows.extend({**epoch, **dict(zip(RUN, run, strict=True))} for epoch in epochs)
    names = _history_columns(rows, quantities_of(frame))
    epochs_frame = _frame(rows, names, (set(names) - {*RUN, "epoch"}) | {"fold"})
    epochs_frame.attrs["left_out"] = left_out
    return epochs_frame


def _history_columns(rows: Sequence[Row], available: Mapping[str, Quantity]) -> list[str]:
    """The columns of a history: those of the metrics of the runs, and what else has a number in some epoch."""
    by_metric = [
        metrics.history_key(quantity.part, quantity.metric)
        for quantity in _metrics_in_order(available)
        if quantity.metric is not None and quantity.part in ("train", "val")
    ]
    recorded = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
    return list(dict.fromkeys((*RUN, *EPOCH, *by_metric, *recorded)))


# -- what the columns are ---------------------------------------------------------------------------------------------


def quantities_of(frame: pd.DataFrame) -> dict[str, Quantity]:
    """What the runs of a frame from `load_runs`, or of a part of it, can be ranked by: the quantities by column.

    A metric has several definitions only if runs of this part have. One that several tasks record, as they do the
    loss, has one for each of them. A frame that has lost its attrs has the metrics that fitbench supplies.
    """
    recorded = frame.attrs.get(INFO)
    if recorded is None:
        columns = [str(name) for name in frame.columns if str(name).startswith("metrics.")]
        supplied = [metrics.supplied(metrics.split(name.removeprefix("metrics."))[1]) for name in columns]
        return quantities([{metric.name: metric.info() for metric in supplied if metric is not None}])
    here = {
        (task, id(recorded[folder])): recorded[folder]
        for folder, task in zip(frame["folder"].tolist(), frame["task"].fillna("").tolist(), strict=True)
        if folder in recorded
    }
    if len({task for task, _ in here if task}) > 1:
        return _available([with_task(info, task) for (task, _), info in here.items() if task])
    return _available(here.values() or recorded.values())


def records(frame: pd.DataFrame, metric: str) -> bool:
    """Whether a run of a frame records this metric, which is named as people name it."""
    recorded = frame.attrs.get(INFO, {})
    name = metrics.split(metric.removeprefix("metrics."))[1]
    return any(name in recorded.get(folder, ()) for folder in frame["folder"].tolist())


def by_finish(frame: pd.DataFrame) -> pd.DataFrame:
    """The finished runs of a frame; the last row is the run that finished last."""
    return frame[frame["finished_at"].notna()].sort_values("finished_at", kind="stable")


def newest_task(frame: pd.DataFrame) -> str:
    """The task of the run that finished last, or of the last one in the frame where none has finished; '' without one.

    Commands that compare runs choose by it where a folder has runs of several tasks.
    """
    known = frame[frame["task"].fillna("") != ""]
    if known.empty:
        return ""
    finished = by_finish(known)
    return str((finished if len(finished) else known)["task"].iloc[-1])


def of_task(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """The runs of a task, and those whose task is not yet known."""
    return frame[frame["task"].fillna("").isin((task, ""))]


def of_known_task(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs whose task is known, or all where none is.

    A run whose configuration leaves the task to the data does not know it before it has read them.
    """
    is_known = frame["task"].fillna("") != ""
    return frame[is_known] if is_known.any() else frame


def in_known_groups(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The runs that agree in the columns `keys` with some run whose task is known.

    `attrs["without_task"]` counts the others by state.
    """
    known = of_known_task(frame)
    groups = set(zip(*(plain_values(known[key]) for key in keys), strict=True))
    values = zip(*(plain_values(frame[key]) for key in keys), strict=True)
    fits = [group in groups for group in values] if keys else [True] * len(frame)
    chosen = frame[fits]
    chosen.attrs["without_task"] = frame.loc[[not each for each in fits], "state"].value_counts().to_dict()
    return chosen


def primary_of(frame: pd.DataFrame) -> str:
    """The primary metric of the finished runs of a frame, or of all where none has finished, as in 'accuracy'.

    If the runs are of several tasks, those of `newest_task` count.

    Raises:
        RequestError: these runs have several.
    """
    frame = of_task(frame, newest_task(frame))
    finished = frame.loc[frame["state"] == "finished", "primary"]
    names = (finished if len(finished) else frame["primary"]).dropna().unique().tolist()
    if len(names) > 1:
        raise RequestError(
            f"the runs have different primary metrics, {clean(', '.join(names))}; choose one, as with --metric "
            f"test_{clean(names[0])}"
        )
    return str(names[0]) if names else Classification.default_metrics[0]


class _Recorded(dict[str, Mapping[str, Any]]):
    """`metric_info` of the runs by folder. `rows.read_row` gives runs with the same one the same object.

    pandas copies attrs with every column that is taken. This is never changed, so that the copy may be itself.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> _Recorded:
        return self


def _available(infos: Iterable[Mapping[str, Any]]) -> dict[str, Quantity]:
    """The quantities of these runs; where none has recorded a metric, those of the default metrics."""
    different = {id(info): info for info in infos}
    default = {name: metrics.get(name).info() for name in (*Classification.default_metrics, "loss")}
    return quantities(different.values() or [default])


def _metrics_in_order(available: Mapping[str, Quantity]) -> list[Quantity]:
    """The quantities of metrics: part by part, of each part the loss first."""
    parts = list(metrics.PARTS)
    of_metrics = [quantity for quantity in available.values() if quantity.part is not None]
    return sorted(of_metrics, key=lambda quantity: (parts.index(str(quantity.part)), quantity.metric != "loss"))


def configuration(frame: pd.DataFrame) -> list[str]:
    """The columns that hold the configuration, the seed aside."""
    return [name for name in map(str, frame.columns) if is_configuration(name)]


def varying(frame: pd.DataFrame) -> list[str]:
    """Those of them in which the runs of the frame differ; a run that lacks a value differs from one that has it."""
    frame = without_attrs(frame)
    return [name for name in configuration(frame) if _differs(frame[name])]


def _differs(column: pd.Series) -> bool:
    if column.nunique(dropna=False) > 1:
        return True
    return (
        column.dtype == object and len({isinstance(one, bool) for one in column if isinstance(one, (int, float))}) > 1
    )


def column(frame: pd.DataFrame, name: str) -> str:
    """The column of a frame that a person means; see `find_column`."""
    return find_column([str(label) for label in frame.columns], name)


def without_attrs(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame without its attrs, which pandas would copy with each column that is taken."""
    bare = frame.copy(deep=False)
    bare.attrs = {}
    return bare


def plain_values(column: pd.Series) -> list[Any]:
    """The values of a column as Python's own, the missing as None."""
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def without_folder(error: FitbenchError | str, folder: str) -> str:
    """The message about a file of a folder, without the folder, which is named beside it."""
    return str(error).removeprefix(f"{Path(folder)}{os.sep}")


def say_left_out(left_out: Sequence[tuple[str, str]]) -> None:
    """Name on stderr what could not be read, and why."""
    _say("left out", left_out)


def say_unread(frame: pd.DataFrame) -> None:
    """Name on stderr what is left out of a frame from `load_runs`, and the runs whose notes are."""
    say_left_out(frame.attrs["left_out"])
    _say("left out the notes of", frame.attrs[UNREAD_NOTES])


def _say(what: str, folders: Sequence[tuple[str, str]]) -> None:
    for folder, why in folders[:NAMED]:
        write_note(f"{what} {clean(folder)}: {clean(why)}")
    if len(folders) > NAMED:
        write_note(f"{what} {len(folders) - NAMED:,} more")


def _checked(paths: Sequence[str | Path]) -> list[str]:
    """The paths as text; each is a folder."""
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name with a null character
            advice = "give an outputs folder, a study or a run folder"
            raise RequestError(f"{path} is no folder; {advice}" if os.path.lexists(path) else absent(path, advice))
    return [os.fspath(Path(path)) for path in paths]


# -- from rows to columns ---------------------------------------------------------------------------------------------


def _columns(rows: Sequence[Row], available: Mapping[str, Quantity]) -> list[str]:
    """Every column of the rows, in the order of `load_runs`."""
    layouts = dict.fromkeys(map(tuple, rows))  # the runs of a sweep share theirs
    names = dict.fromkeys(name for layout in layouts for name in layout)
    versions = [name for name in names if name.startswith("versions.")]
    config = [name for name in names if is_configuration(name)]
    rank = {name: i for i, name in enumerate(SECTIONS)}
    config.sort(key=lambda name: rank.get(name.partition(".")[0], len(rank)))
    hidden = {name for name in config if name.endswith("._target_") and not _tells(name, rows)}
    if len({row[CONFIGURED_TASK] for row in rows}) == 1:
        hidden.add(CONFIGURED_TASK)
    return [
        *IDENTITY,
        *(name for name in config if name not in hidden),
        *(name for name in names if name == STARTED),
        *TASK,
        *(quantity.column for quantity in _metrics_in_order(available)),
        *FIXED,
        *DATASET,
        *CHECKSUMS,
        NAMES,
        *ORIGIN,
        *versions,
        *LAST,
    ]


def _tells(target: str, rows: Sequence[Row]) -> bool:
    """Whether this `_target_` differs between runs whose section has the same name. A missing name counts as one."""
    name = target.replace("._target_", ".name")
    pairs = {(row.get(name), row[target]) for row in rows if target in row}
    names = {section_name for section_name, _ in pairs}
    return None in names or len(names) < len(pairs)


def _frame(rows: Sequence[Row], names: Sequence[str], numbers: Collection[str]) -> pd.DataFrame:
    """The rows under these columns. Those in `numbers` are of numbers even without any value."""
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if name == "finished_at":
            columns[name] = pd.DatetimeIndex(np.array(values, dtype="datetime64[us]"), tz="UTC")
        elif name != "folder" and str in set(map(type, values)):  # a folder's name must still open the folder
            columns[name] = [encodable(value) if isinstance(value, str) else value for value in values]
        else:
            columns[name] = values
    dtypes = {**_DTYPES, **dict.fromkeys(numbers, "float64")}
    with pd.option_context("mode.string_storage", "python"):  # the other storage needs Arrow
        frame = pd.DataFrame(columns)
        return frame.astype({name: dtypes[name] for name in names if name in dtypes and frame[name].isna().all()})


_DTYPES = {  # of columns without any value
    **dict.fromkeys(
        (*IDENTITY, *TASK, "dataset.sha256", *CHECKSUMS, NAMES, "device", "git.commit", "error", *NOTED), "str"
    ),
    **dict.fromkeys(("seed", "epoch"), "int64"),
}
