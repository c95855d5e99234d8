"""Small data sets of each kind of examples, which models can be built for."""

import numpy as np

from fitbench.data.dataset import Dataset
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS
from fitbench.record.dataset import Column

SHAPES = {IMAGES: (28, 28, 1), TABLE: (3,), SERIES: (64, 2), TOKENS: (12,), ARRAYS: (64,)}
COLUMNS = (
    Column(name="size", kind="number", mean=0.5, deviation=2.0),
    Column(name="age", kind="number", mean=0.5, deviation=2.0, missing=True),
    Column(name="city", kind="category", vocabulary=["a", "b"]),
)


def small(kind: str) -> Dataset:
    """Twenty examples of a kind, in ten classes named 0 to 9."""
    dtype = {IMAGES: np.uint8, TOKENS: np.int32}.get(kind, np.float32)
    examples, labels = np.zeros((20, *SHAPES[kind]), dtype), (np.arange(20) % 10).astype(np.int32)
    return Dataset(
        *("made", examples, labels, examples, labels, tuple("0123456789"), "", ""),
        kind=kind,
        columns=COLUMNS if kind == TABLE else (),
        vocabulary=7 if kind == TOKENS else None,
    )
