"""The kinds of examples that data sets have: images, rows of a table, series, sequences of tokens, or other arrays.

The reader of a data set decides the kind, and a run records it. What depends on it is asked of its `Kind`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fitbench.text import plural


@dataclass(frozen=True)
class Kind:
    """A kind of examples.

    Attributes:
        name: as in the configuration and in dataset.json.
        noun: what messages call one example.
        plural: what messages call several, which tells them from those of other kinds.
        shape: the shape of a batch, in words.
        sides: how many sides the shape of one example has; None: one or more.
        dtype: of the values that a model takes, by NumPy's name; None: any of numbers.
    """

    name: str
    noun: str
    plural: str
    shape: str
    sides: int | None
    dtype: str | None

    @property
    def nouns(self) -> str:
        """What messages call several where the kind is known, and what the input of an exported model is called."""
        return plural(self.noun)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("images", "image", "images", "[N, height, width, channels]", 3, "uint8"),
        Kind("table", "row", "rows of a table", "[N, columns]", 1, "float32"),
        Kind("series", "series", "series", "[N, steps, channels]", 2, "float32"),
        Kind("tokens", "sequence", "sequences of tokens", "[N, steps]", 1, "int32"),
        Kind("arrays", "array", "arrays", "[N, ...]", None, None),
    )
}
IMAGES, TABLE, SERIES, TOKENS, ARRAYS = KINDS
