"""Reads a file of series as `fitbench predict` and `fitbench serve` are given it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fitbench.data import series_file
from fitbench.errors import DataError
from fitbench.inference import arrays
from fitbench.inference.values import InputCard, check_labelled, fitting
from fitbench.text import clean

SUFFIXES = (*arrays.SUFFIXES, *series_file.SUFFIXES)


def read_series(path: Path, takes: InputCard, array_name: str | None = None) -> Sequence[np.ndarray] | np.ndarray:
    """Read the series of a file: [steps, channels] each, of any number of steps if the file is a text.

    Args:
        path: a file whose suffix is one of `SUFFIXES`. An array is [N, steps, channels], or [N, steps] of one channel.
        takes: what the model takes; see `card.input_card`.
        array_name: the array of an .npz file; see `arrays.read_array`.

    Raises:
        DataError: it cannot be read, or is of another form than the model takes; the message names the file.
        RequestError: there is no array of this name, or there are several arrays.
    """
    try:
        if path.suffix.lower() in arrays.SUFFIXES:
            return fitting(arrays.read_array(path, array_name, takes["name"]), takes)
        file = series_file.read_series_file(path, complete=False)
        if file.label_first:
            check_labelled(file.lengths.tolist(), takes)
    except ValueError as error:
        raise DataError(f"{clean(path)}: {error}") from error
    return file.series
