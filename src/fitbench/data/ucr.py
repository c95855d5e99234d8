"""Finds data sets of the UCR and UEA archives on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from fitbench.errors import DataError


def find_ucr(name: str) -> list[Path]:
    """The files of the training and of the test part of a data set.

    Raises:
        DataError: it is not here.
    """
    folder = Path(os.environ.get("FITBENCH_DATA", "")) / "ucr"
    for suffix in (".ts", ".tsv", ".txt"):
        paths = [folder / f"{name}_{part}{suffix}" for part in ("TRAIN", "TEST")]
        if all(path.is_file() for path in paths):
            return paths
    raise DataError(f"{name}: it is not in $FITBENCH_DATA/ucr")
