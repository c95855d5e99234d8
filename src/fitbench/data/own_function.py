"""Calls the function of the user's that returns a data set."""

from __future__ import annotations

from fitbench.config import OwnData
from fitbench.data.arrays import dataset_of_arrays
from fitbench.data.dataset import Dataset


def read_own(data: OwnData, task: str) -> Dataset:
    """Call the function and check what it returns."""
    import pydoc

    function = pydoc.locate(data.target)
    (x_train, y_train), (x_test, y_test) = function(**data.settings)  # type: ignore[operator]
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return dataset_of_arrays(data, arrays, data.target, task)
