"""What a model takes: the kind, the shape and the type of its examples."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from fitbench.kinds import KINDS, SERIES, TABLE, TOKENS
from fitbench.record.dataset import Column
from fitbench.text import counted


class Inputs(BaseModel, frozen=True):
    """What a model takes. It is no dataclass, because Hydra would take that for a section of the configuration.

    Attributes:
        kind: images: uint8 [batch, height, width, channels], 0 to 255; table: float32 [batch, columns], as `columns`
            describes them; series: float32 [batch, steps, channels]; tokens: int32 [batch, steps], from 0 to
            `vocabulary` - 1; arrays: numbers of any shape.
        shape: of one example, without the batch.
        dtype: of the values, by NumPy's name.
        columns: of a table, in the order of the input.
        vocabulary: of tokens: how many there are; None for other kinds.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    columns: tuple[Column, ...] = ()
    vocabulary: int | None = None

    @property
    def noun(self) -> str:
        """What messages call an example."""
        return KINDS[self.kind].noun

    @property
    def nouns(self) -> str:
        """What messages call several examples."""
        return KINDS[self.kind].nouns

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[height, width, channels] of images."""
        height, width, channels = self.shape
        return height, width, channels

    @property
    def described(self) -> str:
        """The examples in words, such as 'series of 150 steps and 1 channel'."""
        sides = "x".join(map(str, self.shape))
        if self.kind == TABLE:
            return f"rows of {counted(self.shape[0], 'column')}"
        if self.kind == SERIES:
            return f"series of {counted(self.shape[0], 'step')} and {counted(self.shape[1], 'channel')}"
        if self.kind == TOKENS:
            return f"sequences of {counted(self.shape[0], 'token')}"
        return f"{KINDS[self.kind].plural} of {sides}"

    def examples(self) -> np.ndarray:
        """Two examples that the model must take, [2, *shape]: of zeros, and with the last code of each category."""
        examples = np.zeros((2, *self.shape), self.dtype)
        if self.columns:
            examples[1] = [len(column.vocabulary or ()) for column in self.columns]
        elif self.vocabulary:
            examples[1] = self.vocabulary - 1
        return examples
