"""Folds: the training examples divided into parts, each of which is held back once. They are given as row numbers."""

from __future__ import annotations

import numpy as np

from fitbench.config import FoldOrder, Training
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.errors import RequestError
from fitbench.tasks import task_of
from fitbench.text import clean, counted


def without_fold(data: Dataset, settings: Training, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the training arrays of all folds but one, and those of this fold, both int64 and ascending.

    The folds depend on the data and on `settings`, not on the seed of the run.

    Raises:
        RequestError: the examples cannot be divided in this way, or a fold holds all examples of a class.
    """
    assert settings.folds is not None
    folds, order = settings.folds, settings.fold_order
    _check_can_be_divided(data, folds, order)
    labels = data.y_train if task_of(data.task).has_classes else None
    numbers = fold_numbers(len(data.y_train), folds, settings.fold_seed, order, labels, data.groups)
    if order is FoldOrder.consecutive and data.is_shuffled and data.rows_train is not None:
        numbers[np.argsort(data.rows_train)] = numbers.copy()
    if labels is not None:
        _check_classes(data, labels, numbers, folds, order)
    return np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)


def fold_sha256(data: Dataset, rows: np.ndarray) -> str:
    """The checksum of the examples of a fold: of their numbers, int64 and ascending, and their targets in this order.

    Their numbers are those of the rows of the file where these are known, else `rows`, those of the training arrays,
    int64 [N]. Other columns of the file and other weights of its rows do not change it.
    """
    numbers = (rows if data.rows_train is None else data.rows_train[rows]).astype(np.int64)
    order = np.argsort(numbers)
    return sha256_of(numbers[order], data.y_train[rows][order])


def _check_can_be_divided(data: Dataset, folds: int, order: FoldOrder) -> None:
    examples = len(data.y_train)
    if data.validation:
        raise RequestError(
            f"{data.source}: has a validation part of its own, of {counted(data.validation, 'example')}, and "
            "training.validation=kfold divides the training examples; set training.validation=last, which uses this "
            "part, or make it a part of the training examples"
        )
    if folds > examples:
        raise RequestError(
            f"training.folds is {folds}, but {data.source} has {counted(examples, 'training example')}; expected at "
            f"most {examples} folds"
        )
    if data.groups is not None and (groups := len(np.unique(data.groups))) < folds:
        raise RequestError(
            f"training.folds is {folds}, but the training examples of {data.source} are of {counted(groups, 'group')} "
            f"of data.group, which stay together; expected at most {groups} folds, and at least two groups"
        )
    if order is FoldOrder.consecutive and data.is_shuffled and data.rows_train is None:
        raise RequestError(
            f"training.fold_order is consecutive, but the examples of {data.source} are in files of their own, which "
            "have no order; set training.fold_order=drawn"
        )


def _check_classes(data: Dataset, labels: np.ndarray, numbers: np.ndarray, folds: int, order: FoldOrder) -> None:
    """Refuse folds of which one holds all examples of a class: the others could not be trained on it."""
    occurring = np.unique(np.column_stack([labels, numbers]), axis=0)
    classes, counts = np.unique(occurring[:, 0], return_counts=True)  # the number of folds that have each class
    if (counts > 1).all():
        return
    label = classes[counts.argmin()]
    members = labels == label
    if order is FoldOrder.consecutive:
        advice = "set training.fold_order=drawn"
    elif data.groups is not None:
        advice = "set another training.fold_seed, or check that the class is in several groups of data.group"
    else:
        advice = "add examples of this class, or remove it"
    raise RequestError(
        f"{data.source}: fold {numbers[members][0]} of training.folds={folds} holds "
        f"{_all_of(int(members.sum()))} of the class {clean(data.names[label])}, so that a run without this fold has "
        f"none to train on; {advice}"
    )


def _all_of(count: int) -> str:
    return "the only example" if count == 1 else f"all {count:,} examples"


def fold_numbers(
    examples: int,
    folds: int,
    seed: int,
    order: FoldOrder,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """The fold of each example, int64 [N], from 0 to folds - 1. The same arguments give the same folds.

    Drawn folds have the same fraction of each class, as far as that is possible, and sizes that differ by one at most.
    Groups stay together, in folds of about the same size and the same fraction of each class. Each group goes to the
    fold that it makes most even, see `_of_groups`: those first whose numbers of each class differ most, and without
    classes large ones. Equal groups come in drawn order; without classes, those whose sizes lie between the same two
    powers of 2.

    Args:
        examples: N, at least `folds`.
        folds: their number.
        seed: draws the folds.
        order: `consecutive` divides the examples in their order into parts whose sizes differ by one at most, the
            larger first.
        labels: the class of each example, int [N]; None where there are no classes.
        groups: the group of each example, int [N]; None: there are none.
    """
    random = np.random.RandomState(seed)  # unlike default_rng, its stream is the same in every NumPy version
    if order is FoldOrder.consecutive:
        return np.sort(np.arange(examples) % folds)
    if groups is not None:
        return _of_groups(groups, labels, folds, random)
    rows = random.permutation(examples)
    if labels is not None:
        rows = rows[np.argsort(labels[rows], kind="stable")]
    numbers = np.empty(examples, np.int64)
    numbers[rows] = np.arange(examples) % folds
    return numbers


def _of_groups(groups: np.ndarray, labels: np.ndarray | None, folds: int, random: np.random.RandomState) -> np.ndarray:
    """The fold of each example, int64 [N]; each group goes to the fold that leaves the folds most even.

    The folds are most even where the sum of the variances, over the folds, of the fraction of all examples and of the
    fraction of each class that they hold is least. This is the method of scikit-learn's `StratifiedGroupKFold`, which
    takes standard deviations of the classes alone.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    drawn = random.permutation(len(sizes))
    if labels is None:
        counts, first = sizes[:, np.newaxis], np.frexp(sizes)[1]
    else:
        classes = np.unique(labels, return_inverse=True)[1]
        of_classes = np.zeros((len(sizes), classes.max() + 1), np.int64)
        np.add.at(of_classes, (codes, classes), 1)
        counts, first = np.column_stack([sizes, of_classes]), of_classes.std(axis=1)
    total, held, fold_of = counts.sum(axis=0), np.zeros((folds, counts.shape[1])), np.empty(len(sizes), np.int64)
    for group in drawn[np.argsort(-first[drawn], kind="stable")]:
        # n more in a fold with h add (2hn + n^2) / total^2 to the sum of squares, and n^2 is the same for all folds.
        fold_of[group] = (held @ (counts[group] / total**2)).argmin()
        held[fold_of[group]] += counts[group]
    return fold_of[codes]
