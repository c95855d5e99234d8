"""Makes a data set of the series in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitbench.config import Series
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.series_file import read_series_file
from fitbench.data.targets import decided
from fitbench.kinds import SERIES


def read_series(data: Series, paths: Sequence[Path], task: str) -> Dataset:
    """Read the training and the test part of a data set of series."""
    files = {part: read_series_file(path) for part, path in zip(("train", "test"), paths, strict=True)}
    inputs = {part: np.stack([series.T for series in file.series]).astype(np.float32) for part, file in files.items()}
    where = {part: f"{path}: the labels" for part, path in zip(files, paths, strict=True)}
    targets = decided(task, {part: file.labels for part, file in files.items()}, (), where)
    dataset = assembled(data.name, inputs, targets.arrays, targets.names, str(paths[0]))
    return replace(dataset, task=targets.task, kind=SERIES, notes=targets.notes)
