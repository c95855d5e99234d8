"""The columns of a table as features: standardised numbers, and categories as one-hot rows or embeddings.

These are plain Keras operations, whose constants are the statistics of the training part. They are saved with the
model, and Keras alone loads them. All columns of a kind are handled at once, so that a table of many columns is as fast
as an array.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from fitbench.record.dataset import Column


def encoded(rows: Any, columns: Sequence[Column], embedding: int | None = None) -> Any:
    """The rows of a table, float32 [batch, columns], as float32 [batch, features] under every dtype policy.

    First come the numbers without `missing`, then those with it, then an indicator, 0 or 1, for each of these, then the
    categories, each in the order of the columns.

    A number becomes (number - mean) / deviation, computed in float32 from the value of the file in float32, which has
    24 binary digits: years or prices lose nothing, but values near 1e9 are multiples of 64. A deviation of 0, or below
    what float32 resolves at the mean, counts as 1, or as that resolution if it is larger. A missing number, NaN, of a
    column with `missing` becomes 0, which stands for the mean, and its indicator 1. In another column it stays NaN.

    A category of K values becomes K features, of which that of the value is 1 and the others 0, or, with `embedding`,
    so many trained numbers for each value. Code 0, a value that the training part does not have, becomes zeros: weights
    of its own would never be trained. So does a code above K.

    Raises:
        ValueError: a column of numbers has no mean or deviation.
    """
    complete = [place for place, column in enumerate(columns) if column.kind == "number" and not column.missing]
    incomplete = [place for place, column in enumerate(columns) if column.kind == "number" and column.missing]
    categories = [place for place, column in enumerate(columns) if column.kind == "category"]
    features = []
    if complete:
        features.append(_standardised(rows, columns, complete))
    if incomplete:
        numbers = _standardised(rows, columns, incomplete)
        is_missing = ops.isnan(numbers)
        features += [ops.where(is_missing, 0.0, numbers), ops.cast(is_missing, "float32")]
    if categories:
        sizes = [len(columns[place].vocabulary or ()) for place in categories]
        codes = _taken(rows, categories)
        features.append(_embedded(codes, sizes, embedding) if embedding else _one_hot(codes, sizes))
    return features[0] if len(features) == 1 else ops.concatenate(features, axis=-1)


def _taken(rows: Any, places: list[int]) -> Any:
    return rows if places == list(range(rows.shape[-1])) else ops.take(rows, places, axis=-1)


def _standardised(rows: Any, columns: Sequence[Column], places: list[int]) -> Any:
    mean, deviation = _statistics([columns[place] for place in places])
    return (_taken(rows, places) - mean) / deviation


def _statistics(columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each column of numbers, and what divides it, float32 [columns]."""
    pairs = []
    for column in columns:
        if column.mean is None or column.deviation is None:
            raise ValueError(f"the column {column.name} of numbers has no mean or no deviation")
        pairs.append((column.mean, column.deviation))
    mean, deviation = np.array(pairs, np.float64).T
    resolution = np.maximum(np.abs(mean) * np.finfo(np.float32).eps, np.finfo(np.float32).tiny)
    divisor = np.where(deviation > resolution, deviation, np.maximum(resolution, 1))
    return mean.astype(np.float32), divisor.astype(np.float32)


def _one_hot(codes: Any, sizes: Sequence[int]) -> Any:
    """Float32 [batch, sum of sizes]: each code is compared with 1 to the size of its vocabulary."""
    places = np.repeat(np.arange(len(sizes)), sizes)
    values = np.concatenate([np.arange(1, size + 1) for size in sizes]).astype(np.float32)
    return ops.cast(ops.equal(_taken(codes, places.tolist()), values), "float32")


def _embedded(codes: Any, sizes: Sequence[int], length: int) -> Any:
    """Float32 [batch, columns * length]: the vectors of all vocabularies are the rows of one table."""
    codes = ops.cast(codes, "int32")
    is_known = ops.logical_and(ops.greater_equal(codes, 1), ops.less_equal(codes, np.array(sizes, np.int32)))
    first = np.cumsum([0, *sizes[:-1]], dtype=np.int32)  # the row of the first category of each column
    rows = ops.where(is_known, codes - (1 - first), 0)  # LiteRT cannot add integers of these two shapes
    vectors = layers.Embedding(sum(sizes), length, dtype="float32", name="embedding")(rows)
    known = ops.where(ops.expand_dims(is_known, -1), vectors, 0.0)
    return ops.reshape(known, (-1, len(sizes) * length))
