"""The columns of a table: what they hold, and how a model takes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from fitbench.errors import DataError
from fitbench.record.dataset import Column
from fitbench.text import clean, counted, first_of, hint, in_digits

if TYPE_CHECKING:
    import pandas as pd

# What stands for a missing number, besides an empty cell. In a column of texts these are categories as written.
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
MOST_DISTINCT, FEWEST_ROWS = 0.9, 20  # a text that differs in more rows than this fraction is an identifier

LONGEST = 400  # characters of a number or date

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,300}")
_LIKE_A_NUMBER = re.compile(r"[-+$€£¥(]*\d[\d.,' \u00a0]*([eE][+-]?\d+)?\s*[%$€£¥)]*")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d\d)|\d{1,2}:\d\d(:\d\d)?"
    r"|\d+ days?"
    rf"|\d{{1,2}}\.?[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}})([T ,].*)?",
    re.IGNORECASE,
)


def encoded(frame: pd.DataFrame, columns: Sequence[Column], where: str, replace_missing: bool = False) -> np.ndarray:
    """The values of some columns of a table as a model takes them, float32 [N, columns].

    The columns are found by name, and others are ignored. A number is itself, and NaN if it is missing. A category is
    its position in the vocabulary, counted from 1, and 0 if it is not there.

    Args:
        frame: as `table_file.read_table` gives it.
        columns: the columns, in the order of the input.
        where: the file, which messages name.
        replace_missing: whether `data.missing` is `mean`. A number that is missing in a column that misses none in the
            training part, and so has no indicator, is then the mean.

    Raises:
        DataError: a column is not there, a value is no finite number, or such a number is missing and is not to be
            replaced.
    """
    check_present(frame, [column.name for column in columns], where)
    array = np.empty((len(frame), len(columns)), np.float32)
    incomplete = {}
    for i, column in enumerate(columns):
        if column.kind == "category":
            array[:, i] = _codes(frame[column.name], column.vocabulary or [])
            continue
        values = numbers_of(frame[column.name], where)
        missing = int(np.isnan(values).sum())
        if missing and not column.missing:
            incomplete[column.name] = missing
            values = np.nan_to_num(values, nan=column.mean or 0.0)
        array[:, i] = values
    if incomplete and not replace_missing:
        raise DataError(
            f"{where}: {in_words(incomplete, len(frame))}; the training part has every number of "
            f"{'this column' if len(incomplete) == 1 else 'these columns'}, so nothing stands for a missing one. Fill "
            "them in, or leave these rows out"
        )
    return array


def described(column: pd.Series, is_category: bool, may_miss: bool, where: str) -> Column:
    """What the training part says about a feature.

    Args:
        column: its values in the training part.
        is_category: whether the configuration names it as a category.
        may_miss: whether missing numbers are replaced.
        where: the file, which messages name.

    Raises:
        DataError: it has no value, a value that does not fit the others, dates, or another text in almost every row.
    """
    name = str(column.name)
    if missing_in(column).all():
        raise DataError(
            f"{where}: the column {clean(name)!r} has no value in the training part; leave it out with "
            f"{override('data.drop', name)}"
        )
    if not is_category and kind_of(column, where) == "number":
        return _number_column(column, may_miss, where)
    vocabulary = sorted(set(texts_of(column)))
    if not is_category:
        _check_categories(column, len(vocabulary), where)
    return Column(name=name, kind="category", vocabulary=vocabulary)


class Unseen:
    """Counts of categories that the training part does not have. As a string, it is one line, or empty."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._places = {place: column.name for place, column in enumerate(columns) if column.kind == "category"}
        self._counts = Counter[str]()

    def add(self, inputs: np.ndarray) -> None:
        """Count those of some rows, float32 [N, columns]."""
        for place, name in self._places.items():
            self._counts[name] += int((inputs[:, place] == 0).sum())

    def __str__(self) -> str:
        counts = [f"{clean(name)} in {counted(count, 'row')}" for name, count in self._counts.items() if count]
        return f"categories with values that training has not seen: {', '.join(counts)}" if counts else ""


def check_present(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    """Refuse a table without these columns.

    Raises:
        DataError: the message names those that are not there.
    """
    if absent := [name for name in names if name not in frame.columns]:
        raise DataError(
            f"{where}: has no column {first_of(map(repr, map(clean, absent)))}; "
            f"{hint(absent[0], map(clean, frame.columns))}"
        )


def in_words(missing: Mapping[str, int], rows: int) -> str:
    """How many rows have no value in which columns: "values are missing in 'age' (3 of 500 rows), 'rooms' (1)"."""
    (first, count), *others = missing.items()
    start = f"{clean(first)!r} ({count:,} of {rows:,} rows)"
    return f"values are missing in {first_of([start, *(f'{clean(name)!r} ({count:,})' for name, count in others)])}"


def override(key: str, *names: object) -> str:
    """How a key is set to a list of columns on the command line."""
    texts = [clean(name) for name in names]
    if all(re.fullmatch(r"[A-Za-z_][\w-]*", text) for text in texts):
        return f"{key}=[{','.join(texts)}]"
    return f'"{key}=[{",".join(map(repr, texts))}]"'


def alike(texts: Iterable[str]) -> tuple[str, str] | None:
    """The first two texts that differ only in spaces, or in upper and lower case; None if no two do."""
    first: dict[str, str] = {}
    for text in texts:
        key = "".join(text.split()).casefold()
        if key in first:
            return first[key], text
        first[key] = text
    return None


def kind_of(column: pd.Series, where: str, is_target: bool = False) -> str:
    """Whether a column holds numbers or categories. Texts are categories if most of them are neither numbers nor dates.

    What a message says to do depends on whether the column is a target.

    Raises:
        DataError: most of the texts are numbers or dates, or the numbers can be read in two ways.
    """
    check_clear(column, where)
    if column.dtype.kind in "iuf":
        return "number"
    if column.dtype == bool:
        return "category"
    counts = {text: count for text, count in _counted(column).items() if text not in MISSING}
    half = sum(counts.values()) / 2
    numbers, dates, similar = (
        {text for text in counts if _fits(pattern, text)} for pattern in (_NUMBER, _DATE, _LIKE_A_NUMBER)
    )
    if len(numbers) == len(counts):
        return "number"
    name = clean(column.name)
    if sum(counts[text] for text in dates) > half:
        drop = "" if is_target else f"leave it out with {override('data.drop', column.name)}, or "
        raise DataError(
            f"{where}: the column {name!r} holds dates or times, such as {clean(min(dates))!r}; {drop}write numbers, "
            "such as days, into the file"
        )
    if sum(counts[text] for text in numbers) > half:
        of_target = "expected a number. Correct such rows or leave them out"
        wrong = [text for text in counts if text not in numbers]
        _refuse_text(column, wrong, where, lambda text: of_target if is_target else _for_feature(text, column.name))
    if sum(counts[text] for text in similar) > half:
        names = "" if is_target else ", or name the column in data.categorical if they are names"
        raise DataError(
            f"{where}: the column {name!r} holds numbers in a form that is not read, such as "
            f"{clean(min(similar - numbers))!r}; write them with digits and a decimal point{names}"
        )
    return "category"


def _number_column(column: pd.Series, may_miss: bool, where: str) -> Column:
    values = numbers_of(column, where)
    present = values[~np.isnan(values)]
    check_precision(present, f"{where}: the column {clean(column.name)!r}")
    return Column(
        name=str(column.name),
        kind="number",
        mean=float(present.mean()),
        deviation=float(present.std()),
        missing=may_miss and len(present) < len(values),
    )


def check_precision(values: np.ndarray, what: str) -> None:
    """Refuse numbers, float64 [N], that float32 cannot tell apart, such as times in seconds since 1970.

    Raises:
        DataError: float32 changes one by more than a hundredth of their standard deviation.
    """
    error, deviation = np.abs(values - values.astype(np.float32)).max(), values.std()
    if error > deviation / 100 > 0:
        raise DataError(
            f"{what}: storing its numbers as float32 changes them by up to {error:.3g}, and their standard deviation "
            f"is {deviation:.3g}. Subtract a constant from them"
        )


def _check_categories(column: pd.Series, count: int, where: str) -> None:
    """Refuse texts that identify rows."""
    if len(column) >= FEWEST_ROWS and count > MOST_DISTINCT * len(column):
        name = clean(column.name)
        raise DataError(
            f"{where}: the column {name!r} has {count:,} different texts in {len(column):,} rows, such as "
            f"{clean(column.iloc[0])!r}, so it identifies rows; leave it out with "
            f"{override('data.drop', column.name)}, or name it in data.categorical"
        )


# -- values -----------------------------------------------------------------------------------------------------------


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    return len(text) <= LONGEST and pattern.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Whether a text is a number with digits and a decimal point, or infinity."""
    return _fits(_NUMBER, text)


def _counted(column: pd.Series) -> dict[str, int]:
    """How many rows have each text of a column."""
    counts = np.bincount(column.cat.codes, minlength=len(column.cat.categories))
    return {text: int(count) for text, count in zip(column.cat.categories, counts, strict=True) if count}


def _of_texts(column: pd.Series, values: Iterable[object], dtype: type) -> np.ndarray:
    """The value of each row, where `values` has one for each category of a column of texts."""
    return np.array([*values], dtype)[column.cat.codes]


def missing_in(column: pd.Series, kind: str | None = None) -> np.ndarray:
    """Which values are missing, bool [N]. In a category, only an empty cell is."""
    if column.dtype != "category":
        return column.isna().to_numpy()
    missing = {""} if kind == "category" else MISSING
    return _of_texts(column, (text in missing for text in column.cat.categories), bool)


def numbers_of(column: pd.Series, where: str) -> np.ndarray:
    """A column of numbers as float64, NaN where one is missing.

    Raises:
        DataError: a value is a text, infinite, or too large for float32, or the numbers can be read in two ways.
    """
    check_clear(column, where)
    if column.dtype == bool:
        column = column.astype(str).astype("category")
    if column.dtype == "category":
        texts = column.cat.categories
        if wrong := [text for text in _counted(column) if text not in MISSING and not is_number(text)]:
            _refuse_text(column, wrong, where)
        values = _of_texts(column, (float(text) if is_number(text) else np.nan for text in texts), float)
    else:
        values = column.to_numpy(np.float64)
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        first = _first(column, too_large)
        raise DataError(
            f"{where}: the column {clean(column.name)!r} holds {in_digits(values[first])} in row "
            f"{row_of(column, first)}; expected finite numbers below 3.4e38"
        )
    return values


def check_clear(column: pd.Series, where: str) -> None:
    """Refuse a column of numbers that can be read in two ways.

    Raises:
        DataError: the message says which.
    """
    if problem := column.attrs.get("unclear", {}).get(column.name):
        raise DataError(f"{where}: the column {clean(column.name)!r} {problem}")


def _refuse_text(
    column: pd.Series,
    texts: Sequence[str],
    where: str,
    advice: Callable[[str], str] = lambda text: "expected a number or an empty cell.",
) -> NoReturn:
    """Refuse a column of numbers for the first row that has one of these texts. `advice` says what to do about it."""
    first = _first(column, column.isin(texts).to_numpy())
    text = clean(column.iloc[first])
    raise DataError(
        f"{where}: the column {clean(column.name)!r} holds the text {text!r} in row {row_of(column, first)}, and "
        f"numbers elsewhere; {advice(text)}"
    )


def _for_feature(text: str, name: object) -> str:
    """What to do about a text in a feature that may be one of numbers."""
    if re.search(r"\w", text):
        more = f"If the numbers are names of categories, set {override('data.categorical', name)}"
    else:
        more = f"If {text!r} stands for a missing number, leave the cell empty"
    return f"expected a number or an empty cell. {more}"


def texts_of(column: pd.Series) -> np.ndarray:
    """A column as names of categories, as `name_of` gives them, objects of str [N]; '' where one is missing."""
    import pandas as pd

    if column.dtype == "category":
        return _of_texts(column, map(name_of, column.cat.categories), object)
    codes, values = pd.factorize(column, use_na_sentinel=False)
    return np.array(["" if pd.isna(value) else name_of(str(value)) for value in values], object)[codes]


def name_of(text: str) -> str:
    """The name of a category. A number has one name however it is written: '1', '01' and '1.0' are '1'.

    Booleans are 'false' and 'true'.
    """
    if _WHOLE.fullmatch(text):
        return str(int(text))
    if is_number(text) and np.isfinite(number := float(text)):
        return str(int(number)) if number.is_integer() else repr(number)
    return text.lower() if text.lower() in ("true", "false") else text


def _codes(column: pd.Series, vocabulary: Sequence[str]) -> np.ndarray:
    """The codes of categories, int [N]: 1 for the first of the vocabulary, and 0 for one that is not in it."""
    import pandas as pd

    codes, names = pd.factorize(texts_of(column))
    code_of = {name: code for code, name in enumerate(vocabulary, start=1)}
    return np.array([code_of.get(name, 0) for name in names], np.int64)[codes]


def _first(column: pd.Series, chosen: np.ndarray) -> int:
    """The position of that chosen row which is the first in the file; the rows of a column may be shuffled."""
    positions = np.flatnonzero(chosen)
    return int(positions[column.index[positions].argmin()])


def row_of(column: pd.Series, position: int) -> str:
    """The row of the file, counted from 1 below the line of names."""
    return f"{int(column.index[position]) + 1:,}"
