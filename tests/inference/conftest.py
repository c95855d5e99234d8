"""Fixtures: a typical run, LeNet-5 trained for a few epochs on digits that need no download, and a server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fitbench.config import Backend
from fitbench.record.folder import folder_of
from fitbench.training import backend
from fitbench.training.run import train


@pytest.fixture(scope="session")
def trained(configure, tmp_path_factory) -> Path:
    """Return the folder of a finished run, LeNet-5 on mnist_5k. Copy it before changing it."""
    backend.load(Backend.tensorflow)
    outputs = tmp_path_factory.mktemp("trained") / "outputs"
    config = configure(f"outputs={outputs}", "model=lenet5", "training.epochs=3", "progress=false")
    folder = folder_of(config)
    train(config, folder)
    return folder


@pytest.fixture(scope="module")
def serving() -> Iterator:
    """Return a function that starts `fitbench serve` in a new process, and returns the process and its address."""
    started = []

    def serve(*arguments: object) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-m", "fitbench", "serve", *map(str, arguments), "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        address = process.stdout.readline().strip()
        assert address, process.communicate()[1]
        return process, address

    yield serve
    for process in started:
        process.kill()
        process.communicate()
