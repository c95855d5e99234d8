"""Makes a data set of the rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fitbench.config import TableFile
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.problems import Problems
from fitbench.data.split import drawn_note, shuffled_rows, test_rows
from fitbench.data.table_columns import (
    FEWEST_ROWS,
    Unseen,
    alike,
    check_present,
    described,
    encoded,
    in_words,
    kind_of,
    missing_in,
    numbers_of,
    override,
    row_of,
    texts_of,
)
from fitbench.data.targets import Targets, decided
from fitbench.errors import DataError, RequestError
from fitbench.kinds import KINDS, TABLE
from fitbench.record.dataset import Column
from fitbench.tasks import task_of
from fitbench.text import clean, counted, first_of, hint

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
        columns: what all rows of the file say about the features.
    """

    frame: pd.DataFrame
    targets: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    where: str
    columns: Sequence[Column]

    @property
    def rows(self) -> np.ndarray:
        """The rows of the file, int64 [N], counted from 1 as `row_of` does."""
        return self.frame.index.to_numpy(np.int64) + 1

    def take(self, rows: np.ndarray) -> _Part:
        """Some of the rows, in this order."""
        return replace(
            self,
            frame=self.frame.iloc[rows],
            targets=self.targets[rows],
            weights=self.weights[rows],
            groups=self.groups[rows],
        )


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
    task, parts = _parts(settings, frames, where, features, task, classes)
    targets = _decided(parts, settings, task, classes)
    train, categorical, may_miss = parts["train"], settings.categorical or (), settings.missing is not None
    columns = tuple(described(train.frame[name], name in categorical, may_miss, train.where) for name in features)
    groups = np.unique(train.groups, return_inverse=True)[1] if settings.group else None
    inputs = {part: encoded(of.frame, columns, of.where, may_miss) for part, of in parts.items()}
    made = assembled(
        settings.name,
        inputs,
        targets.arrays,
        targets.names,
        train.where,
        weights={part: of.weights for part, of in parts.items()} if settings.weight else None,
        groups=groups,
    )
    counts = {part: len(of.frame) for part, of in parts.items()}
    is_drawn = "test" in parts and "test" not in frames
    drawn = drawn_note(**counts, noun=KINDS[TABLE].noun, seed=settings.split_seed) if is_drawn else ""
    unseen = Unseen(columns)
    if "test" in inputs:
        unseen.add(inputs["test"])
    in_test = f"test part: {unseen}" if str(unseen) else ""
    notes = (*filter(None, [drawn, in_test]), *_notes(frames, columns, settings), *targets.notes)
    rows_test = parts["test"].rows if "test" in parts else None
    made = replace(made, is_shuffled=True, rows_train=train.rows, rows_test=rows_test)
    return replace(made, task=targets.task, kind=TABLE, columns=columns, notes=notes)


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


def _parts(
    settings: TableFile,
    frames: Mapping[str, pd.DataFrame],
    where: Mapping[str, str],
    features: Sequence[str],
    task: str,
    classes: Sequence[str] | None,
) -> tuple[str, dict[str, _Part]]:
    """The task, and the training and the test part. The arguments are those of `dataset_of`."""
    if "test" not in frames:
        decide = partial(_decided, settings=settings, task=task, classes=classes)
        whole = _part(frames["train"], features, settings, where["train"], check=lambda part: decide({"train": part}))
        return _divided(whole, settings, task, classes)
    train = _part(frames["train"], features, settings, where["train"])
    test = _part(frames["test"], features, settings, where["test"], of_train=train)
    _check_groups_apart(train, test, settings.group)
    return task, {"train": train, "test": test}


def _part(
    frame: pd.DataFrame,
    features: Sequence[str],
    settings: TableFile,
    where: str,
    of_train: _Part | None = None,
    check: Callable[[_Part], object] = lambda part: None,
) -> _Part:
    """The rows of a file, after checks that do not depend on which part they go to. One message has all problems.

    Args:
        frame, features, settings, where: of the file.
        of_train: the training part, for the file of the test part.
        check: a further check of the rows.
    """
    names, categorical = _target_names(settings), settings.categorical or ()
    check_present(frame, [*features, *names, *_others(settings)], where)
    problems, columns, made = Problems(where), list[Column](), None
    for name in features:
        with problems.collected(name):
            if of_train is None:
                columns.append(described(frame[name], name in categorical, settings.missing is not None, where))
            else:
                columns.append(_known(frame[name], of_train, name in categorical, where))
    if settings.missing is None:
        with problems.collected():
            _check_complete(frame, columns, where)
    with problems.collected():
        targets = _raw_targets(frame, names, categorical, where)
        weights = np.ones(len(frame), np.float32)
        if settings.weight is not None:
            weights = weights_of(frame, settings.weight, where)
        groups = _groups(frame, settings.group, where)
        made = _Part(frame, targets, weights, groups, where, columns)
        check(made)
    problems.refuse(_advice(problems.features, settings))
    assert made is not None
    return made


def _known(values: pd.Series, of_train: _Part, is_category: bool, where: str) -> Column:
    """What the training part says about a feature of the test part, after a check of the values of the latter."""
    [column] = [column for column in of_train.columns if column.name == values.name]
    if not is_category:
        kind_of(values, where)
    if column.kind == "number":
        numbers_of(values, where)
    return column


def _advice(features: Sequence[str], settings: TableFile) -> str:
    """How features with problems are left out together with those that are left out already."""
    left_out = [*(settings.drop or ()), *features]
    if not features or len(left_out) < 2 or settings.features:
        return ""
    return f"To leave out all such columns: {override('data.drop', *left_out)}"


def _raw_targets(frame: pd.DataFrame, names: Sequence[str], categorical: Sequence[str], where: str) -> np.ndarray:
    """The targets as `targets.decided` takes them: [N] of one column, [N, columns] of several."""
    arrays = []
    for name in names:
        column = frame[name]
        is_class = name in categorical or kind_of(column, where, is_target=True) == "category"
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
        raise RequestError(
            "data.test_fraction and data.test_path are null; set one of them (data.test_fraction=0: no test part, for "
            "training.validation=kfold)"
        )
    targets = _decided({"train": whole}, settings, task, classes)
    if settings.test_fraction == 0:
        return targets.task, {"train": whole.take(shuffled_rows(len(whole.frame), settings.split_seed))}
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


def _check_complete(frame: pd.DataFrame, columns: Sequence[Column], where: str) -> None:
    """Refuse missing values."""
    counts = {column.name: int(missing_in(frame[column.name], column.kind).sum()) for column in columns}
    if incomplete := {name: count for name, count in counts.items() if count}:
        raise DataError(
            f"{where}: {in_words(incomplete, len(frame))}. Set data.missing=mean, or leave these columns out with "
            "data.drop"
        )


def _notes(frames: Mapping[str, pd.DataFrame], columns: Sequence[Column], settings: TableFile) -> Iterator[str]:
    """What was done with the features, and what is unusual about them, a line each."""
    yield from dict.fromkeys(note for frame in frames.values() for note in frame.attrs.get("notes", ()))
    categories = [f"{clean(column.name)} ({len(column.vocabulary)})" for column in columns if column.vocabulary]
    if categories:
        yield f"categories, with the number of different ones in the training part: {first_of(categories)}"
    incomplete = [clean(column.name) for column in columns if column.missing]
    if incomplete:
        yield f"missing numbers become the mean of the training part, beside an indicator: {first_of(incomplete)}"
    pairs = {column.name: alike(column.vocabulary) for column in columns if column.vocabulary}
    if similar := [f"{clean(name)} ({pair[0]!r} and {pair[1]!r})" for name, pair in pairs.items() if pair]:
        yield f"categories that differ only in case or spaces are different ones: {first_of(similar)}"
    numbers = [column.name for column in columns if column.kind == "number"]
    codes = frames["train"].attrs.get("codes", {})
    if with_zeros := [name for name in numbers if name in codes]:
        yield (
            f"numbers with leading zeros, such as {codes[with_zeros[0]]}, are read as numbers: {first_of(with_zeros)}; "
            f"if they are codes, set {override('data.categorical', *(settings.categorical or ()), *with_zeros)}"
        )
    for name in numbers:
        values = frames["train"][name]
        if values.dtype.kind in "iu" and len(values) > FEWEST_ROWS and (np.diff(np.sort(values)) == 1).all():
            yield f"the column {clean(name)!r} numbers the rows; if it means nothing else, leave it out with data.drop"
