"""The tables that come with packages: scikit-learn's, and two of mlxtend."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitbench.config import Data
from fitbench.data.dataset import Dataset, assembled
from fitbench.errors import DataError
from fitbench.metrics import REGRESSION
from fitbench.record.dataset import Column

BOSTON = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")


def read_known_table(data: Data) -> Dataset:
    """Read a table that comes with a package.

    Raises:
        DataError: the package is not installed.
    """
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise DataError(f"{data.name}: it comes with a package that is not installed; pip install mlxtend")
    path = Path(spec.origin).parent / "data/data/boston_housing.csv"
    table = np.loadtxt(path, delimiter=",", dtype=np.float64)
    rows = np.arange(len(table))
    np.random.RandomState(113).shuffle(rows)
    inputs, targets = table[:, :-1].astype(np.float32)[rows], table[:, -1:].astype(np.float32)[rows]
    cut = int(len(rows) * 0.8)
    train = table[rows[:cut], :-1]
    columns = tuple(
        Column(name=name, kind="number", mean=float(values.mean()), deviation=float(values.std()))
        for name, values in zip(BOSTON, train.T, strict=True)
    )
    dataset = assembled(
        data.name,
        {"train": inputs[:cut], "test": inputs[cut:]},
        {"train": targets[:cut], "test": targets[cut:]},
        ("MEDV",),
        str(path),
    )
    return replace(dataset, task=REGRESSION, columns=columns)
