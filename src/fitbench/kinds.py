"""The kinds of examples that data sets have: images, rows of a table, series, sequences of tokens, or other arrays.

The reader of a data set decides the kind, and a run records it. What depends on it is asked of its `Kind`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fitbench.errors import RequestError


@dataclass(frozen=True)
class Kind:
    """A kind of examples.

    Attributes:
        name: as in the configuration and in dataset.json.
        noun: what messages call one example.
        plural: what messages call several.
        inputs: what the input of an exported model is called.
        shape: the shape of a batch, in words.
        sides: how many sides the shape of one example has; None: one or more.
        dtype: of the values that a model takes, by NumPy's name; None: any of numbers.
    """

    name: str
    noun: str
    plural: str
    inputs: str
    shape: str
    sides: int | None
    dtype: str | None


KINDS = {
    kind.name: kind
    for kind in (
        Kind("images", "image", "images", "images", "[N, height, width, channels]", 3, "uint8"),
        Kind("table", "row", "rows of a table", "rows", "[N, columns]", 1, "float32"),
        Kind("series", "series", "series", "series", "[N, steps, channels]", 2, "float32"),
        Kind("tokens", "sequence", "sequences of tokens", "sequences", "[N, steps]", 1, "int32"),
        Kind("arrays", "array", "arrays", "arrays", "[N, ...]", None, None),
    )
}
IMAGES, TABLE, SERIES, TOKENS, ARRAYS = KINDS


def kind_of(name: str) -> Kind:
    """The kind of this name.

    Raises:
        RequestError: there is none.
    """
    if name not in KINDS:
        raise RequestError(f"{name}: no such kind of examples; expected {', '.join(KINDS)}")
    return KINDS[name]
