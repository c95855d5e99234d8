"""Which training images are held back for validation, as row numbers, and how rows are taken from large data."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench.config import Validation
from fitbench.errors import RequestError
from fitbench.training.data import memory_limit

log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Rows:
    """Some rows of images that stay where they are until they are asked for."""

    images: Any
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, height, width, channels] of these rows."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.images[self.rows[index]])


def take(images: Any, rows: np.ndarray) -> Any:
    """Those rows: an array where the images fit into memory, else `Rows`."""
    if isinstance(images, np.memmap) and images.nbytes < memory_limit():
        images = np.asarray(images)
    if type(images) is not np.ndarray:
        return Rows(images, rows)
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return images[rows[0] : rows[-1] + 1]  # without a copy
    return images[rows]
