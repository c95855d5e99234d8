"""What `fitbench predict` is given, whatever it is: examples in batches, each with what identifies it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fitbench.inference.layout import Layout

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch of N examples.

    Attributes:
        places: the cells that identify each example, as `Layout.place` names them.
        inputs: as the model takes them, [N, *shape].
        errors: error messages by position. The inputs of these examples mean nothing.
        true: the true class of each example, None where it is not known; None if there are no labels.
    """

    places: Sequence[tuple[Any, ...]]
    inputs: np.ndarray
    errors: Mapping[int, str]
    true: Sequence[str | None] | None = None


class Source(Protocol):
    """Where examples come from.

    Attributes:
        layout: the columns of the rows that are written.
    """

    layout: Layout

    def notices(self, reader: Reader) -> list[str]:
        """What a person should know before the first batch, a line each."""

    def batches(self, reader: Reader, size: int) -> Generator[Examples]:
        """The examples, at most `size` at a time. Closing the iterator ends what it has begun."""

    def remarks(self) -> list[str]:
        """What a person should know after the last batch, a line each."""
