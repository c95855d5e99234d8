"""Splits: the test part of a data set that has none, and the validation part. Both are given as row numbers."""

from __future__ import annotations

import logging
import math

import numpy as np

from fitbench.config import Training, Validation
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.metrics import CLASSIFICATION

log = logging.getLogger(__name__)
SPLIT_SEED = 20160604  # defines the data sets: another seed gives another test part


def stratified_split(labels: np.ndarray, test_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and test rows, both int64 and shuffled. The same labels give the same split.

    Args:
        labels: int [N]; every class has at least two examples.
        test_fraction: the fraction of each class that goes to the test part. It is rounded, to at least one example
            and to fewer than all.
    """
    random = np.random.RandomState(SPLIT_SEED)  # unlike default_rng, its stream is the same in every NumPy version
    train, test = [], []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * test_fraction)), len(members) - 1)
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def training_rows(data: Dataset, settings: Training, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the training arrays to train on and those to validate on, both int64 and ascending.

    A validation part of the data set's own is used instead of a split.

    Raises:
        RequestError: as `split`.
    """
    if not data.validation:
        labels = data.y_train if data.task == CLASSIFICATION else np.zeros(len(data.y_train), np.int32)
        return split(labels, settings.validation_split, settings.validation, seed)
    log.info(
        "the data set has a validation part of %d examples; training.validation_split=%s is not used",
        data.validation,
        settings.validation_split,
    )
    rows = np.arange(len(data.y_train))
    return rows[: -data.validation], rows[-data.validation :]


def split(labels: np.ndarray, fraction: float, validation: Validation, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation rows, both int64 and ascending.

    Args:
        labels: int [N].
        fraction: the fraction for validation. 0 holds nothing back.
        validation: `last` takes the last rows and cuts where Keras's `validation_split` cuts. `stratified` draws the
            same fraction of every class, rounded up.
        seed: for `stratified`.

    Raises:
        RequestError: a class would have no training example.
    """
    rows = np.arange(len(labels))
    if fraction == 0:
        return rows, rows[:0]
    if validation is Validation.last:
        cut = math.floor(len(labels) * (1 - fraction))
        kept, held_back = rows[:cut], rows[cut:]
    else:
        random = np.random.default_rng(seed)
        drawn = [
            random.permutation(np.flatnonzero(labels == label))[: math.ceil(fraction * np.sum(labels == label))]
            for label in np.unique(labels)
        ]
        held_back = np.sort(np.concatenate(drawn))
        kept = np.setdiff1d(rows, held_back)
    lost = np.setdiff1d(labels, labels[kept])
    if len(lost):
        raise RequestError(
            f"training.validation_split={fraction} with training.validation={validation.value} leaves no training "
            f"example of class {', '.join(map(str, lost))}; use a smaller fraction, or training.validation=stratified"
        )
    absent = np.setdiff1d(labels, labels[held_back])
    if len(absent):
        log.warning("the validation part has no example of class %s", ", ".join(map(str, absent)))
    return kept, held_back
