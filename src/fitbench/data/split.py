"""Splits: the test part of a data set that has none, and the validation part. Both are given as row numbers."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from fitbench.config import FoldOrder, Training, Validation
from fitbench.data.dataset import Dataset
from fitbench.data.folds import without_fold
from fitbench.errors import DataError, RequestError
from fitbench.tasks import task_of
from fitbench.text import clean, counted

log = logging.getLogger(__name__)
SPLIT_SEED = 20160604  # defines the data sets: another seed gives another test part


def stratified_split(labels: np.ndarray, test_fraction: float, seed: int = SPLIT_SEED) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and test rows, both int64 and shuffled. The same labels and seed give the same split.

    Args:
        labels: [N], of any type; every class has at least two examples.
        test_fraction: the fraction of each class that goes to the test part. It is rounded, to at least one example
            and to fewer than all.
        seed: decides which rows go to the test part.
    """
    random = np.random.RandomState(seed)  # unlike default_rng, its stream is the same in every NumPy version
    train, test = [], []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * test_fraction)), len(members) - 1)
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def test_rows(
    classes: np.ndarray | None, groups: np.ndarray | None, examples: int, fraction: float, seed: int, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows of a table into training rows, int64 and shuffled, and test rows, int64 and ascending.

    The training rows are shuffled because a file is often sorted by its target or by time, and
    `training.validation=last` holds the last of them back.

    Args:
        classes: the class of each row, [N], by its name or number, which messages give. The same fraction of each class
            becomes the test part, at least one row and fewer than all. None: the rows are no examples of classes.
        groups: the group of each row, [N]. The rows of a group go to one part together; groups are drawn as long as
            that brings the test part nearer to its fraction, whatever the classes. None: there are no groups.
        examples: N.
        fraction: of the rows that becomes the test part; above 0 and below 1.
        seed: decides which rows become the test part.
        where: the file, for messages.

    Raises:
        DataError: there are too few rows, rows of a class, or groups for two parts.
    """
    if examples < 2:
        raise DataError(f"{where}: has {examples} rows; a training and a test part need at least two.")
    if groups is not None:
        random, codes = np.random.RandomState(seed), np.unique(groups, return_inverse=True)[1]
        test = _drawn_groups(codes, random.permutation(codes.max() + 1), fraction)
        if test is None:
            raise DataError(f"{where}: all rows are of one group; a training and a test part need at least two groups.")
        return random.permutation(np.setdiff1d(np.arange(examples), test)), test
    if classes is None:
        classes = np.zeros(examples, np.int32)
    values, counts = np.unique(classes, return_counts=True)
    if (counts < 2).any():
        raise DataError(
            f"{where}: the class {clean(values[counts.argmin()])} has one example; a training and a test part need one "
            "each. Add examples, remove this one, or give the test part in a file of its own."
        )
    train, test = stratified_split(classes, fraction, seed)
    return train, np.sort(test)


def drawn_note(train: int, test: int, noun: str, seed: int) -> str:
    """The line that says that so many examples were drawn as the test part."""
    return (
        f"{test:,} of {counted(train + test, noun)}, drawn with data.split_seed={seed}, "
        f"{'is' if test == 1 else 'are'} the test part"
    )


def shuffled_rows(examples: int, seed: int) -> np.ndarray:
    """The training rows of a table whose test part is in a file of its own, int64 [N], shuffled as in `test_rows`."""
    return np.random.RandomState(seed).permutation(examples)


def _drawn_groups(groups: np.ndarray, order: np.ndarray, fraction: float) -> np.ndarray | None:
    """The rows of some groups, int64 and ascending, about the fraction of all; None if there is only one group.

    Args:
        groups: the group of each row, int [N], from 0 to groups - 1.
        order: every group once, int [groups]. A group is taken if its rows bring the part nearer to its fraction.
        fraction: of the rows to take.
    """
    if len(order) < 2:
        return None
    sizes = np.bincount(groups)
    wanted, count, taken = fraction * len(groups), 0, []
    for group in order[:-1]:  # not the last, so that the other part is not empty
        if abs(count + sizes[group] - wanted) < abs(count - wanted):
            taken.append(group)
            count += sizes[group]
    return np.flatnonzero(np.isin(groups, taken or sizes.argmin()))


def training_rows(data: Dataset, settings: Training, seed: int, fold: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the training arrays to train on and those to validate on, both int64 and ascending.

    With a fold, it is that which is held back. Otherwise a validation part of the data set's own is used instead of a
    split.

    Raises:
        RequestError: as `split` or `folds.without_fold`; all examples of a part have the weight 0; or there is no test
            part, and no fold either.
    """
    if fold is None and not len(data.y_test):
        raise RequestError(
            f"{data.source}: has no test part (x_test, y_test), which only folds can do without; expected one, or "
            "training.validation=kfold training.folds=5"
        )
    kept, held_back = divided(data, settings, seed, fold)
    if fold is None and data.validation:
        log.info(
            "the data set has a validation part of %d examples; training.validation_split=%s is not used",
            data.validation,
            settings.validation_split,
        )
        return kept, held_back
    if not len(held_back):
        return kept, held_back
    drawn = _drawn_instead(settings)
    if task_of(data.task).has_classes:
        _warn_of_absent(data.y_train, held_back, data.names)
    elif drawn:
        _warn_of_order(data.y_train[kept], data.y_train[held_back], drawn)
    if data.w_train is not None:
        other = "another seed" if fold is None else "another training.fold_seed"
        chosen = f"training.validation_split={settings.validation_split}" if fold is None else f"fold={fold}"
        setting = f"{chosen} and training.validation={settings.validation.value}"
        _check_weights(data.w_train, kept, held_back, setting, drawn or other)
    return kept, held_back


def divided(data: Dataset, settings: Training, seed: int, fold: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The rows of `training_rows`, without its warnings and its checks of weights and of the test part.

    Raises:
        RequestError: as `split` or `folds.without_fold`.
    """
    if fold is not None:
        return without_fold(data, settings, fold)
    if data.validation:
        rows = np.arange(len(data.y_train))
        return rows[: -data.validation], rows[-data.validation :]
    labels, names = (
        (data.y_train, data.names) if task_of(data.task).has_classes else (np.zeros(len(data.y_train)), None)
    )
    return split(labels, settings.validation_split, settings.validation, seed, data.groups, names)


def _check_weights(weights: np.ndarray, kept: np.ndarray, held_back: np.ndarray, setting: str, advice: str) -> None:
    """Refuse a part all of whose weights are 0. `setting` has divided the examples, `advice` says what to set."""
    for part, of in (("training", kept), ("validation", held_back)):
        if len(of) and not weights[of].any():
            raise RequestError(
                f"all examples of the {part} part have the weight 0, with {setting}; set {advice}, or change the "
                "weights"
            )


def _drawn_instead(settings: Training) -> str | None:
    """The setting that draws the validation part where it is taken in the order of the examples; None: it is drawn."""
    if settings.validation is Validation.last:
        return "training.validation=random"
    if settings.validation is Validation.kfold and settings.fold_order is FoldOrder.consecutive:
        return "training.fold_order=drawn"
    return None


def _warn_of_order(kept: np.ndarray, held_back: np.ndarray, drawn: str) -> None:
    """Warn of validation targets, [N, targets], of which a column lies outside of that of the training part.

    `drawn` is the setting that draws the part.
    """
    if len(held_back) < 2:
        return
    outside = (held_back.min(axis=0) > kept.max(axis=0)) | (held_back.max(axis=0) < kept.min(axis=0))
    if outside.any():
        log.warning(
            "all targets of the validation part lie above or below those of the training part, as in a file that is "
            "sorted; %s draws the part",
            drawn,
        )


def split(
    labels: np.ndarray,
    fraction: float,
    validation: Validation,
    seed: int,
    groups: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation rows, both int64 and ascending.

    Args:
        labels: int [N]; all the same where there are no classes.
        fraction: the fraction for validation. 0 holds nothing back.
        validation: `last` takes the last rows and cuts where Keras's `validation_split` cuts. `stratified` draws the
            same fraction of every class, rounded up, and leaves at least one example of each for training. `random`
            draws this fraction of all rows, rounded up.
        seed: for `stratified` and `random`.
        groups: the group of each row, int [N]. The rows of a group are held back together: with `last` the groups that
            begin last, otherwise drawn ones, as long as that brings the part nearer to its fraction.
        names: what messages call the labels; by default their numbers.

    Raises:
        RequestError: no example, or none of a class, would be left for training; or nothing would be held back; or
            there is only one group.
    """
    rows = np.arange(len(labels))
    if fraction == 0:
        return rows, rows[:0]
    held_back = _held_back(labels, fraction, validation, seed, groups)
    kept = np.setdiff1d(rows, held_back)
    setting = f"training.validation_split={fraction} with training.validation={validation.value}"
    if not len(kept):
        raise RequestError(f"{setting} leaves no training example; use a smaller fraction")

    if lost := _without(labels, kept, names):
        remedy = "training.validation=stratified" if groups is None else "another seed"
        raise RequestError(f"{setting} leaves no training example of class {lost}; use a smaller fraction, or {remedy}")
    if not len(held_back):
        raise RequestError(
            f"{setting} holds nothing back, as each class has one example; use training.validation=random"
        )
    return kept, held_back


def _without(labels: np.ndarray, part: np.ndarray, names: Sequence[str] | None) -> str:
    """The classes of which the rows of a part hold no example; '' if there are none."""
    return ", ".join(clean(label if names is None else names[label]) for label in np.setdiff1d(labels, labels[part]))


def _warn_of_absent(labels: np.ndarray, held_back: np.ndarray, names: Sequence[str] | None) -> None:
    if absent := _without(labels, held_back, names):
        log.warning("the validation part has no example of class %s", absent)


def _held_back(
    labels: np.ndarray, fraction: float, validation: Validation, seed: int, groups: np.ndarray | None
) -> np.ndarray:
    """The validation rows, int64 and ascending, for the arguments of `split`."""
    random = np.random.default_rng(seed)
    if groups is not None:
        _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(-first) if validation is Validation.last else random.permutation(len(first))
        if (held_back := _drawn_groups(codes, order, fraction)) is None:
            raise RequestError(
                "all training examples are of one group, so that none can be held back; set training.validation_split=0"
            )
        return held_back
    if validation is Validation.last:
        return np.arange(math.floor(len(labels) * (1 - fraction)), len(labels))
    if validation is Validation.random:
        return np.sort(random.permutation(len(labels))[: math.ceil(fraction * len(labels))])
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = [min(math.ceil(fraction * len(of)), len(of) - 1) for of in members]
    drawn = [random.permutation(of)[:count] for of, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(drawn))
