"""Decides the task by the targets of a data set, and turns these into what the task learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fitbench.config import AUTO
from fitbench.data.table_columns import alike
from fitbench.data.target_arrays import Place, TargetArrays, checked_arrays
from fitbench.errors import DataError
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.text import clean, first_of, in_digits

MOST_CLASSES = 20  # whole numbers with more different values may be numbers as well as classes


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a data set, as its task learns them.

    Attributes:
        task: the name of the task.
        arrays: by part. classification: int32 [N], positions in `names`; regression: float32 [N, targets]; several
            labels: int8 [N, labels], 0 or 1.
        names: of the classes, targets or labels. Classes are those of the training part in ascending order, numbers as
            numbers and texts as texts, unless `classes` gave their names.
        notes: what was done with the targets and what is unusual about them, a line each.
    """

    task: str
    arrays: dict[str, np.ndarray]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def decided(
    task: str,
    raw: Mapping[str, np.ndarray],
    columns: Sequence[str],
    where: Mapping[str, str],
    *,
    images: bool = False,
    classes: Sequence[str] | None = None,
    rows: Mapping[str, np.ndarray] | None = None,
) -> Targets:
    """Decide the task of a data set, check its targets, and turn them into what the task learns.

    With the task `auto`, texts, booleans, one-hot rows and whole numbers of an integer type with at most `MOST_CLASSES`
    different values in the training part are classes. Numbers with fractions are the targets of a regression. Several
    columns of 0 and 1 that are not one-hot are several labels. Everything else is refused. The targets of images are
    classes whatever they hold.

    To divide a table by class, decide on all of its rows as the part `train`, divide the rows, and decide again on the
    parts, with the task that was decided.

    Args:
        task: that of the configuration: `auto` or the name of a task.
        raw: the targets by part, `train` among them: [N] or [N, columns] of texts (str, or objects that are str),
            booleans, integers or floats. None and NaN are missing values, which are refused.
        columns: the names of the columns; () for an array without, which messages call `y`.
        where: what messages call the targets of each part, such as `a.npz: y_train` or `a.csv: the target 'price'`.
        images: whether the inputs are images.
        classes: the names of the classes or labels, if the data set gives them. Whole numbers are then positions in
            them, from 0, or from 1 where the largest is their number.
        rows: the numbers that messages give to the rows of each part, int [N]; by default positions, counted from 0.

    Raises:
        DataError: the targets do not fit the task, or no task fits them.
    """
    places = {part: Place(where[part], None if rows is None else rows[part]) for part in raw}
    given = _Given(checked_arrays(raw, places), tuple(columns), classes)
    if task == AUTO:
        task = CLASSIFICATION if images else _decision(given)
    arrays, names, notes = {CLASSIFICATION: _classes, REGRESSION: _numbers, MULTILABEL: _labels}[task](given)
    return Targets(task, arrays, names, tuple(f"{given.subject}: {note}" for note in notes))


@dataclass(frozen=True, eq=False)
class _Given:
    """What `decided` was given, after the checks that do not depend on the task."""

    parts: TargetArrays
    columns: tuple[str, ...]
    classes: Sequence[str] | None

    @property
    def subject(self) -> str:
        """What notes call the targets."""
        return first_of(self.columns) or "y"

    def names(self, of: str) -> tuple[str, ...]:
        """The names of several columns, which are classes or labels."""
        width = self.parts.width
        if self.classes is not None and len(self.classes) != width:
            raise DataError(
                f"{self.parts.where['train']} has {width} columns, but there are {len(self.classes)} names of {of}; "
                "expected one name for each column."
            )
        return tuple(self.classes or self.columns or map(str, range(width)))


Made = tuple[dict[str, np.ndarray], tuple[str, ...], list[str]]  # arrays, names and notes of `Targets`


def _decision(given: _Given) -> str:
    """The task that the targets decide."""
    parts = given.parts
    if parts.are_texts:
        parts.check_no_numbers_among_texts()
        return CLASSIFICATION
    if parts.kind == "b" and parts.width == 1:
        return CLASSIFICATION
    if parts.width > 1 and parts.are_binary:
        return CLASSIFICATION if parts.are_one_hot else MULTILABEL
    if parts.have_fractions:
        return REGRESSION
    where = parts.where["train"]
    if parts.width > 1:
        raise DataError(
            f"{where}: the {parts.width} columns hold whole numbers; set task=regression if they are numbers to "
            "predict. task=multilabel takes columns of 0 and 1."
        )
    found = np.unique(parts.arrays["train"])
    if parts.kind == "i" and len(found) <= MOST_CLASSES:
        return CLASSIFICATION
    kind = "different whole numbers" if parts.kind == "i" else "different whole numbers, stored as floats,"
    raise DataError(
        f"{where} holds {len(found):,} {kind} from {in_digits(found[0])} to {in_digits(found[-1])}, which can be "
        "classes or numbers; set task=classification or task=regression."
    )


# -- classification ---------------------------------------------------------------------------------------------------


def _classes(given: _Given) -> Made:
    """Labels int32 [N]."""
    parts, where = given.parts, given.parts.where
    notes = ["the shape (N, 1) is taken as [N]"] if parts.were_column else []
    if parts.width > 1:
        parts.check_one_hot()
        names = given.names("classes")
        arrays = {part: array.argmax(axis=1) for part, array in parts.arrays.items()}
        notes.append(f"one-hot rows are taken as {len(names)} classes")
    else:
        parts.check_whole()
        arrays, names, note = _coded(given) if given.classes is None else _placed(given, tuple(given.classes))
        notes += note
    present = np.unique(arrays["train"])
    for part, labels in arrays.items():
        unseen = np.setdiff1d(labels, present)
        if len(unseen):
            are_named = given.classes is not None or parts.kind in "Ub" or parts.width > 1
            advice = "" if are_named else "; or set task=regression if they are numbers"
            raise DataError(
                f"{where[part]} holds the class {first_of(names[i] for i in unseen)}, which the training part does not "
                f"have. Every class needs training examples{advice}."
            )
    if len(present) < 2:
        raise DataError(f"{where['train']}: all labels are {names[present[0]]}; expected at least two classes.")
    absent = np.setdiff1d(np.arange(len(names)), present)
    if len(absent):
        notes.append(f"no training example of the class {first_of(names[i] for i in absent)}")
    return (
        {part: labels.astype(np.int32) for part, labels in arrays.items()},
        names,
        ["; ".join(notes)] if notes else [],
    )


def _coded(given: _Given) -> Made:
    """Labels without names of classes: the positions of their values among all values, which become the names."""
    arrays = given.parts.arrays
    values = np.unique(np.concatenate(list(arrays.values())))  # a value of no training example is refused later
    names = tuple(str(value) if given.parts.kind in "Ub" else str(int(value)) for value in values)
    arrays = {part: np.searchsorted(values, array) for part, array in arrays.items()}
    if given.parts.are_texts:
        notes = [f"{len(names)} texts are taken as classes: {first_of(names)}"]
        if pair := alike(names):
            notes.append(f"the classes {clean(pair[0])!r} and {clean(pair[1])!r} differ only in case or spaces")
        return arrays, names, notes
    if given.parts.kind != "b" and names != tuple(map(str, range(len(names)))):
        first, last = int(values[0]), int(values[-1])
        is_range = last - first == len(values) - 1
        return arrays, names, [f"labels {f'{first}..{last}' if is_range else first_of(names)} are taken as classes"]
    return arrays, names, []


def _placed(given: _Given, names: tuple[str, ...]) -> Made:
    """Labels with names of classes, which whole numbers are positions in, and texts are some of."""
    parts, where = given.parts, given.parts.where
    if parts.are_texts:
        place = {name: position for position, name in enumerate(names)}
        for part, array in parts.arrays.items():
            unknown = [value for value in np.unique(array) if value not in place]
            if unknown:
                raise DataError(
                    f"{where[part]} holds the class {first_of(unknown)}, which is not among the names of the classes: "
                    f"{first_of(names)}."
                )
        arrays = {part: np.array([place[value] for value in array]) for part, array in parts.arrays.items()}
        return arrays, names, [f"texts are taken as the classes {first_of(names)}"]
    smallest = min(int(array.min()) for array in parts.arrays.values())
    largest = max(int(array.max()) for array in parts.arrays.values())
    shift = int(smallest >= 1 and largest == len(names))
    for part, array in parts.arrays.items():
        for value in (int(array.min()), int(array.max())):
            if not 0 <= value - shift < len(names):
                raise DataError(
                    f"{where[part]} holds {value}, but there are {len(names)} class names; expected labels from 0 to "
                    f"{len(names) - 1}."
                )
    notes = []
    if shift:
        notes = [f"labels 1..{len(names)} are taken as the classes {first_of(names)}"]
    elif smallest >= 1:
        notes = [
            f"labels {smallest}..{largest} are taken as positions in the names of the classes, counted from 0, so that "
            f"{smallest} is {clean(names[smallest])}; if they count from 1, subtract 1 from all labels"
        ]
    return {part: array.astype(np.int64) - shift for part, array in parts.arrays.items()}, names, notes


# -- regression and several labels ------------------------------------------------------------------------------------


def _numbers(given: _Given) -> Made:
    """Targets of a regression, float32 [N, targets]."""
    parts = given.parts
    parts.check_numbers(REGRESSION)
    names = given.columns or (("y",) if parts.width == 1 else tuple(f"y_{i}" for i in range(parts.width)))
    arrays = {part: parts.as_float32(part) for part in parts.arrays}
    parts.check_precision()
    for name, column in zip(names, arrays["train"].T, strict=True):
        if (column == column[0]).all():
            raise DataError(
                f"{parts.where['train']}: {clean(name)} is {in_digits(column[0])} in every training example; "
                "a constant cannot be learned."
            )
    notes = [] if given.classes is None else ["the names of classes are not used, because the task is regression"]
    return arrays, names, notes


def _labels(given: _Given) -> Made:
    """Several labels, int8 [N, labels]."""
    parts = given.parts
    parts.check_binary()
    names = given.names("labels")
    arrays = {part: array.reshape(len(array), -1).astype(np.int8) for part, array in parts.arrays.items()}
    least, most = arrays["train"].min(axis=0), arrays["train"].max(axis=0)
    constant = least == most
    if constant.all():
        raise DataError(
            f"{parts.where['train']}: every label is the same in all training examples; expected both 0 and 1."
        )
    notes = [
        f"the label {first_of(names[i] for i in np.flatnonzero(constant & (least == value)))} is {value} in every "
        "training example"
        for value in (0, 1)
        if (constant & (least == value)).any()
    ]
    return arrays, names, notes
