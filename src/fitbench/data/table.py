"""Makes a data set of the rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from fitbench.config import TableFile
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.split import test_rows
from fitbench.data.targets import Targets, decided
from fitbench.errors import DataError, RequestError
from fitbench.metrics import CLASSIFICATION, hint
from fitbench.record.dataset import Column
from fitbench.text import clean, counted

if TYPE_CHECKING:
    import pandas as pd

# What stands for a missing number, besides an empty cell. In a column of texts these are categories as written.
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
MOST_DISTINCT, FEWEST_ROWS = 0.9, 20  # a text that differs in more rows than this fraction is an identifier

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,300}")
_LIKE_A_NUMBER = re.compile(r"[-+$€£¥(]*\d[\d.,' \u00a0]*([eE][+-]?\d+)?\s*[%$€£¥)]*")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d\d)|\d{1,2}:\d\d(:\d\d)?"
    rf"|\d{{1,2}}\.?[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}})([T ,].*)?",
    re.IGNORECASE,
)


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
    _check_groups_apart(parts, settings.group)
    if "test" not in parts:
        task, train, test = _drawn(parts["train"], settings, task, classes)
        parts = {"train": parts["train"].take(train), "test": parts["train"].take(test)}
    targets = _decided(parts, settings, task, classes)
    columns = tuple(_described(parts["train"], features, settings))
    if settings.missing is None:
        _check_complete(parts.values(), columns)
    made = assembled(
        settings.name,
        {part: encoded(of.frame, columns, of.where) for part, of in parts.items()},
        targets.arrays,
        targets.names,
        where["train"],
        weights={part: of.weights for part, of in parts.items()} if settings.weight else None,
    )
    groups = np.unique(parts["train"].groups, return_inverse=True)[1] if settings.group else None
    read = [note for frame in frames.values() for note in frame.attrs.get("notes", ())]
    notes = tuple(dict.fromkeys([*read, *targets.notes]))
    return replace(made, task=targets.task, columns=columns, groups=groups, notes=notes)


def encoded(frame: pd.DataFrame, columns: Sequence[Column], where: str) -> np.ndarray:
    """The values of some columns of a table as a model takes them, float32 [N, columns].

    The columns are found by name, and others are ignored. A number is itself, and NaN if it is missing. A category is
    its position in the vocabulary, counted from 1, and 0 if it is not there.

    Args:
        frame: as `table_file.read_table` gives it.
        columns: the columns, in the order of the input.
        where: the file, which messages name.

    Raises:
        DataError: a column is not there, a value is no finite number, or a number is missing in a column that had all
            numbers in the training part.
    """
    _check_present(frame, [column.name for column in columns], where)
    array = np.empty((len(frame), len(columns)), np.float32)
    incomplete = {}
    for i, column in enumerate(columns):
        if column.kind == "category":
            array[:, i] = _codes(frame[column.name], column.vocabulary or [])
            continue
        values = _numbers(frame[column.name], where)
        missing = int(np.isnan(values).sum())
        if missing and not column.missing:
            incomplete[column.name] = missing
        array[:, i] = values
    if incomplete:
        raise DataError(
            f"{where}: {_counts(incomplete, len(frame))}; the training part has every number of "
            f"{'this column' if len(incomplete) == 1 else 'these columns'}, so nothing stands for a missing one. Fill "
            "them in, or leave these rows out"
        )
    return array


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
                raise RequestError(f"data.{key}: {where} has no column {clean(name)!r}; {hint(name, present)}")
        if repeated := [name for name in names if names.count(name) > 1]:
            raise RequestError(f"data.{key} names {clean(repeated[0])!r} twice")
    exclusive = ("target", "weight", "drop", "features")  # a column of groups may also be a feature
    for i, key in enumerate(exclusive):
        for other in (*exclusive[i + 1 :], *(["group"] if key in ("target", "drop") else [])):
            if both := [name for name in keys[key] if name in keys[other]]:
                raise RequestError(f"data.{key} and data.{other} both name {clean(both[0])!r}; remove one of them")
    used = {name for key in ("target", "weight", "group", "drop") for name in keys[key]}
    features = settings.features or [name for name in present if name not in used]
    if not features:
        raise RequestError(f"{where}: no column is left for the model to take; {hint('', present)}")
    if unused := [name for name in keys["categorical"] if name not in (*features, *keys["target"])]:
        raise RequestError(f"data.categorical names {clean(unused[0])!r}, which is no feature and no target")
    return features


def _check_present(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    if absent := [name for name in names if name not in frame.columns]:
        listed = ", ".join(repr(clean(name)) for name in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        raise DataError(f"{where}: has no column {listed}{more}; {hint(absent[0], map(str, frame.columns))}")


# -- targets, weights, groups and the test part ------------------------------------------------------------------------


def _part(frame: pd.DataFrame, features: Sequence[str], settings: TableFile, where: str) -> _Part:
    names = _target_names(settings)
    _check_present(frame, [*features, *names, *_others(settings)], where)
    return _Part(
        frame,
        _raw_targets(frame, names, settings.categorical or (), where),
        _weights(frame, settings.weight, where),
        _groups(frame, settings.group, where),
        where,
    )


def _raw_targets(frame: pd.DataFrame, names: Sequence[str], categorical: Sequence[str], where: str) -> np.ndarray:
    """The targets as `targets.decided` takes them: [N] of one column, [N, columns] of several."""
    arrays = []
    for name in names:
        column = frame[name]
        is_class = name in categorical or _kind(column, where) == "category"
        values = _texts(column) if is_class and column.dtype != bool else _own(column, where)
        missing = np.flatnonzero((values == "") if values.dtype == object else np.isnan(values))
        if len(missing):
            raise DataError(
                f"{where}: the target {clean(name)!r} is missing in {counted(len(missing), 'row')}, such as row "
                f"{_row(column, missing[0])}. Leave these rows out"
            )
        arrays.append(values)
    if len(arrays) == 1:
        return arrays[0]
    if any(array.dtype == object for array in arrays):
        arrays = [array.astype(object) for array in arrays]
    return np.column_stack(arrays)


def _own(column: pd.Series, where: str) -> np.ndarray:
    """The values of a column in their own type; texts that are numbers as float64."""
    return column.to_numpy() if column.dtype.kind in "biu" else _numbers(column, where)


def _weights(frame: pd.DataFrame, name: str | None, where: str) -> np.ndarray:
    """The weight of each row, float32 [N]; 1 without a column of weights."""
    if name is None:
        return np.ones(len(frame), np.float32)
    column = frame[name]
    values = _numbers(column, where)
    for is_wrong, what in ((np.isnan(values), "missing"), (values < 0, "negative")):
        if is_wrong.any():
            row = _row(column, int(is_wrong.argmax()))
            raise DataError(
                f"{where}: the weight {clean(name)!r} is {what} in {counted(int(is_wrong.sum()), 'row')}, such as row "
                f"{row}; expected numbers from 0"
            )
    if not values.any():
        raise DataError(f"{where}: every weight in {clean(name)!r} is 0; expected some above 0")
    return values.astype(np.float32)


def _groups(frame: pd.DataFrame, name: str | None, where: str) -> np.ndarray:
    """The name of the group of each row, objects of str [N]; '' without a column of groups."""
    if name is None:
        return np.full(len(frame), "", object)
    groups = _texts(frame[name])
    missing = np.flatnonzero(groups == "")
    if len(missing):
        raise DataError(
            f"{where}: the group {clean(name)!r} is missing in {counted(len(missing), 'row')}, such as row "
            f"{_row(frame[name], missing[0])}. Fill it in"
        )
    return groups


def _check_groups_apart(parts: Mapping[str, _Part], name: str | None) -> None:
    """Refuse a group that is in the files of both parts."""
    if name is None or "test" not in parts:
        return
    train, test = parts["train"], parts["test"]
    if shared := sorted(set(train.groups) & set(test.groups)):
        raise DataError(
            f"{test.where}: {counted(len(shared), 'group')} of {clean(name)!r}, such as {clean(shared[0])!r}, also in "
            f"{train.where}; the rows of a group must be in one part"
        )


def _drawn(
    whole: _Part, settings: TableFile, task: str, classes: Sequence[str] | None
) -> tuple[str, np.ndarray, np.ndarray]:
    """The task, which the targets of all rows decide, and the rows of the training and of the test part."""
    if settings.test_fraction is None:
        raise RequestError("data.test_fraction and data.test_path are null; set one of them")
    targets = _decided({"train": whole}, settings, task, classes)
    has_classes = targets.task == CLASSIFICATION
    train, test = test_rows(
        np.array(targets.names)[targets.arrays["train"]] if has_classes else None,
        whole.groups if settings.group else None,
        len(whole.frame),
        settings.test_fraction,
        settings.split_seed,
        whole.where,
    )
    return targets.task, train, test


def _decided(parts: Mapping[str, _Part], settings: TableFile, task: str, classes: Sequence[str] | None) -> Targets:
    names = _target_names(settings)
    listed = ", ".join(repr(clean(name)) for name in names[:5])
    where = {part: f"{of.where}: the target {listed}" for part, of in parts.items()}
    return decided(task, {part: of.targets for part, of in parts.items()}, names, where, classes=classes)


# -- columns ----------------------------------------------------------------------------------------------------------


def _described(train: _Part, features: Sequence[str], settings: TableFile) -> Iterator[Column]:
    """What the training part says about each feature."""
    where = train.where
    for name in features:
        column = train.frame[name]
        if _is_missing(column).all():
            raise DataError(
                f"{where}: the column {clean(name)!r} has no value in the training part; leave it out with "
                f"data.drop=[{clean(name)}]"
            )
        is_named = name in (settings.categorical or ())
        if is_named or _kind(column, where) == "category":
            vocabulary = sorted(set(_texts(column)))
            if not is_named:
                _check_categories(column, len(vocabulary), where)
            yield Column(name=name, kind="category", vocabulary=vocabulary)
            continue
        values = _numbers(column, where)
        missing = np.isnan(values)
        values = values[~missing]
        may_miss = bool(missing.any()) and settings.missing is not None
        yield Column(
            name=name, kind="number", mean=float(values.mean()), deviation=float(values.std()), missing=may_miss
        )


def _kind(column: pd.Series, where: str) -> str:
    """Whether a column holds numbers or categories. Texts are categories if most of them are neither numbers nor dates.

    Raises:
        DataError: most of the texts are numbers or dates.
    """
    if column.dtype.kind in "iuf":
        return "number"
    if column.dtype == bool:
        return "category"
    counts = {text: count for text, count in _counted(column).items() if text not in MISSING}
    half = sum(counts.values()) / 2
    numbers, dates, similar = (
        {text for text in counts if pattern.fullmatch(text)} for pattern in (_NUMBER, _DATE, _LIKE_A_NUMBER)
    )
    if len(numbers) == len(counts):
        return "number"
    name = clean(column.name)
    if sum(counts[text] for text in dates) > half:
        raise DataError(
            f"{where}: the column {name!r} holds dates or times, such as {clean(min(dates))!r}; leave it out with "
            f"data.drop=[{name}], or write numbers, such as days, into the file"
        )
    if sum(counts[text] for text in numbers) > half:
        _refuse_text(column, [text for text in counts if text not in numbers], where)
    if sum(counts[text] for text in similar) > half:
        raise DataError(
            f"{where}: the column {name!r} holds numbers in a form that is not read, such as "
            f"{clean(min(similar - numbers))!r}; write them with digits and a decimal point, or name the column in "
            "data.categorical if they are names"
        )
    return "category"


def _check_categories(column: pd.Series, count: int, where: str) -> None:
    """Refuse texts that identify rows."""
    if len(column) >= FEWEST_ROWS and count > MOST_DISTINCT * len(column):
        name = clean(column.name)
        raise DataError(
            f"{where}: the column {name!r} has {count:,} different texts in {len(column):,} rows, such as "
            f"{clean(column.iloc[0])!r}, so it identifies rows; leave it out with data.drop=[{name}], or name it in "
            "data.categorical"
        )


def _check_complete(parts: Iterable[_Part], columns: Sequence[Column]) -> None:
    """Refuse missing values. Parts that come from one file are counted together."""
    of_files: dict[str, list[pd.DataFrame]] = {}
    for part in parts:
        of_files.setdefault(part.where, []).append(part.frame)
    for where, frames in of_files.items():
        counts = {
            column.name: sum(int(_is_missing(frame[column.name], column.kind).sum()) for frame in frames)
            for column in columns
        }
        if incomplete := {name: count for name, count in counts.items() if count}:
            raise DataError(
                f"{where}: {_counts(incomplete, sum(map(len, frames)))}. Set data.missing=mean, or leave these columns "
                "out with data.drop"
            )


def _counts(incomplete: Mapping[str, int], rows: int) -> str:
    """Such as "values are missing of 'age' in 3 of 500 rows, 'rooms' in 1"."""
    listed = ", ".join(f"{clean(name)!r} in {count:,}" for name, count in list(incomplete.items())[:8])
    more = f" and {len(incomplete) - 8} more columns" if len(incomplete) > 8 else ""
    return f"values are missing of {listed}{more} of {rows:,} rows"


# -- values -----------------------------------------------------------------------------------------------------------


def _counted(column: pd.Series) -> dict[str, int]:
    """How many rows have each text of a column."""
    counts = np.bincount(column.cat.codes, minlength=len(column.cat.categories))
    return {text: int(count) for text, count in zip(column.cat.categories, counts, strict=True) if count}


def _of_texts(column: pd.Series, values: Iterable[object], dtype: type) -> np.ndarray:
    """The value of each row, where `values` has one for each category of a column of texts."""
    return np.array([*values], dtype)[column.cat.codes]


def _is_missing(column: pd.Series, kind: str | None = None) -> np.ndarray:
    """Which values are missing, bool [N]. In a category, only an empty cell is."""
    if column.dtype != "category":
        return column.isna().to_numpy()
    missing = {""} if kind == "category" else MISSING
    return _of_texts(column, (text in missing for text in column.cat.categories), bool)


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    """A column of numbers as float64, NaN where one is missing.

    Raises:
        DataError: a value is a text, infinite, or too large for float32.
    """
    if column.dtype == bool:
        column = column.astype(str).astype("category")
    if column.dtype == "category":
        texts = column.cat.categories
        if wrong := [text for text in _counted(column) if text not in MISSING and not _NUMBER.fullmatch(text)]:
            _refuse_text(column, wrong, where)
        values = _of_texts(column, (float(text) if _NUMBER.fullmatch(text) else np.nan for text in texts), float)
    else:
        values = column.to_numpy(np.float64)
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        first = int(too_large.argmax())
        raise DataError(
            f"{where}: the column {clean(column.name)!r} holds {values[first]:g} in row {_row(column, first)}; "
            "expected finite numbers below 3.4e38"
        )
    return values


def _refuse_text(column: pd.Series, texts: Sequence[str], where: str) -> NoReturn:
    """Refuse a column of numbers for the first row that has one of these texts."""
    first, name = int(column.isin(texts).to_numpy().argmax()), clean(column.name)
    raise DataError(
        f"{where}: the column {name!r} holds the text {clean(column.iloc[first])!r} in row {_row(column, first)}, and "
        "numbers elsewhere; expected a number or an empty cell. If the numbers are names of categories, set "
        f"data.categorical=[{name}]"
    )


def _texts(column: pd.Series) -> np.ndarray:
    """A column as names of categories, objects of str [N]; '' where one is missing.

    A number has one name however it is written: '1', '01' and '1.0' are '1'. Booleans are 'false' and 'true'.
    """
    import pandas as pd

    if column.dtype == "category":
        return _of_texts(column, map(_name_of, column.cat.categories), object)
    codes, values = pd.factorize(column, use_na_sentinel=False)
    return np.array(["" if pd.isna(value) else _name_of(str(value)) for value in values], object)[codes]


def _name_of(text: str) -> str:
    if _WHOLE.fullmatch(text):
        return str(int(text))
    if _NUMBER.fullmatch(text) and np.isfinite(number := float(text)):
        return str(int(number)) if number.is_integer() else repr(number)
    return text.lower() if text.lower() in ("true", "false") else text


def _codes(column: pd.Series, vocabulary: Sequence[str]) -> np.ndarray:
    """The codes of categories, int [N]: 1 for the first of the vocabulary, and 0 for one that is not in it."""
    import pandas as pd

    codes, names = pd.factorize(_texts(column))
    code_of = {name: code for code, name in enumerate(vocabulary, start=1)}
    return np.array([code_of.get(name, 0) for name in names], np.int64)[codes]


def _row(column: pd.Series, position: int) -> str:
    """The row of the file, counted from 1 below the line of names."""
    return f"{int(column.index[position]) + 1:,}"
