"""Which examples are held back, as row numbers: for the test of a set that has none, and for validation."""

import logging
import math

import numpy as np

from fitbench.config import Validation
from fitbench.errors import RequestError

log = logging.getLogger(__name__)
SPLIT_SEED = 20160604  # part of what the data sets are: another seed is another test set


def stratified_split(labels: np.ndarray, test_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the training and of the test examples, shuffled, always the same for the same labels.

    Of every class in `labels` (int [N]), `test_fraction` goes to the test set: rounded, at least one example
    and not all of them. A class needs two examples.
    """
    random = np.random.RandomState(SPLIT_SEED)  # not default_rng: this stream is the same in every NumPy
    train, test = [], []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * test_fraction)), len(members) - 1)
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def split(labels: np.ndarray, fraction: float, validation: Validation, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on and the rows held back, int64, both ascending.

    last: the last rows, cut where Keras's `validation_split` cuts. stratified: the same fraction of every class,
    rounded up, drawn by the seed.

    Raises:
        RequestError: nothing, or no example of some class, would be left to train on.
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
    unseen = np.setdiff1d(labels, labels[kept])
    if len(unseen):
        raise RequestError(
            f"training.validation_split={fraction} with training.validation={validation.value} leaves nothing to "
            f"train on of class {', '.join(map(str, unseen))}; hold fewer back, or set training.validation=stratified"
        )
    unchecked = np.setdiff1d(labels, labels[held_back])
    if len(unchecked):
        log.warning("no validation image is of class %s", ", ".join(map(str, unchecked)))
    return kept, held_back
