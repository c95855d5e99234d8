"""Checks of the arrays that targets come in, and what can be seen from their values."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fitbench.data.memory import chunks
from fitbench.data.table_columns import check_precision, is_number
from fitbench.errors import DataError
from fitbench.metrics import MULTILABEL, REGRESSION
from fitbench.text import clean, in_digits

KINDS = "texts, booleans or numbers"


@dataclass(frozen=True, eq=False)
class Place:
    """Where the targets of a part come from, for messages.

    Attributes:
        name: of the targets.
        rows: the numbers of their rows, int [N]; None: their positions, counted from 0.
    """

    name: str
    rows: np.ndarray | None

    def __str__(self) -> str:
        return self.name

    def row(self, position: int | np.integer) -> str:
        """What messages call a row."""
        return f"row {position:,} (counted from 0)" if self.rows is None else f"row {self.rows[position]:,}"


@dataclass(frozen=True, eq=False)
class TargetArrays:
    """The targets of the parts of a data set, all of one kind.

    Attributes:
        arrays: by part, [N] or [N, columns] with several columns; no value is missing or infinite.
        where: where the targets of each part come from.
        kind: `U` texts, `b` booleans, `i` integers, `f` floats, of all parts together.
        were_column: whether the shape was (N, 1).
    """

    arrays: dict[str, np.ndarray]
    where: Mapping[str, Place]
    kind: str
    were_column: bool

    @property
    def width(self) -> int:
        """The number of columns."""
        array = self.arrays["train"]
        return array.shape[1] if array.ndim == 2 else 1

    @property
    def are_texts(self) -> bool:
        """Whether the values are texts, str objects or an array of str."""
        return self.kind == "U"

    @cached_property
    def are_binary(self) -> bool:
        """Whether all values are 0 and 1."""
        return not self.are_texts and all(np.isin(array, (0, 1)).all() for array in self.arrays.values())

    @cached_property
    def are_one_hot(self) -> bool:
        """Whether each row of the columns holds one 1 and else 0."""
        return self.are_binary and all((array.sum(axis=1) == 1).all() for array in self.arrays.values())

    @cached_property
    def have_fractions(self) -> bool:
        """Whether a value is no whole number."""
        return self.kind == "f" and any((array != np.rint(array)).any() for array in self.arrays.values())

    def check_numbers(self, task: str) -> None:
        """Refuse texts.

        Raises:
            DataError: the message names the part.
        """
        if self.are_texts:
            raise DataError(f"{self.where['train']} holds texts; task={task} takes numbers.")

    def check_no_numbers_among_texts(self) -> None:
        """Refuse texts most of which are numbers, because a text in a column of numbers is probably a mistake.

        Raises:
            DataError: the message names the first row that holds no number.
        """
        for part, array in self.arrays.items():
            if array.ndim > 1:
                continue
            are_numbers = np.array([is_number(value.strip()) for value in array])
            if 2 * are_numbers.sum() > len(array) and not are_numbers.all():
                row = are_numbers.argmin()
                raise DataError(
                    f"{self.where[part]} holds the text '{clean(array[row])}' in {self.where[part].row(row)}, but "
                    "most of its values are numbers; correct or remove such rows, or set task=classification if they "
                    "are classes."
                )

    def check_whole(self) -> None:
        """Refuse numbers with fractions.

        Raises:
            DataError: the message names the part.
        """
        for part, array in self.arrays.items():
            if self.kind == "f" and (array != np.rint(array)).any():
                raise DataError(
                    f"{self.where[part]} holds fractions ({in_digits(array.min())} to {in_digits(array.max())}), and "
                    "classes are whole numbers. Set task=regression to predict numbers."
                )

    def check_one_hot(self) -> None:
        """Refuse several columns of which a row does not name one class.

        Raises:
            DataError: the message names the first such row.
        """
        for part, array in self.arrays.items():
            where = self.where[part]
            start = f"{where} has {self.width} columns; expected one class per example, or one-hot rows."
            if self.are_texts:
                raise DataError(f"{start} It holds texts.")
            for rows in chunks(array):
                are_binary = np.isin(array[rows], (0, 1)).all(axis=1)
                if not are_binary.all():
                    row = where.row(rows.start + are_binary.argmin())
                    raise DataError(f"{start} In {row}, not all values are 0 and 1; set task={REGRESSION} for numbers.")
                counts = array[rows].sum(axis=1)
                if (counts != 1).any():
                    first = (counts != 1).argmax()
                    row = where.row(rows.start + first)
                    raise DataError(
                        f"{start} In {row}, {int(counts[first]) or 'no'} values are 1; set task={MULTILABEL} if each "
                        "column is a label of its own."
                    )

    def check_binary(self) -> None:
        """Refuse what is not all 0 and 1.

        Raises:
            DataError: the message names the first value that is not.
        """
        self.check_numbers(MULTILABEL)
        for part, array in self.arrays.items():
            wrong = np.argwhere(~np.isin(array, (0, 1)))
            if len(wrong):
                raise DataError(
                    f"{self.where[part]} holds {in_digits(array[tuple(wrong[0])])} in "
                    f"{self.where[part].row(wrong[0][0])}; task={MULTILABEL} takes columns of 0 and 1, one "
                    "for each label."
                )

    def as_float32(self, part: str) -> np.ndarray:
        """Numbers as float32 [N, columns].

        Raises:
            DataError: float32 cannot hold a value.
        """
        array, where = self.arrays[part], self.where[part]
        exact = array.reshape(len(array), -1)
        with np.errstate(over="ignore"):
            rounded = exact.astype(np.float32)
        fits = np.isfinite(rounded).all(axis=1)
        if not fits.all():
            row = fits.argmin()
            raise DataError(
                f"{where} holds {in_digits(np.abs(exact[row]).max())} in {where.row(row)}; targets are stored as "
                "float32, at most 3.4e38. Divide them by a constant."
            )
        return rounded

    def check_precision(self) -> None:
        """Refuse training targets that float32 cannot tell apart, such as times in seconds since 1970.

        Raises:
            DataError: float32 changes a value by more than a hundredth of the standard deviation.
        """
        exact = self.arrays["train"].reshape(len(self.arrays["train"]), -1).astype(np.float64)
        for column in exact.T:
            check_precision(column, str(self.where["train"]))


def checked_arrays(raw: Mapping[str, np.ndarray], where: Mapping[str, Place]) -> TargetArrays:
    """The targets of all parts in arrays of texts, booleans, integers or floats.

    Args:
        raw: [N] or [N, columns] by part, `train` among them.
        where: where the targets of each part come from.

    Raises:
        DataError: a part is empty or of another shape or kind than that of training, or values are missing or infinite.
    """
    were_column = all(array.ndim == 2 and array.shape[1] == 1 for array in raw.values())
    arrays = {}
    for part, array in raw.items():
        if array.ndim not in (1, 2) or array.shape[1:] == (0,):
            raise DataError(f"{where[part]} has the shape {array.shape}; expected [N] or [N, columns].")
        if not len(array):
            raise DataError(f"{where[part]} is empty; expected at least one example.")
        plain = _plain(array, where[part])
        arrays[part] = plain[:, 0] if plain.ndim == 2 and plain.shape[1] == 1 else plain
    for part, array in arrays.items():
        if array.shape[1:] != arrays["train"].shape[1:]:
            raise DataError(
                f"{where[part]} has the shape {array.shape}, but the training part has {arrays['train'].shape}; "
                "expected the same columns."
            )
        if _is_text(array) != _is_text(arrays["train"]):
            kind, other = ("texts", "numbers") if _is_text(array) else ("numbers", "texts")
            raise DataError(f"{where[part]} holds {kind}, but the training part holds {other}; expected the same.")
    kinds = {array.dtype.kind for array in arrays.values()}
    kind = {"O": "U", "u": "i"}.get(found := next(kind for kind in "UOfiub" if kind in kinds), found)
    return TargetArrays(arrays, where, kind, were_column)


def _is_text(array: np.ndarray) -> bool:
    return array.dtype.kind in "UO"


def _plain(array: np.ndarray, where: Place) -> np.ndarray:
    """The array with a dtype that says what it holds: texts, booleans, integers or floats without a missing value."""
    if array.dtype.kind in "OT":
        array = _of_objects(array.astype(object), where)
    elif array.dtype.kind not in "Ubiuf":
        advice = " Save texts with y.astype(str)." if array.dtype.kind == "S" else ""
        raise DataError(f"{where} has the dtype {array.dtype}; targets must be {KINDS}.{advice}")
    if array.dtype.kind == "U" and not are_unicode(array):
        raise DataError(f"{where} holds texts that are not Unicode; save them again.")
    if _is_text(array):
        _check_present(np.asarray(array != ""), where, "is empty")
    if array.dtype.kind == "f":
        _check_present(~np.isnan(array), where, "is missing (NaN)")
        _check_present(np.isfinite(array), where, "is infinite")
    return array


def _of_objects(array: np.ndarray, where: Place) -> np.ndarray:
    """An array of objects with a dtype that says what they are; texts stay objects."""
    values = array.ravel()
    missing = np.array([value is None or (isinstance(value, float) and math.isnan(value)) for value in values])
    present = values[~missing]
    if all(isinstance(value, str) for value in present):
        _check_present(~missing.reshape(array.shape), where, "is missing")
        return array
    if all(isinstance(value, bool | np.bool_) for value in present) and not missing.any():
        return array.astype(bool)
    wrong = np.flatnonzero([not isinstance(value, numbers.Real | np.bool_) for value in values] & ~missing)
    if len(wrong):
        value, row = values[wrong[0]], wrong[0] // (array.size // len(array))
        kind = "a text" if isinstance(value, str) else f"of the type {type(value).__name__}"
        raise DataError(
            f"{where} holds '{clean(value)}', {kind}, in {where.row(row)}, beside numbers; "
            f"targets must be {KINDS}, all of one kind."
        )
    is_whole = all(isinstance(value, numbers.Integral | np.bool_) for value in values)
    try:
        return array.astype(np.int64 if is_whole and all(abs(int(value)) < 2**63 for value in values) else np.float64)
    except OverflowError as error:
        raise DataError(f"{where} holds a number of more than 308 digits; divide its numbers by a constant.") from error


def are_unicode(texts: np.ndarray) -> bool:
    """Whether an array of str holds characters only. Python fails on other numbers, which a damaged file may hold."""
    try:
        texts.astype(texts.dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
    except UnicodeDecodeError:
        return False
    return True


def _check_present(present: np.ndarray, where: Place, problem: str) -> None:
    """Refuse targets some of which are not there; `present` is bool [N] or [N, columns]."""
    rows = np.asarray(present if present.ndim == 1 else present.all(axis=1))
    if not rows.all():
        raise DataError(
            f"{where} {problem} in {np.sum(~rows):,} of {len(rows):,} rows, first in {where.row(rows.argmin())}; "
            "every example needs its target. Correct or remove these rows."
        )
