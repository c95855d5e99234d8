"""A trained run that the tests of the Python API share."""

from pathlib import Path

import pytest

import fitbench

SMALL = ("data=digits", "model=softmax", "training.epochs=3")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """A folder of outputs for the tests of a module."""
    return tmp_path_factory.mktemp("api") / "outputs"


@pytest.fixture(scope="module")
def trained(outputs) -> fitbench.Run:
    """A softmax regression on the digits of scikit-learn."""
    return fitbench.train(*SMALL, outputs=outputs, progress=False)
