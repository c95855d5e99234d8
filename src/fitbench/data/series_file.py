"""Reads one file of series as the UCR and UEA archives have them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fitbench.data.memory_limit import check_memory
from fitbench.data.series_text import SeriesFile, parse
from fitbench.errors import DataError
from fitbench.text import counted
from fitbench.untrusted import Unreadable, guarded, open_file

SUFFIXES = (".ts", ".tsv", ".txt")
# Reading takes this many times the bytes of a file: measured are 3 for numbers of 10 characters, 4 for single digits.
# The data set then takes as much as its float32 arrays, 2 times the bytes of single digits.
TIMES_IN_MEMORY = 6


def read_series_file(path: Path, complete: bool = True) -> SeriesFile:
    """Read a file of series, as `series_text.parse` describes them.

    Values that are missing, or that float32 cannot hold, are refused, or are NaN and infinite unless it is `complete`.
    The labels of a .ts file are read only if it is.

    Raises:
        DataError: it is not such a file; the message names the file and the line.
    """
    try:
        with guarded(), open_file(path) as opened:
            check_memory(opened, TIMES_IN_MEMORY * os.fstat(opened.fileno()).st_size, "take fewer series")
            content = opened.read()
        file = parse(content, path.suffix, labelled=complete)
        if complete:
            check_values(file.series, file.places)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (Unreadable, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    return file


def check_values(series: Sequence[np.ndarray], places: Sequence[int], noun: str = "line") -> None:
    """Refuse series with values that are missing, infinite or too large for float32.

    Args:
        series: [steps, channels] each.
        places: the number that messages give to each series.
        noun: what messages call the place of a series.

    Raises:
        Unreadable: with the counts and the first place.
    """
    missing = np.array([np.isnan(values).sum() for values in series])
    infinite = np.array([np.isinf(values).sum() for values in series])
    for counts, problem, advice in (
        (missing, "missing", "fill them in, or remove these series"),
        (infinite, "infinite or above 3.4e38", "expected numbers that float32 can hold"),
    ):
        if counts.any():
            place = f"{noun} {places[int(counts.astype(bool).argmax())]:,}"
            raise Unreadable(
                f"{counted(int(counts.sum()), 'value')} in {np.count_nonzero(counts):,} of its {len(series):,} series "
                f"{'is' if counts.sum() == 1 else 'are'} {problem}, first in {place}; {advice}"
            )
