"""Trained runs that several tests look at."""

from pathlib import Path

import pytest

from fitbench.composition import Composer
from fitbench.config import Backend
from fitbench.launch import job
from fitbench.record.folder import folder_of
from fitbench.training import backend
from fitbench.training.run import train


@pytest.fixture(scope="session", autouse=True)
def tensorflow():
    backend.load(Backend.tensorflow)


@pytest.fixture(scope="session")
def trained(configure, tmp_path_factory):
    """Trains a configuration below `outputs`, by default a fresh folder; gives its folder and its result."""

    def run(*overrides: str, outputs: Path | None = None) -> tuple[Path, dict]:
        root = outputs or tmp_path_factory.mktemp("outputs")
        config = configure(f"outputs={root}", "progress=false", *overrides)
        folder = folder_of(config)
        return folder, train(config, folder)

    return run


@pytest.fixture(scope="session")
def composer():
    """One for all tests: what they compose is much the same."""
    return Composer()


@pytest.fixture(scope="session")
def launched(composer):
    """Launches `fitbench train OVERRIDES` below `outputs`; gives its folder, its result and whether it was recorded."""

    def run(outputs: Path, *overrides: str) -> tuple[Path, dict, bool]:
        config = composer.configuration([f"outputs={outputs}", "progress=false", *overrides])
        result, reused = job.run(config)
        return folder_of(config), result, reused

    return run
