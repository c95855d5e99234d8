"""Makes a data set of the rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fitbench.config import TableFile
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.split import test_rows
from fitbench.data.table_columns import (
    FEWEST_ROWS,
    check_present,
    described,
    encoded,
    in_words,
    kind_of,
    missing_in,
    numbers_of,
    row_of,
    texts_of,
)
from fitbench.data.targets import Targets, decided
from fitbench.errors import DataError, RequestError
from fitbench.metrics import hint
from fitbench.record.dataset import Column
from fitbench.tasks import task_of
from fitbench.text import clean, counted, first_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of a table: a part of the data set, or all rows that are to be divided.

    Attributes:
        frame: the rows; the index says where they are in the file.
        targets: as `targets.decided` takes them.
        weights: float32 [N].
        groups: the names of the groups, objects of str [N].
        where: the file.
    """

    frame: pd.DataFrame
    targets: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    where: str

    @property
    def rows(self) -> np.ndarray:
        """The rows of the file, int64 [N], counted from 1 as `row_of` does."""
        return self.frame.index.to_numpy(np.int64) + 1

    def take(self, rows: np.ndarray) -> _Part:
        """Some of the rows, in this order."""
        frame = self.frame.iloc[rows]
        return _Part(frame, self.targets[rows], self.weights[rows], self.groups[rows], self.where)


def dataset_of(
    settings: TableFile,
    frames: Mapping[str, pd.DataFrame],
    where: Mapping[str, str],
    task: str,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Make a data set of the rows of tables.

    What the columns say (means, deviations, vocabularies, which of them miss values) is of the training part alone,
    before a validation part is held back of it.

    Args:
        settings: which columns are what, and how the test part is drawn.
        frames: 'train', and 'test' if the test part has a table of its own, as `table_file.read_table` gives them.
        where: the file of each frame, which messages name.
        task: that of the configuration.
        classes: the names of classes that are numbers in the table.

    Raises:
        RequestError: a key of `settings` names a column that does not exist, or has another use.
        DataError: the values cannot be used; the message names the file, the column and the row.
    """
    features = _features(settings, list(frames["train"].columns), where["train"])
    parts = {part: _part(frame, features, settings, where[part]) for part, frame in frames.items()}
    if "test" in parts:
        _check_groups_apart(parts["train"], parts["test"], settings.group)
    else:
        task, parts = _divided(parts["train"], settings, task, classes)
    targets = _decided(parts, settings, task, classes)
    train, categorical, may_miss = parts["train"], settings.categorical or (), settings.missing is not None
    columns = tuple(described(train.frame[name], name in categorical, may_miss, train.where) for name in features)
    if not may_miss:
        _check_complete(parts.values(), columns)
    groups = np.unique(train.groups, return_inverse=True)[1] if settings.group else None
    made = assembled(
        settings.name,
        {part: encoded(of.frame, columns, of.where, may_miss) for part, of in parts.items()},
        targets.arrays,
        targets.names,
        train.where,
        weights={part: of.weights for part, of in parts.items()} if settings.weight else None,
        groups=groups,
    )
    notes = (*_notes(frames, columns), *targets.notes)
    rows = parts["test"].rows
    return replace(made, task=targets.task, columns=columns, rows_test=rows, notes=notes)


# -- which column is what ---------------------------------------------------------------------------------------------


def _target_names(settings: TableFile) -> list[str]:
    return [settings.target] if isinstance(settings.target, str) else list(settings.target)


def _others(settings: TableFile) -> list[str]:
    """The columns of weights and groups."""
    return [name for name in (settings.weight, settings.group) if name is not None]


def _features(settings: TableFile, present: Sequence[str], where: str) -> list[str]:
    """The columns that the model takes, after a check of every key that names columns."""
    keys = {
        "target": _target_names(settings),
        "weight": [settings.weight] if settings.weight is not None else [],
        "group": [settings.group] if settings.group is not None else [],
        "drop": settings.drop or [],
        "features": settings.features or [],
        "categorical": settings.categorical or [],
    }
    for key, names in keys.items():
        for name in names:
            if name not in present:
                raise RequestError(
                    f"data.{key}: {where} has no column {clean(name)!r}; {hint(name, map(clean, present))}"
                )
        if repeated := [name for name in names if names.count(name) > 1]:
            raise RequestError(f"data.{key} names {clean(repeated[0])!r} twice; name it once")
    exclusive = ("target", "weight", "drop", "features")  # a column of groups may also be a feature
    for i, key in enumerate(exclusive):
        for other in (*exclusive[i + 1 :], *(["group"] if key in ("target", "drop") else [])):
            if both := [name for name in keys[key] if name in keys[other]]:
                raise RequestError(f"data.{key} and data.{other} both name {clean(both[0])!r}; remove one of them")
    used = {name for key in ("target", "weight", "group", "drop") for name in keys[key]}
    features = settings.features or [name for name in present if name not in used]
    if not features:
        raise RequestError(f"{where}: no column is left for the model to take; {hint('', map(clean, present))}")
    if unused := [name for name in keys["categorical"] if name not in (*features, *keys["target"])]:
        raise RequestError(f"data.categorical names {clean(unused[0])!r}, which is no feature and no target; remove it")
    return features


# -- targets, weights, groups and the test part ------------------------------------------------------------------------


def _part(frame: pd.DataFrame, features: Sequence[str], settings: TableFile, where: str) -> _Part:
    """The rows of a file, after checks that do not depend on which part they go to."""
    names, categorical = _target_names(settings), settings.categorical or ()
    check_present(frame, [*features, *names, *_others(settings)], where)
    for name in features:
        if name not in categorical:
            kind_of(frame[name], where)
    return _Part(
        frame,
        _raw_targets(frame, names, categorical, where),
        np.ones(len(frame), np.float32) if settings.weight is None else weights_of(frame, settings.weight, where),
        _groups(frame, settings.group, where),
        where,
    )


def _raw_targets(frame: pd.DataFrame, names: Sequence[str], categorical: Sequence[str], where: str) -> np.ndarray:
    """The targets as `targets.decided` takes them: [N] of one column, [N, columns] of several."""
    arrays = []
    for name in names:
        column = frame[name]
        is_class = name in categorical or kind_of(column, where) == "category"
        values = texts_of(column) if is_class and column.dtype != bool else _own(column, where)
        _refuse(
            column,
            (values == "") if values.dtype == object else np.isnan(values),
            where,
            f"the target {clean(name)!r} is missing",
            ". Leave these rows out",
        )
        arrays.append(values)
    if len(arrays) == 1:
        return arrays[0]
    if any(array.dtype == object for array in arrays):
        arrays = [array.astype(object) for array in arrays]
    return np.column_stack(arrays)


def _own(column: pd.Series, where: str) -> np.ndarray:
    """The values of a column in their own type; texts that are numbers as float64."""
    return column.to_numpy() if column.dtype.kind in "biu" else numbers_of(column, where)


def weights_of(frame: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """The weight of each row, float32 [N], in a column of a table.

    Raises:
        DataError: a weight is missing, negative or no number; the message names the first such row.
    """
    column = frame[name]
    values = numbers_of(column, where)
    for is_wrong, problem in ((np.isnan(values), "missing"), (values < 0, "negative")):
        _refuse(column, is_wrong, where, f"the weight {clean(name)!r} is {problem}", "; expected numbers from 0")
    return values.astype(np.float32)


def _groups(frame: pd.DataFrame, name: str | None, where: str) -> np.ndarray:
    """The name of the group of each row, objects of str [N]; '' without a column of groups."""
    if name is None:
        return np.full(len(frame), "", object)
    groups = texts_of(frame[name])
    _refuse(frame[name], groups == "", where, f"the group {clean(name)!r} is missing", ". Fill it in")
    return groups


def _refuse(column: pd.Series, is_wrong: np.ndarray, where: str, problem: str, advice: str) -> None:
    """Refuse a column with such rows, bool [N]; the message counts them and names the first."""
    if is_wrong.any():
        rows = f"{counted(int(is_wrong.sum()), 'row')}, such as row {row_of(column, int(is_wrong.argmax()))}"
        raise DataError(f"{where}: {problem} in {rows}{advice}")


def _check_groups_apart(train: _Part, test: _Part, name: str | None) -> None:
    """Refuse a group that is in the files of both parts."""
    shared = sorted(set(train.groups) & set(test.groups)) if name is not None else []
    if shared:
        raise DataError(
            f"{test.where}: holds {counted(len(shared), 'group')} of {clean(name)!r}, such as {clean(shared[0])!r}, "
            f"that {train.where} holds too; put all rows of a group into one of the files"
        )


def _divided(
    whole: _Part, settings: TableFile, task: str, classes: Sequence[str] | None
) -> tuple[str, dict[str, _Part]]:
    """The task, which the targets of all rows decide, and the training and the test part."""
    if settings.test_fraction is None:
        raise RequestError("data.test_fraction and data.test_path are null; set one of them")
    targets = _decided({"train": whole}, settings, task, classes)
    train, test = test_rows(
        np.array(targets.names)[targets.arrays["train"]] if task_of(targets.task).has_classes else None,
        whole.groups if settings.group else None,
        len(whole.frame),
        settings.test_fraction,
        settings.split_seed,
        whole.where,
    )
    return targets.task, {"train": whole.take(train), "test": whole.take(test)}


def _decided(parts: Mapping[str, _Part], settings: TableFile, task: str, classes: Sequence[str] | None) -> Targets:
    names = _target_names(settings)
    subject = f"the target {first_of(map(repr, map(clean, names)))}"
    where = {part: f"{of.where}: {subject}" for part, of in parts.items()}
    rows = {part: of.rows for part, of in parts.items()}
    return decided(task, {part: of.targets for part, of in parts.items()}, names, where, classes=classes, rows=rows)


# -- features ---------------------------------------------------------------------------------------------------------


def _check_complete(parts: Iterable[_Part], columns: Sequence[Column]) -> None:
    """Refuse missing values. Parts that come from one file are counted together."""
    of_files: dict[str, list[pd.DataFrame]] = {}
    for part in parts:
        of_files.setdefault(part.where, []).append(part.frame)
    for where, frames in of_files.items():
        counts = {
            column.name: sum(int(missing_in(frame[column.name], column.kind).sum()) for frame in frames)
            for column in columns
        }
        if incomplete := {name: count for name, count in counts.items() if count}:
            raise DataError(
                f"{where}: {in_words(incomplete, sum(map(len, frames)))}. Set data.missing=mean, or leave these "
                "columns out with data.drop"
            )


def _notes(frames: Mapping[str, pd.DataFrame], columns: Sequence[Column]) -> Iterator[str]:
    """What was done with the features, and what is unusual about them, a line each."""
    yield from dict.fromkeys(note for frame in frames.values() for note in frame.attrs.get("notes", ()))
    categories = [f"{clean(column.name)} ({len(column.vocabulary)})" for column in columns if column.vocabulary]
    if categories:
        yield f"categories, with the number of different ones in the training part: {first_of(categories)}"
    incomplete = [clean(column.name) for column in columns if column.missing]
    if incomplete:
        yield f"missing numbers become the mean of the training part, beside an indicator: {first_of(incomplete)}"
    for name in (column.name for column in columns if column.kind == "number"):
        values = frames["train"][name]
        if values.dtype.kind in "iu" and len(values) > FEWEST_ROWS and (np.diff(np.sort(values)) == 1).all():
            yield f"the column {clean(name)!r} numbers the rows; if it means nothing else, leave it out with data.drop"
