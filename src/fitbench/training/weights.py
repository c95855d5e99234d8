"""Limits how many numbers the variables of a model hold, before memory is taken for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from fitbench.data.memory_limit import memory_limit
from fitbench.errors import FitbenchError

WEIGHT_BYTES = 4  # float32


class TooLarge(FitbenchError):
    """The variables of a model hold too many numbers."""


@contextmanager
def limited_variables(most: int, explain: Callable[[Sequence[int], int], str]) -> Iterator[None]:
    """Limit the variables that Keras creates in this block to `most` numbers altogether.

    `explain` gives the message, from the shape of the variable that exceeds the limit and from the numbers up to it.

    Raises:
        TooLarge: in the block, before memory is taken for this variable.
    """
    create, total = keras.Variable.__init__, 0

    def create_limited(variable: Any, initializer: Any, shape: Any = None, *arguments: Any, **settings: Any) -> None:
        nonlocal total
        total += math.prod(shape or ()) if callable(initializer) or isinstance(initializer, str) else 0
        if total > most:
            raise TooLarge(explain(shape, total))
        create(variable, initializer, shape, *arguments, **settings)

    keras.Variable.__init__ = create_limited
    try:
        yield
    finally:
        keras.Variable.__init__ = create


@contextmanager
def within_memory() -> Iterator[None]:
    """Limit the variables that Keras creates in this block to half of the memory: gradients take as much.

    Raises:
        TooLarge: in the block, with the size of the variables and that of the memory.
    """
    limit = memory_limit()

    def explain(shape: Sequence[int], total: int) -> str:
        weights, memory = WEIGHT_BYTES * total / 1e9, 2 * limit / 1e9
        return (
            f"its weights take {weights:,.1f} GB and their gradients as much; {memory:,.1f} GB of memory are available"
        )

    with limited_variables(limit // WEIGHT_BYTES, explain):
        yield
