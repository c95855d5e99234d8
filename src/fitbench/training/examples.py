"""Examples: inputs and targets to train or to validate on, and the order in which an epoch takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Examples:
    """Examples in the form that training takes them.

    Attributes:
        inputs: [N, ...] of the model's type: an array, or, for a data set too large for memory, anything with a shape
            and a dtype that gives the array of the rows it is indexed with.
        targets: [N] or [N, outputs], as the loss takes them.
        weights: of the examples in the loss, float32 [N]; None: all weigh 1.
    """

    inputs: Any
    targets: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, count: int = 1) -> "Examples":
        """The first examples, which show shapes and types; at most all."""
        rows = np.arange(min(count, len(self)))
        return Examples(self.inputs[rows], self.targets[rows], None if self.weights is None else self.weights[rows])

    @property
    def in_memory(self) -> bool:
        """Whether the inputs are an array that can be put on the device as a whole."""
        return type(self.inputs) is np.ndarray

    @property
    def labels(self) -> tuple[np.ndarray, ...]:
        """What is beside the inputs: the targets, and the weights if there are any."""
        return (self.targets,) if self.weights is None else (self.targets, self.weights)


def order_of(seed: int, epoch: int, examples: int) -> np.ndarray:
    """The order of the training examples in an epoch (from 0), int32 [examples]: a function of its arguments alone."""
    return np.random.default_rng([seed, epoch]).permutation(examples).astype(np.int32)
