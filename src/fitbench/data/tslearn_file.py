"""Reads the .npz files of the package tslearn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fitbench.data.series_file import check_values
from fitbench.data.series_text import SeriesFile, as_classes
from fitbench.errors import DataError
from fitbench.untrusted import Unreadable, read_arrays

TSLEARN_ARRAYS = {"train": ("X_train", "y_train"), "test": ("X_test", "y_test")}


def read_tslearn(path: Path, series: str, labels: str) -> SeriesFile:
    """Read a part of a data set: series [N, steps, channels], filled up with NaN at their ends, and labels [N].

    Args:
        path: the file.
        series, labels: the names of the arrays.

    Raises:
        DataError: the file is damaged, lacks an array, or its arrays are no such series; the message names it.
    """
    try:
        arrays = read_arrays(path, (series, labels))
        values, classes = arrays[series], arrays[labels]
        if values.ndim != 3 or values.dtype.kind != "f" or classes.shape != values.shape[:1] or not values.size:
            raise Unreadable(
                f"{series} is {values.dtype} {values.shape} and {labels} {classes.shape}; expected floats "
                "[N, steps, channels] and [N]"
            )
        if classes.dtype.kind not in "iuf":
            raise Unreadable(f"{labels} is {classes.dtype}; expected numbers")
        steps = [int((~np.isnan(each).all(axis=1)).nonzero()[0].max(initial=0)) + 1 for each in values]
        with np.errstate(over="ignore"):
            cut = [each[:length].astype(np.float32) for each, length in zip(values, steps, strict=True)]
        check_values(cut, range(len(cut)), "row")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Unreadable as error:
        raise DataError(f"{path}: {error}") from error
    return SeriesFile(cut, as_classes(classes.astype(np.float64)), places=range(len(cut)))
