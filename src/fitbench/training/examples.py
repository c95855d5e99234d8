"""Examples: images and targets to train or to validate on, and the order in which an epoch takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Examples:
    """Images, uint8 [N, height, width, channels], and targets [N] or [N, classes].

    `images` is an array, or, for a data set too large for memory, anything with a shape that gives the array of the
    rows it is indexed with.
    """

    images: Any
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def in_memory(self) -> bool:
        """Whether the images are an array that can be put on the device as a whole."""
        return type(self.images) is np.ndarray


def order_of(seed: int, epoch: int, examples: int) -> np.ndarray:
    """The order of the training examples in an epoch (from 0), int32 [examples]: a function of its arguments alone."""
    return np.random.default_rng([seed, epoch]).permutation(examples).astype(np.int32)
