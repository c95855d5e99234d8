"""The memory that the weights of a model take, before they are created."""

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from fitbench.data.memory import memory_limit

WEIGHT_BYTES = 4  # float32


class TooLarge(ValueError):
    """The weights of a model do not fit into memory."""


@contextmanager
def within_memory() -> Iterator[None]:
    """In this block, layers raise `TooLarge` instead of creating weights that do not fit into memory.

    All weights of the block are counted. They may take half of the memory, because gradients take as much.
    """
    create = keras.Layer.add_weight
    limit, total = memory_limit(), 0

    @functools.wraps(create)
    def add_weight(layer: keras.Layer, *arguments: Any, **settings: Any) -> Any:
        nonlocal total
        shape = settings.get("shape", arguments[0] if arguments else ()) or ()
        total += WEIGHT_BYTES * math.prod(shape if isinstance(shape, tuple | list) else [shape])
        if total > limit:
            raise TooLarge(
                f"the weights up to layer {layer.name} take {total / 1e9:,.1f} GB and their gradients as much; "
                f"{2 * limit / 1e9:,.1f} GB of memory are available"
            )
        return create(layer, *arguments, **settings)

    keras.Layer.add_weight = add_weight
    try:
        yield
    finally:
        keras.Layer.add_weight = create
